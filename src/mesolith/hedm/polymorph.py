"""Which of two polymorphs each grain is, and how decisive the spots are.

Two phases on one lattice share nearly all reflections, so every grain of the one indexes as the
other. What differs is weighed grain by grain: reflections that one phase lacks
(`telling_reflections`), intensities of those that both show (`common_intensities`), and the
lattice parameter; `phase_mixture` joins them. See decision record 22.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.special import logit

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.hedm.brightness import fit_brightness
from mesolith.hedm.common_intensities import common_intensities
from mesolith.hedm.phase_counts import OFFSETS, grains_that_fit
from mesolith.hedm.phase_mixture import TRACE, Mixture, fit_mixture
from mesolith.hedm.sightings import lookup_of, sightings_of
from mesolith.hedm.telling_reflections import TellingReflections, at_factors, weigh_telling
from mesolith.hedm.two_phases import TwoPhases, share_a_lattice, two_phases
from mesolith.instrument.instrument import Instrument
from mesolith.materials.loader import Material
from mesolith.records.grains import Phases
from mesolith.records.indexed import IndexedGrains
from mesolith.records.phase_odds import PhaseOdds
from mesolith.records.spots import Spots

DECISIVE = 3.0  # log ratio below which the data have not decided
SURE = 0.99  # probability asked of a decided phase
_FINEST = 8.0  # smallest spacing that is looked at, as a part of the lattice parameter


def phase_odds(
    spots: Spots,
    instrument: Instrument,
    grains: IndexedGrains,
    phases: tuple[Material, Material],
    *,
    sample_radius: float,
    pole: float = math.radians(6.0),
    strain: float = 2.5e-3,
    sure: float = SURE,
    decisive: float = DECISIVE,
) -> PhaseOdds:
    """How much likelier each grain is of the first of two phases than of the second.

    Parameters
    ----------
    spots, instrument, grains
        The spots of a layer, the instrument, and the grains that indexing found in them, whatever
        phase it gave them.
    phases
        Two materials on one lattice, each with the CIF that says how strongly it diffracts; the
        second is expected to be rare (one grain in thirty on average before the data speak).
    sample_radius
        Radius (um) of the sample about the rotation axis, which absorbs.
    pole
        Azimuth (rad) below which spots are not looked for.
    strain
        Largest relative difference of spacings at which a grain fits a phase, for the counts.
    sure, decisive
        A phase is decided where its probability is at least ``sure`` and the log ratio at least
        ``decisive`` on its side.

    Returns
    -------
    odds
        Probabilities are calibrated: of grains said to be of a phase with probability p, a share
        p is, to 0.03. Where the layer shows no difference of the phases all grains are undecided,
        and their probability is what was expected of the share.

    Raises
    ------
    InvalidValueError
        The two materials do not share a lattice.
    """
    one, other = phases
    if not share_a_lattice(one, other):
        raise InvalidValueError(
            f"{one.name} and {other.name} are no two phases on one lattice",
            remedy="Phases of different lattices are told apart by their rings, in indexing.",
        )
    finest = max(_smallest_spacing(instrument), float(one.lattice[0]) / _FINEST)
    table = two_phases(one, other, wavelength=instrument.beam.wavelength, d_min=finest)
    # the phase that shows more is weighed against the one that lacks it
    turned = bool((table.strength[0] <= 0.0).sum() > (table.strength[1] <= 0.0).sum())
    if turned:
        table = replace(table, names=table.names[::-1], strength=table.strength[::-1])
    lookup = lookup_of(spots, instrument, grains.error_scale)
    sightings = sightings_of(
        lookup,
        instrument,
        grains.lattice_vectors,
        grains.position,
        table.hkl,
        sample_radius=sample_radius,
        pole=pole,
    )
    brightness = fit_brightness(sightings, spots, table, grains=len(grains))
    telling = weigh_telling(
        sightings,
        spots,
        lookup,
        table,
        brightness,
        grains.lattice_vectors,
        grains.position,
        pole=pole,
    )
    common = common_intensities(sightings, spots, table, brightness, grains=len(grains))
    length, error = lattice_parameters(grains)
    stated = math.log(float(np.linalg.norm(other.lattice[:3]) / np.linalg.norm(one.lattice[:3])))
    mixture = fit_mixture(
        telling,
        common,
        np.log(length),
        error / length,
        stated_offset=-stated if turned else stated,
        prior=TRACE[::-1] if turned else TRACE,
    )
    return _record(
        grains,
        phases,
        table,
        telling,
        _swapped(mixture) if turned else mixture,
        strain,
        sure,
        decisive,
    )


def lattice_parameters(grains: IndexedGrains) -> tuple[FloatArray, FloatArray]:
    """Cube root of each grain's cell volume and its standard error, angstrom, (g,) each."""
    length = np.cbrt(np.abs(np.linalg.det(grains.lattice_vectors)))
    trace = grains.covariance[:, 6:9, 6:9].sum(axis=(1, 2))
    sigma = np.sqrt(np.maximum(np.nan_to_num(trace, nan=1e-6), 0.0)) / 3.0
    return length, length * np.maximum(sigma, 1e-7)


def _smallest_spacing(instrument: Instrument) -> float:
    """Smallest d (angstrom) that still reaches a corner of a panel."""
    largest = 0.0
    for panel in instrument.panels:
        slow, fast = (panel.shape - 1.0) * panel.pitch
        for u in (-0.5, 0.5):
            for v in (-0.5, 0.5):
                corner = panel.origin + panel.rotation @ np.array([u * fast, v * slow, 0.0])
                cosine = corner @ instrument.beam.direction / np.linalg.norm(corner)
                largest = max(largest, math.acos(min(max(float(cosine), -1.0), 1.0)))
    return instrument.beam.wavelength / (2.0 * math.sin(0.5 * max(largest, 1e-3)))


def _swapped(mixture: Mixture) -> Mixture:
    """The same with the two phases exchanged."""
    return replace(
        mixture,
        reflections=-mixture.reflections,
        intensities=-mixture.intensities,
        lattice=-mixture.lattice,
        first=mixture.second,
        second=mixture.first,
        share=1.0 - mixture.share,
        offset=-mixture.offset,
    )


def _record(
    grains: IndexedGrains,
    phases: tuple[Material, Material],
    table: TwoPhases,
    telling: TellingReflections,
    mixture: Mixture,
    strain: float,
    sure: float,
    decisive: float,
) -> PhaseOdds:
    first, second = np.maximum(mixture.first, 1e-300), np.maximum(mixture.second, 1e-300)
    share = min(max(mixture.share, 1e-9), 1.0 - 1e-9)
    ratio = np.log(first) - np.log(second) + float(logit(share))
    phase: IntArray = (second > first).astype(np.int64)
    probability = np.maximum(first, second)
    own_side = np.where(phase == 0, ratio, -ratio)
    if len(grains):
        expected = at_factors(telling.expected, mixture.factor)
    else:
        expected = np.zeros(0)
    return PhaseOdds(
        grain_id=grains.grain_id,
        phase=phase,
        phases=Phases(
            tuple(one.name for one in phases),
            np.array([one.space_group for one in phases]),
            np.array([one.lattice for one in phases]),
        ),
        probability=np.clip(probability, 0.5, 1.0),
        decided=(probability >= sure) & (own_side >= decisive),
        log_ratio=ratio,
        log_ratio_reflections=mixture.reflections,
        log_ratio_intensities=mixture.intensities,
        log_ratio_lattice=mixture.lattice,
        expected=expected,
        found=telling.found.sum(axis=1),
        share=mixture.share,
        share_se=mixture.share_se,
        lattice_offset=math.expm1(mixture.offset),
        intensity_factor=mixture.intensity_factor,
        family=table.families[telling.families],
        family_factor=mixture.factor,
        family_chance=telling.chance,
        fit_offset=OFFSETS,
        fits=grains_that_fit(grains.lattice_vectors, phases[0].lattice, OFFSETS, tolerance=strain),
    )
