"""What the impedance sweeps of a state say: validity, circuit elements, arcs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mesolith.axes import FloatArray, IntArray
from mesolith.records.field import CommonMode, Record, quantity


@dataclass(frozen=True, slots=True)
class ImpedanceFits(Record):
    """Kramers-Kronig verdict and circuit fit of every sweep of a state, in long tables.

    One row a sweep, an element, a pair of elements (covariance), an arc, and a point. ``*_sweep``
    is the sweep a row belongs to. ``verdict`` is "valid", "violated" or "unclear"; ``fitted`` is
    false where no fit was possible, and ``note`` says why. Values of elements stand in their own
    ``element_unit``; their intervals are Student's t, symmetric in the logarithm (exponents: in
    themselves). An arc's ``arc_role`` is "bulk", "grain boundary" or "interface" by its
    capacitance, "series" for the resistance in series, "unknown" where area or thickness is
    missing. ``arc_areal_resistance`` is NaN without an area, whose error is the common mode.
    """

    plot: ClassVar[tuple[str, str] | None] = ("point_minus_imaginary", "point_real")

    sweep: IntArray = quantity("sweep of the state, from 0", shape=("sweep",), dtype="int64")
    time: FloatArray = quantity(
        "time of its first reading, seconds since 1970 UTC, NaN if unknown",
        unit="s",
        shape=("sweep",),
    )
    points: IntArray = quantity("frequencies", shape=("sweep",), dtype="int64")
    highest: FloatArray = quantity("highest frequency", unit="Hz", shape=("sweep",))
    lowest: FloatArray = quantity("lowest frequency", unit="Hz", shape=("sweep",))
    verdict: tuple[str, ...] = quantity(
        "Kramers-Kronig verdict: valid, violated or unclear", shape=("sweep",), dtype="str"
    )
    p_value: FloatArray = quantity(
        "probability of parts that disagree as much by noise alone", shape=("sweep",)
    )
    disagreement: FloatArray = quantity(
        "disagreement of real and imaginary part, relative to abs(Z)", shape=("sweep",)
    )
    noise: FloatArray = quantity("noise of each part, relative to abs(Z)", shape=("sweep",))
    fitted: IntArray = quantity("1 where a circuit was fitted", shape=("sweep",), dtype="int64")
    misfit: FloatArray = quantity(
        "root mean square residual of the circuit, relative to abs(Z)", shape=("sweep",)
    )
    inflation: FloatArray = quantity(
        "factor on the errors for residuals that hang together", shape=("sweep",)
    )
    direct: FloatArray = quantity(
        "resistance at zero frequency, without half-infinite diffusion",
        unit="ohm",
        shape=("sweep",),
        error="direct_se",
    )
    direct_se: FloatArray = quantity(
        "standard error of the resistance at zero frequency", unit="ohm", shape=("sweep",)
    )
    ohmic: FloatArray = quantity(
        "ohmic resistance: in series, bulk and grain boundaries",
        unit="ohm",
        shape=("sweep",),
        error="ohmic_se",
    )
    ohmic_se: FloatArray = quantity(
        "standard error of the ohmic resistance", unit="ohm", shape=("sweep",)
    )
    note: tuple[str, ...] = quantity(
        "what a reader must know of the fit", shape=("sweep",), dtype="str"
    )

    element_sweep: IntArray = quantity("sweep", shape=("element",), dtype="int64")
    element_name: tuple[str, ...] = quantity("element", shape=("element",), dtype="str")
    element_unit: tuple[str, ...] = quantity("unit", shape=("element",), dtype="str")
    element_value: FloatArray = quantity(
        "value, in its unit", shape=("element",), error="element_value_se"
    )
    element_value_se: FloatArray = quantity("standard error", shape=("element",))
    element_low68: FloatArray = quantity("lower end, 68 %", shape=("element",))
    element_high68: FloatArray = quantity("upper end, 68 %", shape=("element",))
    element_low95: FloatArray = quantity("lower end, 95 %", shape=("element",))
    element_high95: FloatArray = quantity("upper end, 95 %", shape=("element",))
    element_at_bound: IntArray = quantity(
        "1 where it was held at a bound or ran away", shape=("element",), dtype="int64"
    )

    pair_sweep: IntArray = quantity("sweep", shape=("pair",), dtype="int64")
    pair_first: tuple[str, ...] = quantity("element", shape=("pair",), dtype="str")
    pair_second: tuple[str, ...] = quantity("element", shape=("pair",), dtype="str")
    pair_covariance: FloatArray = quantity(
        "covariance, in the product of their units", shape=("pair",)
    )

    arc_sweep: IntArray = quantity("sweep", shape=("arc",), dtype="int64")
    arc_name: tuple[str, ...] = quantity("resistance of the arc", shape=("arc",), dtype="str")
    arc_role: tuple[str, ...] = quantity(
        "series, bulk, grain boundary, interface or unknown", shape=("arc",), dtype="str"
    )
    arc_resistance: FloatArray = quantity(
        "resistance", unit="ohm", shape=("arc",), error="arc_resistance_se"
    )
    arc_resistance_se: FloatArray = quantity("standard error", unit="ohm", shape=("arc",))
    arc_low68: FloatArray = quantity("lower end, 68 %", unit="ohm", shape=("arc",))
    arc_high68: FloatArray = quantity("upper end, 68 %", unit="ohm", shape=("arc",))
    arc_low95: FloatArray = quantity("lower end, 95 %", unit="ohm", shape=("arc",))
    arc_high95: FloatArray = quantity("upper end, 95 %", unit="ohm", shape=("arc",))
    arc_areal_resistance: FloatArray = quantity(
        "area-specific resistance, area's error apart", unit="ohm m2", shape=("arc",)
    )
    arc_time_constant: FloatArray = quantity(
        "time constant, NaN for a resistance alone",
        unit="s",
        shape=("arc",),
        error="arc_time_constant_se",
    )
    arc_time_constant_se: FloatArray = quantity("standard error", unit="s", shape=("arc",))
    arc_capacitance: FloatArray = quantity(
        "capacitance (F), NaN for a resistance alone",
        shape=("arc",),
        error="arc_capacitance_se",
    )
    arc_capacitance_se: FloatArray = quantity("standard error (F)", shape=("arc",))

    point_sweep: IntArray = quantity("sweep", shape=("point",), dtype="int64")
    point_frequency: FloatArray = quantity("frequency", unit="Hz", shape=("point",))
    point_real: FloatArray = quantity("Re Z, measured", unit="ohm", shape=("point",))
    point_minus_imaginary: FloatArray = quantity("-Im Z, measured", unit="ohm", shape=("point",))
    point_fit_real: FloatArray = quantity(
        "Re Z of the circuit, NaN without a fit", unit="ohm", shape=("point",)
    )
    point_fit_minus_imaginary: FloatArray = quantity(
        "-Im Z of the circuit, NaN without a fit", unit="ohm", shape=("point",)
    )
    point_kk_real: FloatArray = quantity(
        "Kramers-Kronig residual of Re Z over abs(Z)", shape=("point",)
    )
    point_kk_imaginary: FloatArray = quantity(
        "Kramers-Kronig residual of Im Z over abs(Z)", shape=("point",)
    )

    circuit: str = quantity("circuit of the state's fits, empty without one", dtype="str")
    circuit_choice: str = quantity("how the circuit was chosen, in words", dtype="str")
    tolerance: float = quantity(
        "disagreement below which a spectrum passes the Kramers-Kronig test, relative to abs(Z)"
    )
    common_modes: tuple[CommonMode, ...] = ()
