"""What was found in each layer of a sample, and which finds are parts of one grain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class LayerFinds(Record):
    """Finds of all layers, the grain that each belongs to, and how well parts of grains agree.

    A find is a grain as one layer shows it: what the beam lit of it. ``grain_id`` is that of the
    whole grain. A join is a pair of finds beside a border of two layers that are taken for one
    grain, rows ``lower`` and ``upper`` of the finds; ``turn`` and ``strain`` are the upper part
    against the lower one, and ``turn_se`` and ``strain_se`` what their stated errors make of it.
    Differences of parts are stated errors times a scale, and a real spread within grains beside
    them; of a few parts the errors are wider than that. ``expected_wrong`` and
    ``expected_missed`` count joins by the joins' own probabilities; ``cut_alone`` finds lie so
    near a border that it cuts them, and have no part beyond.
    """

    plot: ClassVar[tuple[str, str] | None] = ("volume", "grain_id")

    layer_z: FloatArray = quantity("middle of the layer", unit="um", shape=("layer",))
    layer: IntArray = quantity("layer, from below", shape=("find",), dtype="int64")
    layer_grain_id: IntArray = quantity("grain in its layer", shape=("find",), dtype="int64")
    grain_id: IntArray = quantity("grain", shape=("find",), dtype="int64")
    volume: FloatArray = quantity("volume of the lit part (um3)", shape=("find",))
    grain_volume: float = quantity("volume of all grains together (um3)")
    lower: IntArray = quantity("find below the border", shape=("join",), dtype="int64")
    upper: IntArray = quantity("find above the border", shape=("join",), dtype="int64")
    probability: FloatArray = quantity("chance that both are one grain", shape=("join",))
    turn: FloatArray = quantity(
        "rotation vector of the upper part against the lower",
        unit="rad",
        shape=("join", 3),
        axes="sample",
        error="turn_se",
        components=("x", "y", "z"),
    )
    turn_se: FloatArray = quantity(
        "standard error of the rotation vector", unit="rad", shape=("join", 3)
    )
    strain: FloatArray = quantity(
        "strain of the upper part against the lower",
        shape=("join", 6),
        axes="sample",
        error="strain_se",
        components=("11", "22", "33", "23", "13", "12"),
    )
    strain_se: FloatArray = quantity("standard error of the strain", shape=("join", 6))
    turn_scale: float = quantity("true over stated errors of orientation")
    turn_scale_se: float = quantity("standard error of that")
    turn_spread: float = quantity("orientation within grains, each component", unit="rad")
    strain_scale: float = quantity("true over stated errors of strain")
    strain_scale_se: float = quantity("standard error of that")
    strain_spread: float = quantity("strain within grains, each component")
    expected_wrong: float = quantity("joins that are expected to be wrong")
    expected_missed: float = quantity("joins that are expected to be missed")
    cut_alone: int = quantity("finds cut by a border without a part beyond", dtype="int64")
    completeness: FloatArray | None = quantity(
        "found share of the expected reflections", shape=("find",), optional=True
    )
    layer_volume: FloatArray | None = quantity(
        "volume of the sample in the layer (um3)", shape=("layer",), optional=True
    )

    def _check(self) -> None:
        for name in ("lower", "upper"):
            rows = getattr(self, name)
            if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
                raise InvalidValueError(f"LayerFinds.{name} points to a find that is not listed")
        if np.any(self.grain_id[self.lower] != self.grain_id[self.upper]):
            raise InvalidValueError("LayerFinds joins finds of two grains")
        if self.layer.size and not 0 <= self.layer.min() <= self.layer.max() < len(self.layer_z):
            raise InvalidValueError("LayerFinds.layer points to a layer that is not listed")

    @property
    def shown_layer(self) -> int:
        """Number, from below, of the layer with the most finds: the one that figures show."""
        return int(np.argmax(np.bincount(self.layer, minlength=len(self.layer_z))))

    @property
    def grains(self) -> int:
        """Number of different grains."""
        return len(np.unique(self.grain_id))

    def __len__(self) -> int:
        return len(self.layer)
