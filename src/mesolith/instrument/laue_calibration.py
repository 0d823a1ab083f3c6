"""A white-beam panel after its calibration, as a record that results keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument.instrument import Instrument
from mesolith.records.field import Record, nested, quantity

_SIGNIFICANT = 5.0


@dataclass(frozen=True, slots=True)
class LaueCalibration(Record):
    """A white-beam panel after calibration on a strain-free crystal.

    ``name`` are `PANEL_PARAMETERS`; ``change`` is how far each moved from the start, um, px,
    rad, and ``covariance`` that of the five. ``scatter`` is the mean squared residual over the
    stated one, with which the covariance is multiplied already. ``reciprocal`` holds a*, b*, c*
    of the crystal as columns. One row a spot: ``peak`` is its row in the list, ``residual``
    observed minus predicted, ``weight`` what it counted. ``aspect`` is the excess of the pitch
    along slow over that along fast, relative to what the panel states.
    """

    plot: ClassVar[tuple[str, str] | None] = None

    instrument: Instrument = nested()
    name: tuple[str, ...] = quantity("parameter", shape=("parameter",), dtype="str")
    change: FloatArray = quantity(
        "change of each parameter", shape=("parameter",), error="covariance"
    )
    covariance: FloatArray = quantity(
        "covariance of the parameters", shape=("parameter", "parameter")
    )
    scatter: float = quantity("mean squared residual over the stated")
    aspect: float = quantity("excess of the pitch along slow", error="aspect_error")
    aspect_error: float = quantity("standard error of the aspect")
    reciprocal: FloatArray = quantity(
        "a*, b*, c* as columns, 1/angstrom", shape=(3, 3), axes="laboratory"
    )
    peaks: int = quantity("peaks in the list", dtype="int64")
    peak: IntArray = quantity("row of the peak", shape=("spot",), dtype="int64")
    hkl: IntArray = quantity(
        "indices", shape=("spot", 3), dtype="int64", components=("h", "k", "l")
    )
    residual: FloatArray = quantity(
        "observed minus predicted",
        unit="px",
        shape=("spot", 2),
        components=("fast", "slow"),
    )
    weight: FloatArray = quantity("weight in the fit", shape=("spot",))

    def standard_error(self, name: str) -> FloatArray | None:
        """Standard errors of the parameters, from the diagonal of the covariance."""
        if name == "change":
            return np.sqrt(np.diagonal(self.covariance))
        return Record.standard_error(self, name)

    @property
    def mean_distance(self) -> float:
        """Mean distance between peaks and where they should be, px."""
        return float(np.linalg.norm(self.residual, axis=1).mean())


def aspect_remark(calibration: LaueCalibration) -> str | None:
    """What the residuals say against square pixels, in one sentence; None where nothing.

    How large pixels are hides in the distance; that they are longer one way does not.
    """
    aspect, error = calibration.aspect, calibration.aspect_error
    if abs(aspect) < _SIGNIFICANT * error:
        return None
    slow, fast = calibration.instrument.panels[0].pitch
    return (
        f"the spots ask for pixels whose pitch along slow over that along fast is "
        f"{slow / fast * (1.0 + aspect):.5f} +- {error:.5f}, where {slow / fast:.5f} is told: "
        "the pixel size of one axis is wrong"
    )
