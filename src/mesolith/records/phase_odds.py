"""Which of two phases on one lattice each grain is, and how firmly its spots say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.records.field import Record, nested, quantity
from mesolith.records.grains import Phases


@dataclass(frozen=True, slots=True)
class PhaseOdds(Record):
    """The evidence for the first against the second of two phases, grain by grain.

    ``log_ratio`` is the natural logarithm of how much likelier what was seen of the grain is in
    the first phase than in the second, whatever their shares; it is close to the sum of that of
    ``reflections`` that one phase lacks, of ``intensities`` of those that both show, and of the
    ``lattice`` parameter. ``probability`` is that of ``phase``, the likelier one, shares
    included. ``decided`` where both say so; elsewhere the phase is undecided, and ``phase`` is no
    more than the likelier one.

    ``expected`` and ``found`` count, per grain, reflections that only one phase shows: how many
    would be listed if the grain is of that phase, and how many are.

    ``family_factor`` is how strong each such family is, over what the CIFs say; 0 where nothing of
    them is seen in the whole layer. ``fit_offset`` are lattice parameters that the second phase
    might have been given, relative to the first's, and ``fits`` how many of the grains fit it
    there: the count that fitting both phases one after the other gives.
    """

    plot: ClassVar[tuple[str, str] | None] = ("log_ratio", "grain_id")

    grain_id: IntArray = quantity("grain", shape=("grain",), dtype="int64")
    phase: IntArray = quantity("likelier phase", shape=("grain",), dtype="int64")
    phases: Phases = nested()
    probability: FloatArray = quantity("probability of the likelier phase", shape=("grain",))
    decided: NDArray[np.bool_] = quantity("phase decided", shape=("grain",), dtype="bool")
    log_ratio: FloatArray = quantity(
        "log likelihood ratio of the first against the second phase", shape=("grain",)
    )
    log_ratio_reflections: FloatArray = quantity(
        "that of reflections that one phase lacks", shape=("grain",)
    )
    log_ratio_intensities: FloatArray = quantity(
        "that of intensities of reflections of both", shape=("grain",)
    )
    log_ratio_lattice: FloatArray = quantity("that of the lattice parameter", shape=("grain",))
    expected: FloatArray = quantity("telling reflections that would be listed", shape=("grain",))
    found: IntArray = quantity("telling reflections listed", shape=("grain",), dtype="int64")
    share: float = quantity("share of the second phase", error="share_se")
    share_se: float = quantity("standard error of the share of the second phase")
    lattice_offset: float = quantity("lattice parameter of the second over the first, less one")
    intensity_factor: float = quantity("differences of common intensities over those of the CIFs")
    family: IntArray = quantity(
        "families that tell the phases apart",
        shape=("family", 3),
        dtype="int64",
        components=("h", "k", "l"),
    )
    family_factor: FloatArray = quantity("strength over that of the CIF", shape=("family",))
    family_chance: FloatArray = quantity("share of places that a stranger fills", shape=("family",))
    fit_offset: FloatArray = quantity("lattice parameter tried, relative", shape=("trial",))
    fits: IntArray = quantity("grains that fit it", shape=("trial",), dtype="int64")

    def _check(self) -> None:
        ids, counts = np.unique(self.grain_id, return_counts=True)
        if np.any(counts > 1):
            raise DuplicateError(f"grain ids occur twice: {ids[counts > 1][:5].tolist()}")
        if len(self.phases.name) != 2:
            raise InvalidValueError("PhaseOdds weighs two phases, no more and no less")
        if np.any((self.probability < 0.5 - 1e-9) | (self.probability > 1.0 + 1e-9)):
            raise InvalidValueError("PhaseOdds.probability is that of the likelier phase: 0.5 to 1")

    def __len__(self) -> int:
        return len(self.grain_id)
