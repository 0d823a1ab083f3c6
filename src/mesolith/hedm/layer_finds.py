"""The grains of several layers in one list, each find with the volume that was lit of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.symmetry import rotation_operators
from mesolith.errors import ContradictionError, InvalidValueError
from mesolith.records.indexed import IndexedGrains

_UNKNOWN_VOLUME, _LEAST_VOLUME_ERROR = 0.2, 0.01  # relative errors
_EVEN = 0.2  # by which light of a full layer may differ: flux, grains that were not found
_SAME_LATTICE = 0.01  # relative, within which one phase may be taken for another


@dataclass(frozen=True, slots=True)
class Layer:
    """Grains that a beam of ``height`` um found with its middle at ``middle`` um in the sample.

    ``grains`` have z = 0 in the middle of the beam; ``volume`` (um3) is that of the sample in the
    beam. None: nothing was found.
    """

    middle: float
    height: float
    volume: float
    grains: IndexedGrains | None

    def __post_init__(self) -> None:
        if not (self.height > 0.0 and self.volume > 0.0):
            raise InvalidValueError(
                f"a layer of {self.height:g} um and {self.volume:g} um3 lights nothing"
            )


@dataclass(frozen=True, slots=True)
class Finds:
    """All finds of all layers, one row each, layers from below.

    ``layer`` (n,) counts from the lowest; ``row`` (n,) is that of the layer's grains. ``position``
    is on sample axes. ``covariance`` (n, 12, 12) as in `IndexedGrains`. ``volume`` (n,), um3, is
    that of the lit part and ``volume_error`` (n,) its relative error; ``kind`` (n,) numbers phases
    that may be taken for one another. ``top`` and ``bottom`` (layers,) are the edges of the beams.
    """

    layer: IntArray
    row: IntArray
    position: FloatArray
    lattice_vectors: FloatArray
    covariance: FloatArray
    volume: FloatArray
    volume_error: FloatArray
    phase: IntArray
    kind: IntArray
    top: FloatArray
    bottom: FloatArray

    def __len__(self) -> int:
        return len(self.layer)


def filled_shares(light: FloatArray) -> FloatArray:
    """How much of each layer its grains fill (layers,), from the light of each, NaN or 0 unknown.

    The brighter half of the layers is taken for full; so is a layer whose light is within a
    fifth of theirs, or not known. A layer beyond the end of the sample has less.
    """
    known = np.flatnonzero(np.isfinite(light) & (light > 0.0))
    share = np.ones(len(light))
    if len(known):
        bright = np.sort(light[known])[len(known) // 2 :]
        ratio = light[known] / float(np.median(bright))
        share[known] = np.where(np.abs(ratio - 1.0) <= _EVEN, 1.0, ratio)
    return share


def finds_of_layers(layers: Sequence[Layer]) -> tuple[Finds, tuple[int, ...]]:
    """All finds, and the numbers of the given layers in their order from below.

    A grain none of whose spots states a volume counts as the median one of its layer.

    Raises
    ------
    ContradictionError
        No layer holds a grain, layers list other phases, or two have the same middle.
    """
    order = sorted(range(len(layers)), key=lambda k: layers[k].middle)
    lit = [layers[k] for k in order]
    if len({layer.middle for layer in lit}) < len(lit):
        raise ContradictionError(
            "two layers have the same height", remedy="Give each layer the height it was at."
        )
    phases = [layer.grains.phases for layer in lit if layer.grains is not None]
    if not phases:
        raise ContradictionError("no layer holds a grain", remedy="Index at least one layer.")
    for other in phases[1:]:
        if not (
            np.array_equal(other.space_group, phases[0].space_group)
            and np.array_equal(other.lattice, phases[0].lattice)
        ):
            raise ContradictionError(
                "layers of one sample were indexed with different phases",
                remedy="Index all layers with the same phases.",
            )
    found = [(number, layer.grains, layer.volume) for number, layer in enumerate(lit)]
    have = [(number, grains, volume) for number, grains, volume in found if grains is not None]
    phase = np.concatenate([grains.phase for _, grains, _ in have])
    up = np.array([0.0, 0.0, 1.0])
    kinds = _kinds(np.asarray(phases[0].space_group), np.asarray(phases[0].lattice))
    return (
        Finds(
            layer=np.concatenate([np.full(len(grains), number) for number, grains, _ in have]),
            row=np.concatenate([np.arange(len(grains)) for _, grains, _ in have]),
            position=np.concatenate(
                [grains.position + lit[number].middle * up for number, grains, _ in have]
            ),
            lattice_vectors=np.concatenate([grains.lattice_vectors for _, grains, _ in have]),
            covariance=np.concatenate([grains.covariance for _, grains, _ in have]),
            volume=np.concatenate([_volumes(grains, volume) for _, grains, volume in have]),
            volume_error=np.concatenate([_volume_errors(grains) for _, grains, _ in have]),
            phase=phase,
            kind=kinds[phase],
            top=np.array([layer.middle + 0.5 * layer.height for layer in lit]),
            bottom=np.array([layer.middle - 0.5 * layer.height for layer in lit]),
        ),
        tuple(order),
    )


def _volumes(grains: IndexedGrains, total: float) -> FloatArray:
    share = np.where(grains.volume_share > 0.0, grains.volume_share, np.nan)
    usual = float(np.nanmedian(share)) if np.any(np.isfinite(share)) else 1.0
    share = np.where(np.isfinite(share), share, usual)
    return np.asarray(total * share / share.sum())


def _volume_errors(grains: IndexedGrains) -> FloatArray:
    """Relative errors, never below what absorption leaves; a wild guess where none is stated."""
    if grains.volume_share_se is None:
        return np.full(len(grains), _UNKNOWN_VOLUME)
    ratio = grains.volume_share_se / grains.volume_share
    return np.hypot(np.where(np.isfinite(ratio), ratio, _UNKNOWN_VOLUME), _LEAST_VOLUME_ERROR)


def _kinds(space_group: IntArray, lattice: FloatArray) -> IntArray:
    """Number of each phase's kind: one Laue class and all but one lattice."""
    basis = basis_from_lattice(lattice)
    kind = np.arange(len(space_group))
    for k in range(len(kind)):
        for other in range(k):
            own, theirs = (rotation_operators(int(space_group[p])) for p in (k, other))
            alike = own.shape == theirs.shape and np.allclose(own, theirs)
            size = np.linalg.norm(basis[other])
            if alike and np.linalg.norm(basis[k] - basis[other]) < _SAME_LATTICE * size:
                kind[k] = kind[other]
                break
    return kind
