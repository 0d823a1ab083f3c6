"""The layer as records: grains with evidence and covariance, whose spot is whose, a grain map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.hedm.agreement import explain_failure
from mesolith.hedm.index import Found, find_grains
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.layer_index import LayerIndex
from mesolith.hedm.phase_rings import PhaseRings
from mesolith.hedm.standard_setting import setting_operators
from mesolith.hedm.volumes import VolumeShares, volume_shares
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import azimuth_from_laboratory, laboratory_from_spots
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_matrix
from mesolith.records.grains import GrainMap, Phases
from mesolith.records.indexed import IndexedGrains, SpotAssignment
from mesolith.records.spots import Spots

FROM_SPOTS = "least squares on the spots, scaled by their residuals"  # a map's error source
_PRIOR_FREEDOM = 50.0  # how firmly one grain's scatter is held to that of all
_POOR = 0.3  # completeness of half of the grains below which something is wrong


@dataclass(frozen=True, slots=True)
class IndexedLayer:
    """Grains of a layer and the assignment of spots to them."""

    grains: IndexedGrains
    assignment: SpotAssignment


def index_spots(
    spots: Spots,
    instrument: Instrument,
    phases: tuple[PhaseRings, ...],
    settings: IndexSettings | None = None,
) -> IndexedLayer:
    """All grains whose diffraction the spots of one layer show.

    Parameters
    ----------
    spots
        Spots of one rotation.
    instrument
        Calibrated instrument; wedge, tilts and distortion are taken as they are.
    phases
        What may be there; a spot that two phases explain goes to the likelier grain.
    settings
        Bounds of the sample and of the search.

    Returns
    -------
    layer
        Grains on sample axes, the likeliest first. On spots with 0.1 px and 0.05 deg of noise on
        seven rings a position is good to 1.7, 1.7, 1.2 um, an orientation to 0.0033 deg, a strain
        component to 2.1e-5 (3,000 grains in a layer, root mean squares).

    Raises
    ------
    InvalidValueError
        No phase, or one without rings.
    ContradictionError
        Spots that no grain explains although their pairs form rings of another size (by how much
        is told), or although the other sense of rotation explains them.
    """
    settings = IndexSettings() if settings is None else settings
    if not phases or any(not len(phase.hkl) for phase in phases):
        raise InvalidValueError(
            "there is no phase to index, or one without rings",
            remedy="Name a material and how many of its rings were measured.",
        )
    index = LayerIndex(spots, instrument, phases, settings)
    found = find_grains(index)
    complete = found.evidence.completeness
    if len(spots) and (not len(complete) or float(np.median(complete)) < _POOR):
        explained = int(found.evidence.explained.sum())
        reason = explain_failure(spots, instrument, phases, settings, explained)
        if reason is not None:
            raise ContradictionError(reason.what, remedy=reason.remedy)
    setting = setting_operators(
        np.asarray(np.linalg.inv(found.grains.reciprocal).swapaxes(1, 2), dtype=np.float64),
        found.grains.phase,
        np.array([phase.space_group for phase in index.phases]),
        np.array([phase.basis for phase in index.phases]),
    )
    assignment = _assignment(found, index, spots, instrument, setting)
    return IndexedLayer(_grains(found, index, spots, assignment, setting), assignment)


def grain_map_from_indexed(grains: IndexedGrains, *, volume: float) -> GrainMap:
    """A grain map without strain, whose radii share ``volume`` (um3) of illuminated sample.

    Strain and stress follow once a strain-free reference has been chosen. The rotation vector of
    the covariance becomes that of the orientation which the house derives from the lattice (x
    along a, z along c*). `InvalidValueError` where the volume is not positive.
    """
    if not volume > 0.0:
        raise InvalidValueError(f"an illuminated volume of {volume:g} um3 holds no grain")
    lattice = lattice_from_basis(grains.lattice_vectors)
    orientation = grains.lattice_vectors @ np.linalg.inv(basis_from_lattice(lattice))
    turn = _by_lattice_axes(orientation)
    share = np.where(np.isfinite(grains.volume_share), grains.volume_share, 0.0)
    return GrainMap(
        grain_id=grains.grain_id,
        position=grains.position,
        orientation=quaternion_from_matrix(orientation).reshape(-1, 4),
        lattice=lattice.reshape(-1, 6),
        radius=np.cbrt(3.0 * volume * share / (4.0 * math.pi)),
        completeness=grains.completeness,
        phase=grains.phase,
        phases=grains.phases,
        covariance=turn @ grains.covariance @ turn.swapaxes(1, 2),
        error_source=FROM_SPOTS,
        lit_volume=volume,
    )


def indexed_from_grain_map(grain_map: GrainMap) -> IndexedGrains:
    """Grains of a list as if they had been indexed, with shares in volume from their radii.

    A list does not state spots: each grain counts one, and its completeness for the likelihood.
    """
    count = len(grain_map)
    orientation = matrix_from_quaternion(grain_map.orientation)
    back = np.linalg.inv(_by_lattice_axes(orientation))
    one = np.ones(count, dtype=np.int64)
    volume = grain_map.radius**3
    return IndexedGrains(
        grain_id=grain_map.grain_id,
        lattice_vectors=orientation @ basis_from_lattice(grain_map.lattice),
        position=grain_map.position,
        covariance=back @ grain_map.covariance @ back.swapaxes(1, 2),
        phase=grain_map.phase,
        phases=grain_map.phases,
        completeness=grain_map.completeness,
        expected=one,
        spots=one,
        own_spots=one,
        likelihood=grain_map.completeness,
        scatter=np.ones(count),
        volume_share=volume / volume.sum(),
        chance=np.zeros(1),
        error_scale=np.ones(2),
    )


def _by_lattice_axes(orientation: FloatArray) -> FloatArray:
    """Matrices (g, 12, 12) from the polar rotation and strain to the house's orientation.

    A lattice that deforms by E and turns by w keeps a along x and c* along z of its own axes, so
    its orientation turns by w and by (E23, -E13, E12) on crystal axes.
    """
    count = len(orientation)
    matrix = np.tile(np.eye(12), (count, 1, 1))
    for column, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        strain = np.zeros((3, 3))
        strain[i, j] = strain[j, i] = 1.0
        crystal = orientation.swapaxes(1, 2) @ strain @ orientation
        extra = np.stack([crystal[:, 1, 2], -crystal[:, 0, 2], crystal[:, 0, 1]], axis=1)
        matrix[:, 3:6, 6 + column] = np.einsum("gij,gj->gi", orientation, extra)
    return matrix


def _grains(
    found: Found,
    index: LayerIndex,
    spots: Spots,
    assignment: SpotAssignment,
    setting: FloatArray,
) -> IndexedGrains:
    grains, refined = found.grains, found.refined
    lattice_vectors = np.linalg.inv(grains.reciprocal).swapaxes(1, 2) @ setting
    volumes = _volume_share(found, index, spots, assignment)
    freedom = 3.0 * refined.effective
    usual = _usual(refined.scatter, freedom)
    factor = (_PRIOR_FREEDOM * usual + freedom * refined.scatter) / (_PRIOR_FREEDOM + freedom)
    return IndexedGrains(
        grain_id=np.arange(len(grains)),
        lattice_vectors=lattice_vectors,
        position=grains.position,
        covariance=refined.covariance * factor[:, None, None],
        phase=grains.phase,
        phases=Phases(
            tuple(phase.name for phase in index.phases),
            np.array([phase.space_group for phase in index.phases]),
            np.array([phase.lattice for phase in index.phases]),
        ),
        completeness=found.evidence.completeness,
        expected=found.evidence.expected,
        spots=_assigned(found).sum(axis=(1, 2)),
        own_spots=found.evidence.own,
        likelihood=found.evidence.ratio,
        scatter=refined.scatter,
        volume_share=volumes.share,
        volume_share_se=volumes.share_se,
        chance=found.chance,
        error_scale=np.array(found.error_scale),
        light=volumes.light,
    )


def _usual(scatter: FloatArray, freedom: FloatArray) -> float:
    """Mean scatter of the grains, those beyond thrice the median held there; 1 without any."""
    if not freedom.sum() > 0.0:
        return 1.0
    most = 3.0 * float(np.median(scatter))
    return float(np.average(np.minimum(scatter, most), weights=freedom))


def _volume_share(
    found: Found, index: LayerIndex, spots: Spots, assignment: SpotAssignment
) -> VolumeShares:
    """From spots that one grain has alone and that are neither saturated nor cut."""
    used = _assigned(found)
    alone = found.matches.share[used] > 0.99
    alone &= ~(spots.saturated | spots.partial)[assignment.spot]
    reflection = np.nonzero(used)[1][alone]
    grain = assignment.grain_id[alone]
    return volume_shares(
        spots.intensity[assignment.spot[alone]],
        assignment.eta[alone],
        grain,
        index.table.ring[found.grains.phase[grain], reflection],
        grains=len(found.grains),
        rings=index.table.rings,
    )


def _assigned(found: Found) -> NDArray[np.bool_]:
    """Reflections that have a spot (g, h, 2)."""
    residual = found.refined.residual[..., 0]
    return (found.matches.spot >= 0) & (found.matches.share > 0.0) & np.isfinite(residual)


def _assignment(
    found: Found, index: LayerIndex, spots: Spots, instrument: Instrument, setting: FloatArray
) -> SpotAssignment:
    matches, refined = found.matches, found.refined
    used = _assigned(found)
    grain, reflection, _ = np.nonzero(used)
    rows = index.lookup.order[matches.spot[used]]
    points = laboratory_from_spots(
        instrument, spots.panel[rows], spots.fast[rows], spots.slow[rows]
    )
    # of whole grains first: they are fewer than their spots
    hkl = np.rint(index.table.hkl[found.grains.phase] @ setting).astype(np.int64)
    return SpotAssignment(
        spot=rows,
        grain_id=grain,
        hkl=hkl[grain, reflection],
        residual=refined.residual[used],
        distance=np.sqrt(refined.square[used]),
        weight=refined.weight[used],
        omega=spots.omega[rows],
        eta=azimuth_from_laboratory(points),
    )
