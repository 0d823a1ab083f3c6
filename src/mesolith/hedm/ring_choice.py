"""Which rings of a material are indexed: those on the detector with the strongest reflections."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.structure_factors import structure_factors
from mesolith.errors import FileFormatError
from mesolith.hedm.phase_rings import PhaseRings, phase_rings, some_rings
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.ring_coverage import ring_coverage
from mesolith.instrument.scattering import laboratory_from_spots, scattering_vectors
from mesolith.materials.loader import Material
from mesolith.records.spots import Spots

STRONGEST = 12
_FARTHEST = 24  # rings from the first on that are looked at where no number is given
_ON_DETECTOR = 0.5  # of a ring's azimuths
_FEWEST = 7  # rings that are named where none is on the detector
_SEEN = 0.01  # of the strongest: what may be mistaken for another ring's
_SAME = 0.01  # of a spacing, within which rings of two phases are one


def rings_in_reach(
    material: Material,
    instrument: Instrument,
    *,
    first_ring: int,
    count: int | None,
    least_d: float = 0.0,
) -> PhaseRings:
    """``count`` rings of a material from ``first_ring`` (1: the innermost) on.

    None: out to the last that has half its azimuths on the detector and a d of ``least_d``
    (angstrom), but not so far out that other rings of the material crowd in.
    """
    most = _FARTHEST if count is None else count
    found = phase_rings(
        material.name, material.space_group, material.lattice, count=first_ring - 1 + most
    )
    number = np.arange(1, len(found.spacing) + 1)
    chosen = number >= first_ring
    if count is None:
        seen = ring_coverage(instrument, found.spacing) >= _ON_DETECTOR
        on = np.flatnonzero(chosen & seen & (found.spacing >= least_d))
        last = number[on[-1]] if len(on) else first_ring - 1 + _FEWEST
        chosen &= number <= last
    return some_rings(found, chosen)


def smallest_spacing(spots: Spots, instrument: Instrument) -> float:
    """d down to which a list of spots goes, as if all came from the rotation axis, angstrom.

    A list of some rings only shall not make its grains seem incomplete. 1 % less, since grains
    lie off the axis.
    """
    if not len(spots):
        return 0.0
    points = laboratory_from_spots(instrument, spots.panel, spots.fast, spots.slow)
    g = scattering_vectors(instrument, points, spots.omega)
    return 0.99 / float(np.linalg.norm(g, axis=1).max())


def strongest_rings(
    rings: PhaseRings,
    material: Material,
    instrument: Instrument,
    *,
    strongest: int,
    strain: float = 0.0,
) -> PhaseRings:
    """The rings with the strongest reflections, by structure factor and Lorentz factor.

    A reflection counts, not the ring: what a grain shows of {400} is one bright spot. Rings that
    a ``strain`` of either sign could exchange for another that is seen are left out. All rings
    where no more are there, and the inner ones of a material without atoms.
    """
    if len(rings.spacing) <= strongest:
        return rings
    try:
        strength = reflection_strengths(rings, material, instrument)
    except FileFormatError:
        strength = rings.spacing
    seen = np.flatnonzero(strength >= _SEEN * strength.max())
    apart = np.diff(np.log(rings.spacing[seen]), prepend=np.inf, append=-np.inf)
    alone = seen[np.minimum(-apart[:-1], -apart[1:]) > 2.0 * strain]
    order = alone[np.argsort(-strength[alone], kind="stable")]
    return some_rings(rings, np.isin(np.arange(len(strength)), order[:strongest]))


def reflection_strengths(
    rings: PhaseRings, material: Material, instrument: Instrument
) -> FloatArray:
    """Mean abs(F)^2 over sin(2 theta) of the reflections on each ring (rings,), electrons^2."""
    factor = np.abs(structure_factors(material.cif, rings.hkl, instrument.beam.energy)) ** 2
    mean = np.bincount(rings.ring, weights=factor) / np.bincount(rings.ring)
    sine = np.minimum(instrument.beam.wavelength / (2.0 * rings.spacing), 1.0)
    return np.asarray(mean / np.sin(2.0 * np.arcsin(sine)))


def rings_of_materials(
    material: Material,
    second: Material | None,
    instrument: Instrument,
    *,
    first_ring: int,
    count: int | None,
    strongest: int,
    strain: float,
    least_d: float = 0.0,
) -> tuple[PhaseRings, ...]:
    """The rings of a material that are indexed, and those of a second one between them."""
    reach = rings_in_reach(
        material, instrument, first_ring=first_ring, count=count, least_d=least_d
    )
    found = [strongest_rings(reach, material, instrument, strongest=strongest, strain=strain)]
    if second is not None:
        low, high = reach.spacing.min() * (1.0 - _SAME), reach.spacing.max() * (1.0 + _SAME)
        whole = phase_rings(second.name, second.space_group, second.lattice, d_min=float(low))
        inside = some_rings(whole, whole.spacing <= high)
        found.append(
            strongest_rings(inside, second, instrument, strongest=strongest, strain=strain)
        )
    return tuple(found)
