"""Odds of two phases for whole grains, from those of their parts in several layers."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from mesolith.axes import FloatArray
from mesolith.hedm.phase_counts import grains_that_fit
from mesolith.hedm.polymorph import DECISIVE, SURE
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.phase_odds import PhaseOdds

_ADDED = (
    "log_ratio",
    "log_ratio_reflections",
    "log_ratio_intensities",
    "log_ratio_lattice",
    "expected",
    "found",
)


def joined_odds(
    layers: list[PhaseOdds],
    finds: LayerFinds,
    grains: IndexedGrains,
    *,
    tolerance: float,
    sure: float = SURE,
    decisive: float = DECISIVE,
) -> PhaseOdds:
    """The odds of the grains of ``finds``, in the order of ``grains``.

    ``layers`` are numbered as those of the finds are, from below. Each layer has spots of its
    own, so the log ratios of a grain's parts add up; their errors in common, those of structure
    factors, stand in each layer's ratios and are not taken apart. The share is that of all
    layers' finds. ``tolerance`` is the strain within which a grain fits a phase, for the counts.
    """
    rows = np.searchsorted(grains.grain_id, finds.grain_id)
    total = {name: np.zeros(len(grains.grain_id)) for name in _ADDED}
    for layer, odds in enumerate(layers):
        here = np.flatnonzero(finds.layer == layer)
        there = np.searchsorted(odds.grain_id, finds.layer_grain_id[here])
        for name in _ADDED:
            np.add.at(total[name], rows[here], getattr(odds, name)[there])
    count = np.array([len(odds) for odds in layers], dtype=np.float64)
    weight = count / max(count.sum(), 1.0)
    share = float(weight @ [odds.share for odds in layers])
    ratio = total["log_ratio"] - float(logit(np.clip(share, 1e-9, 1.0 - 1e-9)))
    phase = (ratio < 0.0).astype(np.int64)
    probability = expit(np.abs(ratio))
    own_side = np.where(phase == 0, total["log_ratio"], -total["log_ratio"])
    like = layers[int(np.argmax(count))]

    def usual(name: str) -> FloatArray:
        return np.asarray(np.average([getattr(o, name) for o in layers], axis=0, weights=weight))

    return PhaseOdds(
        grain_id=grains.grain_id,
        phase=phase,
        phases=like.phases,
        probability=probability,
        decided=(probability >= sure) & (own_side >= decisive),
        log_ratio=total["log_ratio"],
        log_ratio_reflections=total["log_ratio_reflections"],
        log_ratio_intensities=total["log_ratio_intensities"],
        log_ratio_lattice=total["log_ratio_lattice"],
        expected=total["expected"],
        found=np.rint(total["found"]).astype(np.int64),
        share=share,
        share_se=float(np.sqrt(weight**2 @ [odds.share_se**2 for odds in layers])),
        lattice_offset=float(usual("lattice_offset")),
        intensity_factor=float(usual("intensity_factor")),
        family=like.family,
        family_factor=usual("family_factor"),
        family_chance=usual("family_chance"),
        fit_offset=like.fit_offset,
        fits=grains_that_fit(
            grains.lattice_vectors, like.phases.lattice[0], like.fit_offset, tolerance=tolerance
        ),
    )
