"""Which circuit describes the sweeps of a state: the simplest that their residuals ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray
from mesolith.echem.circuit_fit import CircuitFit, Weighting, arcs_of, fit_circuit
from mesolith.echem.circuits import ComplexArray

Sweep = tuple[FloatArray, ComplexArray]

CHOICE = (
    "automatic: resistance in series, no to three depressed arcs, diffusion; lowest information "
    "criterion of Schwarz over up to three sweeps of the state, residuals below 0.2 % of |Z| "
    "counting as none; circuits whose elements the sweeps do not determine are left out"
)
_FLOOR = 0.002  # of abs(Z): instruments are calibrated to that, and no element describes less
_MOST_ARCS = 3
_UNDETERMINED = 1.0  # standard error over value, of resistances and the like
_ALIKE, _NEAR_ONE = 2.0, 0.05  # standard errors; of the exponent
_BEYOND = 3.0
_FREEDOM = 4  # numbers that a fit must leave over


@dataclass(frozen=True, slots=True)
class _Form:
    """A circuit by its parts; ``arcs`` holds "CPE" or "C" for each."""

    inductance: bool
    series: bool
    arcs: tuple[str, ...]
    diffusion: bool

    @property
    def text(self) -> str:
        arcs = [f"p(R{k},{kind}{k})" for k, kind in enumerate(self.arcs, start=1)]
        parts = (["L0"] if self.inductance else []) + (["R0"] if self.series else []) + arcs
        return "-".join(parts + (["W1"] if self.diffusion else []))


@dataclass(frozen=True, slots=True)
class _Judged:
    form: _Form
    fits: tuple[CircuitFit, ...]
    criterion: float


def choose_circuit(sweeps: Sequence[Sweep], *, weighting: Weighting = "modulus") -> str | None:
    """Circuit for all sweeps of one state; None where no circuit is determined by them.

    Up to three sweeps (first, middle, last) choose. With a resistance in series (left out where
    it is lost in the arcs) up to three depressed arcs are tried, then diffusion in place of the
    slowest arc and beside it. An exponent within two errors and 0.05 of one makes its element a
    capacitance. An inductance is tried where the highest frequency lies below the axis. An arc
    must lie within the measured frequencies, or half a decade beyond. The criterion is Schwarz's
    (1978, 10.1214/aos/1176344136), its mean square residual (relative to abs(Z)) enlarged by
    that of 0.2 %.
    """
    if not sweeps:
        return None
    asked = [sweeps[k] for k in sorted({0, len(sweeps) // 2, len(sweeps) - 1})]
    judge = _Judge(asked, weighting)
    inductance = any(float(z[np.argmax(f)].imag) > 0.0 for f, z in asked)

    def form(arcs: int, diffusion: bool) -> _Form:
        return _Form(inductance, True, ("CPE",) * arcs, diffusion)

    plain = [(k, raw) for k in range(_MOST_ARCS + 1) if (raw := judge(form(k, False)))]
    if not plain:
        return None
    most = min(plain, key=lambda entry: entry[1].criterion)[0]
    found = [
        best
        for arcs in range(max(most - 1, 0), most + 1)
        for diffusion in (False, True)
        if (best := judge.simplified(form(arcs, diffusion)))
    ]
    for arcs in range(most - 2, -1, -1):
        if not found and (best := judge.simplified(form(arcs, False))):
            found = [best]
    return min(found, key=lambda judged: judged.criterion).form.text if found else None


class _Judge:
    """Fits forms to the sweeps, each once."""

    def __init__(self, sweeps: list[Sweep], weighting: Weighting) -> None:
        self.sweeps, self.weighting = sweeps, weighting
        self.known: dict[_Form, _Judged | None] = {}

    def __call__(self, form: _Form) -> _Judged | None:
        if form not in self.known:
            self.known[form] = _judged(form, self.sweeps, self.weighting)
        return self.known[form]

    def simplified(self, form: _Form) -> _Judged | None:
        """The form, simplified until its elements are determined; None where they stay lost."""
        while True:
            judged = self(form)
            if judged is None:
                return None
            simpler = _simpler(judged)
            if simpler == form:
                break
            form = simpler
        lost = any(_lost(judged.fits, name) for name in judged.fits[0].circuit.names)
        return None if lost or any(_out_of_sight(fit) for fit in judged.fits) else judged


def _simpler(judged: _Judged) -> _Form:
    """The form without one thing that its fits do not need; itself where they need all."""
    form, fits = judged.form, judged.fits
    if form.series and form.arcs and _lost(fits, "R0"):
        return replace(form, series=False)
    if form.inductance and _lost(fits, "L0"):
        return replace(form, inductance=False)
    for k, kind in enumerate(form.arcs):
        if kind == "CPE" and _is_one(fits, f"CPE{k + 1}_n"):
            return replace(form, arcs=(*form.arcs[:k], "C", *form.arcs[k + 1 :]))
    return form


def _judged(form: _Form, sweeps: list[Sweep], weighting: Weighting) -> _Judged | None:
    fits, criterion = [], 0.0
    for frequency, impedance in sweeps:
        if not fits_into(form.text, len(frequency)):
            return None
        fit = fit_circuit(form.text, frequency, impedance, weighting=weighting)
        numbers = 2 * len(frequency)
        size = np.abs(impedance[np.argsort(-frequency, kind="stable")])
        rest = np.abs(fit.residual) if weighting == "modulus" else np.abs(fit.residual) / size
        mean_square = float(np.sum(rest**2)) / numbers + _FLOOR**2
        criterion += numbers * float(np.log(mean_square))
        criterion += len(fit.values) * float(np.log(numbers))
        fits.append(fit)
    return _Judged(form, tuple(fits), criterion)


def fits_into(text: str, points: int) -> bool:
    """Whether so many points determine the circuit's elements and leave some numbers over."""
    from mesolith.echem.circuits import circuit_from_text

    return 2 * points >= len(circuit_from_text(text).names) + _FREEDOM


def _lost(fits: Sequence[CircuitFit], name: str) -> bool:
    """Whether an element is not determined in most of the fits."""
    return 2 * sum(_is_lost(fit, name) for fit in fits) > len(fits)


def _is_lost(fit: CircuitFit, name: str) -> bool:
    k = fit.circuit.names.index(name)
    kind = fit.circuit.parameters[k].kind
    if kind == "exponent":
        return bool(fit.at_bound[k] and fit.values[k] < 1.0)
    away = kind == "level" and not float(fit.standard_error[k]) <= _UNDETERMINED * fit.values[k]
    return bool(fit.at_bound[k]) or bool(away)


def _out_of_sight(fit: CircuitFit) -> bool:
    """Whether an arc lies where nothing was measured: half a decade beyond the frequencies."""
    fastest, slowest = (1.0 / (2.0 * np.pi * f) for f in (fit.frequency[0], fit.frequency[-1]))
    return any(
        not fastest / _BEYOND <= arc.time_constant <= slowest * _BEYOND for arc in arcs_of(fit)
    )


def _is_one(fits: Sequence[CircuitFit], name: str) -> bool:
    """Whether an exponent cannot be told from one in most of the fits."""
    alike = [
        1.0 - fit.values[k] <= min(_ALIKE * float(fit.standard_error[k]), _NEAR_ONE)
        for fit in fits
        for k in (fit.circuit.names.index(name),)
    ]
    return 2 * sum(alike) > len(alike)
