"""The strain-free lattice of a cell and how well it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.records.field import Record, quantity


@dataclass(frozen=True, slots=True)
class Reference(Record):
    """Strain-free lattices from mechanical equilibrium, one row a state, with their errors.

    The lattice of every phase is ``start`` (the files' own, or the materials' where ``mode`` is
    "given") times 1 + ``dilatation``. Where one reference serves the whole cell the rows are
    equal. ``mean_*_variance`` are parts of the variance of a state's weighted mean hydrostatic
    stress before any correction; the error of the reference is their mean over the states (all
    independent between states).
    ``imbalance`` is what is left of the mean hydrostatic stress of a state above its target, a
    test of drift; it is zero by construction where each state has a reference of its own.
    """

    state: tuple[str, ...] = quantity("state", shape=("state",), dtype="str")
    phase: tuple[str, ...] = quantity("phase", shape=("phase",), dtype="str")
    start: FloatArray = quantity(
        "lattice started from: a b c (angstrom), alpha beta gamma (rad)", shape=("phase", 6)
    )
    lattice: FloatArray = quantity(
        "strain-free lattice: a b c (angstrom), alpha beta gamma (rad)",
        shape=("state", "phase", 6),
    )
    dilatation: FloatArray = quantity(
        "dilatation of the strain-free lattice against the one started from",
        shape=("state",),
        error="dilatation_se",
    )
    dilatation_se: FloatArray = quantity("standard error of the dilatation", shape=("state",))
    radial_se: FloatArray = quantity(
        "standard deviation of the dilatation for the unknown radial stress of a die",
        shape=("state",),
    )
    stiffness_bulk: FloatArray = quantity(
        "fall of a state's mean hydrostatic stress per unit dilatation of the reference",
        unit="MPa",
        shape=("state",),
    )
    pressure: FloatArray = quantity("stack pressure", unit="MPa", shape=("state",))
    pressure_source: str = quantity('"given" or "assumed"', dtype="str")
    target: FloatArray = quantity(
        "mean stress that equilibrium asks of the solid",
        unit="MPa",
        shape=("state", 3, 3),
        axes="sample",
    )
    shift: FloatArray = quantity(
        "uniform stress added so that all six components balance",
        unit="MPa",
        shape=("state", 3, 3),
        axes="sample",
    )
    imbalance: FloatArray = quantity(
        "mean hydrostatic stress above its target",
        unit="MPa",
        shape=("state",),
        error="imbalance_se",
    )
    imbalance_se: FloatArray = quantity(
        "standard error of the imbalance if nothing drifts", unit="MPa", shape=("state",)
    )
    drift_sigma: float = quantity("standard deviation of a state's uniform dilatation by drift")
    mean_noise_variance: FloatArray = quantity(
        "noise part of the variance of a state's mean (MPa2)", shape=("state",)
    )
    mean_volume_variance: FloatArray = quantity(
        "part from the errors of the volumes (MPa2)", shape=("state",)
    )
    mean_sampling_variance: FloatArray = quantity(
        "part from the grains that were not found (MPa2)", shape=("state",)
    )
    target_variance: FloatArray = quantity(
        "variance of the target, from pores and pressure (MPa2)", shape=("state",)
    )
    radius_scatter: float = quantity("relative random error of a radius")
    radius_source: str = quantity('"estimated" from tracked pairs or "assumed"', dtype="str")
    lost_share: FloatArray = quantity("share of the grains that was not found", shape=("state",))
    indexed_share: FloatArray = quantity(
        "volume of the found grains over that of the pellet, NaN where unknown", shape=("state",)
    )
    noise_position: float = quantity(
        "upper bound of a position's standard error from tracked pairs, NaN without", unit="um"
    )
    noise_orientation: float = quantity(
        "upper bound of a rotation vector's standard error (rad), NaN without", unit="rad"
    )
    noise_strain: float = quantity(
        "upper bound of a strain component's standard error from tracked pairs, NaN without"
    )
    mode: str = quantity('one reference for the "cell", one per "state", or "given"', dtype="str")
    equilibrium: str = quantity('"hydrostatic" or "all" six components', dtype="str")
    lateral: str = quantity('sides of the pellet: "free" or "confined"', dtype="str")
    lit_share: FloatArray | None = quantity(
        "volume in the beam over that of the pellet, NaN where unknown",
        shape=("state",),
        optional=True,
    )
    noise_freedom: float | None = quantity(
        "degrees of freedom of the noise's tails (Student's t) from tracked pairs, infinite where "
        "normal or unknown",
        optional=True,
    )

    def _check(self) -> None:
        for name in ("lattice", "dilatation", "dilatation_se"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InvalidValueError(f"Reference.{name} holds NaN or infinity")

    def row(self, state: str) -> int:
        """Row of a state."""
        try:
            return self.state.index(state)
        except ValueError:
            raise InvalidValueError(
                f"the reference knows no state {state!r}",
                remedy=f"States: {', '.join(self.state)}.",
            ) from None
