"""Step echem.impedance: Kramers-Kronig verdict and circuit fit of every sweep of one state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.circuit_choice import CHOICE, choose_circuit, fits_into
from mesolith.echem.circuit_fit import (
    Arc,
    CircuitFit,
    Weighting,
    arcs_of,
    direct_resistance,
    fit_circuit,
    role_of_capacitance,
)
from mesolith.echem.circuits import AUTO, ComplexArray, check_circuit
from mesolith.echem.kramers_kronig import KramersKronig, kramers_kronig_test
from mesolith.echem.whole_cell import area_of, area_remarks, scaling_mode
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.cycling import Cycling, Impedance
from mesolith.records.field import quantities
from mesolith.records.spectra import ImpedanceFits

OHMIC_ROLES = ("series", "bulk", "grain boundary")
_POOR = 0.05  # of abs(Z): a circuit that misses by more describes something else
_NAN = float("nan")


def compute(work: Work) -> None:
    """Write the `ImpedanceFits` of one state, with remarks; no rows where it has no sweeps."""
    spectra = read_record(work.source("echem.read").record_file, Cycling).impedance
    settings = work.settings
    area, thickness = area_of(settings), settings.get("cell.thickness_um")
    geometry = None
    if settings.get("cell.area_mm2") is not None and thickness is not None:
        geometry = Geometry(float(thickness), float(settings["cell.area_mm2"]))
    found = fits_of_impedance(
        spectra,
        circuit=str(settings["echem.circuit"]),
        weighting=settings["echem.weighting"],
        tolerance=float(settings["echem.kramers_kronig_tolerance"]),
        geometry=geometry,
        area_m2=area.square_metre,
        area_se_m2=area.standard_error,
    )
    write_record(work.folder / "record.h5", found)
    write_remarks(work.folder, _remarks(found, settings, work.label, geometry))


def cost(work: Work) -> Cost:
    """A choice of a circuit, and fits: two seconds."""
    return Cost(seconds=2.0)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Thickness (um) and area (mm2) of the electrolyte: by them arcs get their roles."""

    thickness_um: float
    area_mm2: float


@dataclass(frozen=True, slots=True)
class _Swept:
    """One sweep: its rows that can be used, and how many cannot."""

    number: int
    time: float
    frequency: FloatArray
    impedance: ComplexArray
    left_out: int


def fits_of_impedance(
    spectra: Impedance | None,
    *,
    circuit: str = AUTO,
    weighting: Weighting = "modulus",
    tolerance: float = 0.005,
    geometry: Geometry | None = None,
    area_m2: float | None = None,
    area_se_m2: float = 0.0,
) -> ImpedanceFits:
    """Validity, circuit elements with covariance, and arcs of every sweep.

    Parameters
    ----------
    spectra
        Sweeps of one state; None: a record without rows.
    circuit
        A circuit (see `mesolith.echem.circuits`) for all sweeps, or "auto": see
        `mesolith.echem.circuit_choice.choose_circuit`. Sweeps that satisfy Kramers and Kronig
        choose; the others do where there are none.
    weighting, tolerance
        See `fit_circuit` and `kramers_kronig_test`.
    geometry
        By it an arc is bulk, grain boundary or interface; None: its role is unknown.
    area_m2, area_se_m2
        For resistances per area; None: they are NaN.

    A sweep that violates Kramers-Kronig is fitted all the same; its note says so.
    Raises `InvalidValueError` for a circuit that cannot be read.
    """
    check_circuit(circuit)
    sweeps = [] if spectra is None else _sweeps(spectra)
    tests = [
        kramers_kronig_test(s.frequency, s.impedance, tolerance=tolerance)
        if len(s.frequency)
        else None
        for s in sweeps
    ]
    text: str | None = circuit
    if circuit == AUTO:
        valid = [s for s, t in zip(sweeps, tests, strict=True) if t and t.verdict == "valid"]
        asked = valid or [s for s in sweeps if len(s.frequency)]
        text = choose_circuit([(s.frequency, s.impedance) for s in asked], weighting=weighting)
    rows = _Rows(area_m2, geometry)
    for sweep, test in zip(sweeps, tests, strict=True):
        fit = None
        if text is not None and fits_into(text, len(sweep.frequency)):
            fit = fit_circuit(text, sweep.frequency, sweep.impedance, weighting=weighting)
        rows.add(sweep, test, fit)
    relative = 0.0 if area_m2 is None else area_se_m2 / area_m2
    arrays = rows.arrays()
    return ImpedanceFits(
        **arrays,
        circuit=text if text is not None and any(rows.columns["fitted"]) else "",
        circuit_choice=CHOICE if circuit == AUTO else "given as echem.circuit",
        tolerance=tolerance,
        common_modes=scaling_mode(
            "area", relative, {"arc_areal_resistance": arrays["arc_areal_resistance"]}
        ),
    )


def _sweeps(spectra: Impedance) -> list[_Swept]:
    found = []
    for number in np.unique(spectra.sweep):
        rows = spectra.sweep == number
        f = np.asarray(spectra.frequency[rows])
        z = spectra.real[rows] + 1j * spectra.imaginary[rows]
        good = np.isfinite(z) & (z != 0.0) & np.isfinite(f) & (f > 0.0)
        order = np.argsort(-f[good], kind="stable")
        time = float(spectra.time[rows][0])
        left_out = int(np.sum(~good))
        found.append(_Swept(int(number), time, f[good][order], z[good][order], left_out))
    return found


@dataclass(slots=True)
class _Rows:
    """The long tables as they grow, column by column."""

    area_m2: float | None
    geometry: Geometry | None
    columns: dict[str, list[Any]] = field(
        default_factory=lambda: {
            name: [] for name, declared in quantities(ImpedanceFits).items() if declared.shape
        }
    )

    def arrays(self) -> dict[str, Any]:
        """Columns as the record wants them."""
        kinds = {name: quantities(ImpedanceFits)[name].dtype for name in self.columns}
        return {
            name: tuple(values) if kinds[name] == "str" else np.array(values, dtype=kinds[name])
            for name, values in self.columns.items()
        }

    def add(self, sweep: _Swept, test: KramersKronig | None, fit: CircuitFit | None) -> None:
        """Rows of one sweep in every table."""
        arcs = [] if fit is None else self._arcs(sweep.number, fit)
        ohmic, ohmic_se = _ohmic(fit, arcs)
        direct, direct_se = (_NAN, _NAN) if fit is None else direct_resistance(fit)
        f = sweep.frequency
        self._row(
            sweep=sweep.number,
            time=sweep.time,
            points=len(f),
            highest=float(f[0]) if len(f) else _NAN,
            lowest=float(f[-1]) if len(f) else _NAN,
            verdict="unclear" if test is None else test.verdict,
            p_value=_NAN if test is None else test.p_value,
            disagreement=_NAN if test is None else test.disagreement,
            noise=_NAN if test is None else test.noise,
            fitted=int(fit is not None),
            misfit=_NAN if fit is None else _misfit(fit, sweep),
            inflation=_NAN if fit is None else fit.inflation,
            direct=direct,
            direct_se=direct_se,
            ohmic=ohmic,
            ohmic_se=ohmic_se,
            note=_note(sweep, test, fit),
        )
        if fit is not None:
            self._elements(sweep.number, fit)
        self._points(sweep, test, fit)

    def _row(self, **values: Any) -> None:
        for name, value in values.items():
            self.columns[name].append(value)

    def _elements(self, number: int, fit: CircuitFit) -> None:
        low68, high68 = fit.interval(0.68).T
        low95, high95 = fit.interval(0.95).T
        names = fit.circuit.names
        for k, parameter in enumerate(fit.circuit.parameters):
            self._row(
                element_sweep=number,
                element_name=parameter.name,
                element_unit=parameter.unit,
                element_value=fit.values[k],
                element_value_se=fit.standard_error[k],
                element_low68=low68[k],
                element_high68=high68[k],
                element_low95=low95[k],
                element_high95=high95[k],
                element_at_bound=int(fit.at_bound[k]),
            )
            for other in range(k + 1):
                self._row(
                    pair_sweep=number,
                    pair_first=parameter.name,
                    pair_second=names[other],
                    pair_covariance=fit.covariance[k, other],
                )

    def _arcs(self, number: int, fit: CircuitFit) -> list[tuple[str, str]]:
        """Add the rows of the arcs; (name, role) of each."""
        low68, high68 = fit.interval(0.68).T
        low95, high95 = fit.interval(0.95).T
        series = [block for block in fit.circuit.blocks if block.kind == "R"]
        alone = [fit.circuit.names[block.first] for block in series]
        errors = fit.standard_error
        found: list[tuple[Arc, str]] = [
            (Arc(name, fit.value(name), float(errors[k]), _NAN, _NAN, _NAN, _NAN), "series")
            for name in alone
            for k in (fit.circuit.names.index(name),)
        ]
        found += [(arc, self._role(arc)) for arc in arcs_of(fit)]
        for arc, role in found:
            k = fit.circuit.names.index(arc.name)
            self._row(
                arc_sweep=number,
                arc_name=arc.name,
                arc_role=role,
                arc_resistance=arc.resistance,
                arc_resistance_se=arc.resistance_se,
                arc_low68=low68[k],
                arc_high68=high68[k],
                arc_low95=low95[k],
                arc_high95=high95[k],
                arc_areal_resistance=_NAN
                if self.area_m2 is None
                else arc.resistance * self.area_m2,
                arc_time_constant=arc.time_constant,
                arc_time_constant_se=arc.time_constant_se,
                arc_capacitance=arc.capacitance,
                arc_capacitance_se=arc.capacitance_se,
            )
        return [(arc.name, role) for arc, role in found]

    def _role(self, arc: Arc) -> str:
        if self.geometry is None:
            return "unknown"
        return role_of_capacitance(
            arc.capacitance,
            thickness_um=self.geometry.thickness_um,
            area_mm2=self.geometry.area_mm2,
        )

    def _points(self, sweep: _Swept, test: KramersKronig | None, fit: CircuitFit | None) -> None:
        f, z = sweep.frequency, sweep.impedance
        model = np.full(len(f), complex(_NAN, _NAN))
        if fit is not None:
            model = fit.circuit.impedance(f, fit.values)
        judged = test is not None and np.isfinite(test.p_value)
        for k in range(len(f)):
            self._row(
                point_sweep=sweep.number,
                point_frequency=f[k],
                point_real=z[k].real,
                point_minus_imaginary=-z[k].imag,
                point_fit_real=model[k].real,
                point_fit_minus_imaginary=-model[k].imag,
                point_kk_real=test.residual[k].real if judged and test else _NAN,
                point_kk_imaginary=test.residual[k].imag if judged and test else _NAN,
            )


def _misfit(fit: CircuitFit, sweep: _Swept) -> float:
    model = fit.circuit.impedance(sweep.frequency, fit.values)
    relative = np.abs(model - sweep.impedance) / np.abs(sweep.impedance)
    return float(np.sqrt(np.sum(relative**2) / max(fit.freedom, 1)))


def _ohmic(fit: CircuitFit | None, arcs: list[tuple[str, str]]) -> tuple[float, float]:
    """What answers at once: in series, bulk, grain boundaries; NaN where none is told apart."""
    names = [name for name, role in arcs if role in OHMIC_ROLES]
    if fit is None or not names:
        return _NAN, _NAN
    places = [fit.circuit.names.index(name) for name in names]
    variance = float(np.sum(fit.covariance[np.ix_(places, places)]))
    error = float(np.sqrt(max(variance, 0.0))) if np.isfinite(variance) else float("inf")
    return float(np.sum(fit.values[places])), error


def _note(sweep: _Swept, test: KramersKronig | None, fit: CircuitFit | None) -> str:
    words: list[str] = []
    if sweep.left_out:
        words.append(f"{sweep.left_out} points without a value are left out")
    if test is None or not np.isfinite(test.p_value):
        words.append(f"{len(sweep.frequency)} points are too few for a Kramers-Kronig test")
    elif test.verdict == "violated":
        words.append(
            "real and imaginary part are not those of one steady linear cell: the fit describes "
            "no state of it"
        )
    if fit is None:
        words.append("no circuit is determined by so few points or such a shape")
    elif not fit.converged:
        words.append("the fit did not converge")
    elif _misfit(fit, sweep) > _POOR:
        words.append(f"the circuit misses by {_misfit(fit, sweep):.0%} of |Z|")
    return "; ".join(words)


def _remarks(
    found: ImpedanceFits, settings: Mapping[str, Any], label: str, geometry: Geometry | None
) -> list[Remark]:
    if not len(found.sweep):
        return []
    where = f"impedance of state {label!r}"
    remarks = area_remarks(settings, "values per area")
    if geometry is None:
        text = (
            "cell.area_mm2 or cell.thickness_um is not given: arcs are not told apart as bulk, "
            "grain boundary and interface"
        )
        remarks.append(Remark("note", "impedance", text))
    kinds: tuple[tuple[str, Callable[[int], bool], str], ...] = (
        (
            "warning",
            lambda k: found.verdict[k] == "violated",
            "sweeps fail the Kramers-Kronig test: their circuit elements are no result",
        ),
        ("gap", lambda k: not found.fitted[k], "sweeps have no circuit fit"),
        (
            "warning",
            lambda k: found.misfit[k] > _POOR,
            f"sweeps are missed by the circuit {found.circuit} by more than {_POOR:.0%} of |Z|",
        ),
    )
    for level, is_so, text in kinds:
        count = sum(1 for k in range(len(found.sweep)) if is_so(k))
        if count:
            remarks.append(Remark(level, where, f"{count} of {len(found.sweep)} {text}"))
    return remarks
