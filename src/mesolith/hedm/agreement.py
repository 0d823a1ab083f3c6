"""Why spots index as nothing: rings of another size, or a rotation taken in the wrong sense."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.hedm.friedel import FriedelPairs, friedel_pairs, upright_spots
from mesolith.hedm.index import PASSES
from mesolith.hedm.index_settings import IndexSettings
from mesolith.hedm.layer_index import LayerIndex
from mesolith.hedm.phase_rings import PhaseRings
from mesolith.instrument.instrument import Instrument
from mesolith.records.spots import Spots

_WIDE_STRAIN = 0.03
_BIN = 2e-4
_LEAST_SIGNAL = 8.0  # standard deviations of a bin's count
_LEAST_GRAINS = 3


@dataclass(frozen=True, slots=True)
class RingScale:
    """Spacings that the pairs show, over those of the reference.

    ``scale`` - 1 is the relative difference, ``error`` its standard error; ``pairs`` made the
    peak, and it stands ``signal`` standard deviations above chance.
    """

    scale: float
    error: float
    pairs: int
    signal: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nothing was found, and what to do."""

    what: str
    remedy: str


def ring_scale(pairs: FriedelPairs, spacings: FloatArray, *, within: float) -> RingScale | None:
    """By how much the spacings of pairs differ from those of rings, all rings alike.

    Pairs know their spacing without knowing where their grain is, so true ones pile up at one
    ratio to the reference while chance spreads them. None where no pile stands out.
    """
    length = np.linalg.norm(pairs.g, axis=1)
    ratio = -np.log(length[:, None] * np.asarray(spacings)[None, :])
    ratio = ratio[np.abs(ratio) <= within]
    if len(ratio) < 10:
        return None
    edges = np.arange(-within, within + _BIN, _BIN)
    counts = np.histogram(ratio, edges)[0].astype(np.float64)
    # strain spreads the pile over some bins
    smooth = np.convolve(counts, np.ones(9), mode="same")
    chance = float(np.median(smooth))
    best = int(np.argmax(smooth))
    signal = float((smooth[best] - chance) / np.sqrt(chance + 1.0))
    if signal < _LEAST_SIGNAL:
        return None
    centre = 0.5 * (edges[best] + edges[best + 1])
    near = ratio[np.abs(ratio - centre) <= 10.0 * _BIN]
    middle = float(np.median(near))
    spread = 1.4826 * float(np.median(np.abs(near - middle)))
    return RingScale(float(np.exp(middle)), 1.2533 * spread / np.sqrt(len(near)), len(near), signal)


def reversed_rotation(spots: Spots) -> Spots:
    """The spots as if omega had been counted in the other sense."""
    return replace(
        spots,
        omega=-spots.omega,
        omega_range=-spots.omega_range[::-1, ::-1],
        covariance=spots.covariance * np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]),
    )


def explain_failure(
    spots: Spots,
    instrument: Instrument,
    phases: tuple[PhaseRings, ...],
    settings: IndexSettings,
    explained: int,
) -> Reason | None:
    """What is wrong where ``explained`` spots were too few, None where nothing says."""
    wide = replace(settings, strain=max(settings.strain, _WIDE_STRAIN))
    for phase in phases:
        upright = upright_spots(spots, instrument, phase.spacing, wide)
        scale = ring_scale(friedel_pairs(upright, wide), phase.spacing, within=wide.strain)
        if scale is not None and abs(scale.scale - 1.0) > settings.strain:
            lengths = ", ".join(f"{value * scale.scale:.4f}" for value in phase.lattice[:3])
            return Reason(
                f"the rings disagree with {phase.name}: their spacings are "
                f"{scale.scale - 1.0:+.3%} off (+-{scale.error:.3%}, {scale.pairs} pairs of spots)",
                f"A lattice of {lengths} angstrom would fit; so would a distance or a wavelength "
                "that is as much off. Correct the one that is wrong.",
            )
    turned = LayerIndex(reversed_rotation(spots), instrument, phases, settings)
    other = turned.search(np.zeros(len(spots), dtype=np.bool_), PASSES[0])
    if len(other) >= _LEAST_GRAINS:
        matches = turned.match(other)
        weighed = turned.weigh(other, matches, turned.chance(other))
        count, better = int(weighed.accepted.sum()), int(weighed.explained.sum())
        if count >= _LEAST_GRAINS and better > 2 * explained:
            return Reason(
                f"the sign of omega is wrong: as it is, {explained} of {len(spots)} spots belong "
                f"to grains; turned the other way, {better} do ({count} grains)",
                "Reverse the sense of rotation of the instrument, or check for a mirrored image.",
            )
    return None
