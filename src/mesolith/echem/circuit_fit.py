"""Circuits fitted to spectra: elements with covariance, and arcs named by their capacitance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.echem.circuits import Circuit, ComplexArray, Node, circuit_from_text, node_impedance
from mesolith.errors import InvalidValueError
from mesolith.numerics.leastsquares import LeastSquares, fit_least_squares

Weighting = Literal["modulus", "unit"]

_DRAWS, _REFINED = 400, 6
_LOWEST_EXPONENT = 0.3
_DECADES_BEYOND = 0.5  # time constants are first looked for that far outside the measured range
_WIDEST = np.log(1e12)  # no element leaves its first guess by more than this factor
_SIGNIFICANT = 2.0  # lag-one correlation in units of its own error
_SEED = 1_890


@dataclass(frozen=True, slots=True)
class CircuitFit:
    """One circuit fitted to one spectrum.

    ``values`` and ``covariance`` (p,), (p, p) in the units of ``circuit.parameters``. The
    covariance is that of scattered residuals times ``inflation`` squared, which is above one where
    neighbouring residuals agree in sign: the circuit does not describe the spectrum to its noise.
    ``residual`` is (measured - fitted) times the weight, complex, (n,); ``noise`` its root mean
    square per real number: relative to abs(Z) for weighting "modulus", in ohm for "unit".
    ``at_bound`` marks exponents held at a bound and elements that ran away.
    """

    circuit: Circuit
    weighting: Weighting
    frequency: FloatArray
    values: FloatArray
    covariance: FloatArray
    inflation: float
    noise: float
    freedom: int
    residual: ComplexArray
    at_bound: NDArray[np.bool_]
    converged: bool

    @property
    def standard_error(self) -> FloatArray:
        """Standard errors, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

    def value(self, name: str) -> float:
        """Value of one parameter, such as "CPE1_n"."""
        return float(self.values[self.circuit.names.index(name)])

    def interval(self, level: float = 0.68) -> FloatArray:
        """Lower and upper end of each parameter's interval, shape (p, 2), by Student's t.

        Symmetric in the logarithm, exponents of CPE in themselves and cut at one.
        """
        from scipy.special import stdtrit

        t = float(stdtrit(self.freedom, 0.5 + 0.5 * level))
        ends = np.empty((len(self.values), 2))
        for k, parameter in enumerate(self.circuit.parameters):
            value, half = float(self.values[k]), t * float(self.standard_error[k])
            if parameter.kind == "exponent":
                ends[k] = value - half, min(value + half, 1.0)
            else:
                factor = np.exp(min(half / value, _WIDEST))
                ends[k] = value / factor, value * factor
        return ends


def fit_circuit(
    circuit: Circuit | str,
    frequency: FloatArray,
    impedance: ComplexArray,
    *,
    weighting: Weighting = "modulus",
    start: FloatArray | None = None,
) -> CircuitFit:
    """Least squares of a circuit on one spectrum, real and imaginary parts together.

    Parameters
    ----------
    circuit
        A circuit or its string (see `mesolith.echem.circuits`).
    frequency, impedance
        Hz and ohm (complex, Im below zero for a capacitance), shape (n,), any order.
    weighting
        "modulus": errors in proportion to abs(Z), alike in both parts; "unit": errors the same
        everywhere. The size of the errors comes from the residuals.
    start
        First guess of all parameters. Without it guesses are drawn over the measured range of
        time constants, their sizes solved for linearly, and the best refined; the same spectrum
        gives the same answer. Arcs of one kind are then put in order of their time constants,
        the fastest first.

    Raises `InvalidValueError` for spectra with too few points or values that are not finite.
    """
    known = circuit_from_text(circuit) if isinstance(circuit, str) else circuit
    f = np.asarray(frequency, dtype=np.float64)
    z = np.asarray(impedance, dtype=np.complex128)
    _check_spectrum(f, z)
    order = np.argsort(-f, kind="stable")
    f, z = f[order], z[order]
    weight = 1.0 / np.abs(z) if weighting == "modulus" else np.ones(len(z))
    problem = _Problem(known, f, z, weight)
    if start is not None:
        values = np.asarray(start, dtype=np.float64)
        if values.shape != (len(known.names),) or not np.all(values > 0.0):
            raise InvalidValueError(
                f"{len(values)} starting values for the {len(known.names)} parameters "
                f"{', '.join(known.names)} of {known.text}, or some not above zero"
            )
        found = problem.refine(values)
    else:
        ends = [problem.refine(guess) for guess in problem.guesses()]
        best = min(ends, key=lambda end: end.variance)
        found = problem.refine(_in_order(known, problem.natural(best.values)))
    return problem.result(found, weighting)


def _check_spectrum(frequency: FloatArray, impedance: ComplexArray) -> None:
    if frequency.shape != impedance.shape or frequency.ndim != 1:
        raise InvalidValueError(
            f"{len(frequency)} frequencies beside {len(impedance)} impedances",
        )
    if not (np.all(np.isfinite(impedance)) and np.all(frequency > 0.0) and np.all(impedance != 0)):
        raise InvalidValueError(
            "a spectrum holds values that are not finite, or a frequency or impedance of zero",
            remedy="Leave these points out.",
        )


class _Problem:
    """Weighted residuals of a circuit in coordinates without scale: logarithms, and exponents."""

    def __init__(
        self, circuit: Circuit, frequency: FloatArray, impedance: ComplexArray, weight: FloatArray
    ) -> None:
        self.circuit, self.f, self.z, self.weight = circuit, frequency, impedance, weight
        self.exponent = np.array([p.kind == "exponent" for p in circuit.parameters])

    def natural(self, coordinates: FloatArray) -> FloatArray:
        values = coordinates.copy()
        values[~self.exponent] = np.exp(coordinates[~self.exponent])
        return values

    def slopes(self, values: FloatArray) -> FloatArray:
        """Derivative of each parameter by its coordinate."""
        return np.where(self.exponent, 1.0, values)

    def model(self, coordinates: FloatArray) -> tuple[FloatArray, FloatArray]:
        values = self.natural(coordinates)
        found, derivatives = self.circuit.impedance_and_derivatives(self.f, values)
        residual = (found - self.z) * self.weight
        jacobian = derivatives * (self.weight * self.slopes(values)[:, None])
        return _as_real(residual), _as_real(jacobian).T

    def refine(self, values: FloatArray) -> LeastSquares:
        start = np.where(self.exponent, values, np.log(values))
        lower = np.where(self.exponent, _LOWEST_EXPONENT, start - _WIDEST)
        upper = np.where(self.exponent, 1.0, start + _WIDEST)
        return fit_least_squares(self.model, start, lower=lower, upper=upper)

    def guesses(self) -> list[FloatArray]:
        """The best of many drawn shapes, the size of each block solved for without signs."""
        from scipy.optimize import nnls

        rng = np.random.default_rng(_SEED)
        data = _as_real(self.z * self.weight)
        largest = float(np.max(np.abs(self.z)))
        ranked: list[tuple[float, int, FloatArray]] = []
        for draw in range(_DRAWS):
            values = self._shape(rng)
            columns = [
                _as_real(node_impedance(block, self.f, values)[0] * self.weight)
                for block in self.circuit.blocks
            ]
            levels, distance = nnls(np.stack(columns, axis=1), data)
            sizes = np.array([float(np.linalg.norm(column)) for column in columns])
            # a block that got nothing starts small, not at zero
            floor = 1e-3 * float(np.linalg.norm(data)) / sizes
            levels = np.maximum(levels, np.minimum(floor, largest / sizes))
            for block, level in zip(self.circuit.blocks, levels, strict=True):
                self._scale(block, float(level), values)
            ranked.append((float(distance), draw, values))
        ranked.sort(key=lambda entry: entry[:2])
        return [values for _, _, values in ranked[:_REFINED]]

    def _shape(self, rng: np.random.Generator) -> FloatArray:
        """Parameters of size one in ohm, with time constants drawn over the measured range."""
        low, high = np.log(1.0 / (2.0 * np.pi * np.array([self.f.max(), self.f.min()])))
        beyond = _DECADES_BEYOND * np.log(10.0)
        values = np.ones(len(self.circuit.parameters))
        self._draw(self.circuit.root, (low - beyond, high + beyond), rng, values)
        return values

    def _draw(
        self,
        node: Node,
        span: tuple[float, float],
        rng: np.random.Generator,
        values: FloatArray,
    ) -> None:
        for part in node.parts:
            self._draw(part, span, rng, values)
        if node.parts:
            return
        tau = float(np.exp(rng.uniform(*span)))
        if node.kind == "CPE":
            exponent = float(rng.uniform(0.6, 1.0))
            values[node.first], values[node.first + 1] = tau**exponent, exponent
        elif node.kind in ("Ws", "Wo"):
            values[node.first + 1] = tau
        elif node.kind == "W":
            values[node.first] = tau**-0.5
        elif node.kind != "R":
            values[node.first] = tau
        else:
            values[node.first] = float(np.exp(rng.uniform(-1.0, 1.0)))

    def _scale(self, node: Node, level: float, values: FloatArray) -> None:
        for k in range(node.first, node.first + node.count):
            kind = self.circuit.parameters[k].kind
            if kind == "level":
                values[k] *= level
            elif kind == "inverse":
                values[k] /= level

    def result(self, found: LeastSquares, weighting: Weighting) -> CircuitFit:
        values = self.natural(found.values)
        residual = (self.z - self.circuit.impedance(self.f, values)) * self.weight
        inflation = _inflation(residual, len(values))
        slopes = self.slopes(values)
        return CircuitFit(
            circuit=self.circuit,
            weighting=weighting,
            frequency=self.f,
            values=values,
            covariance=found.covariance * np.outer(slopes, slopes) * inflation**2,
            inflation=inflation,
            noise=float(np.sqrt(found.variance)),
            freedom=found.freedom,
            residual=residual,
            at_bound=found.at_bound,
            converged=found.converged,
        )


def _as_real(values: ComplexArray) -> FloatArray:
    return np.concatenate([values.real, values.imag], axis=-1)


def _inflation(residual: ComplexArray, fitted: int) -> float:
    """How much longer errors are where neighbours along the frequency are alike.

    The factor of a first-order process, sqrt((1 + r) / (1 - r)), where the correlation r of
    neighbours is significant; the same concern as Berar and Lelann 1991
    (10.1107/S0021889890008391) for profiles of powders.
    """
    n = 2 * len(residual)
    power = float(np.sum(np.abs(residual) ** 2))
    if power == 0.0 or n - fitted < 8:
        return 1.0
    neighbours = float(np.sum((residual[1:] * np.conj(residual[:-1])).real))
    # residuals of a fit are pushed apart by it: p of n directions are gone
    r = (neighbours / power + fitted / n) / (1.0 + fitted / n)
    if r < _SIGNIFICANT / np.sqrt(n):
        return 1.0
    r = min(r, 0.98)
    return float(np.sqrt((1.0 + r) / (1.0 - r)))


@dataclass(frozen=True, slots=True)
class Arc:
    """A resistance beside a capacitance or CPE: one depressed arc, with standard errors.

    ``capacitance`` is that of the arc's own time constant, (R Q)^(1/n) / R
    (Hsu and Mansfeld 2001, 10.5006/1.3280607).
    """

    name: str
    resistance: float
    resistance_se: float
    time_constant: float
    time_constant_se: float
    capacitance: float
    capacitance_se: float


def arcs_of(fit: CircuitFit) -> tuple[Arc, ...]:
    """The arcs p(R, C) and p(R, CPE) of a fit, in the circuit's order; others are left out."""
    found = []
    for block in fit.circuit.blocks:
        parts = {part.kind: part for part in block.parts}
        if block.kind != "parallel" or len(block.parts) != 2 or "R" not in parts:
            continue
        other = parts.get("CPE") or parts.get("C")
        if other is None:
            continue
        tau, by_log = _time_constant(fit.values, parts["R"], other)
        resistance = float(fit.values[parts["R"].first])
        capacity_by_log = by_log.copy()
        capacity_by_log[parts["R"].first] -= 1.0 / resistance
        errors = fit.standard_error
        found.append(
            Arc(
                name=fit.circuit.names[parts["R"].first],
                resistance=resistance,
                resistance_se=float(errors[parts["R"].first]),
                time_constant=tau,
                time_constant_se=tau * _error(by_log, fit.covariance),
                capacitance=tau / resistance,
                capacitance_se=tau / resistance * _error(capacity_by_log, fit.covariance),
            )
        )
    return tuple(found)


def direct_resistance(fit: CircuitFit) -> tuple[float, float]:
    """What a constant current meets, ohm, and its standard error; inf where nothing conducts.

    Half-infinite diffusion (W), which has no such limit, is left out. The ohmic part of a voltage
    under current is the current times it.
    """
    value, gradient = fit.circuit.direct_resistance(fit.values)
    return value, _error(gradient, fit.covariance)


# upper ends, in F for a sample whose thickness over area is 1 / cm
_ROLES: Sequence[tuple[float, str]] = (
    (2e-11, "bulk"),
    (3e-8, "grain boundary"),
    (np.inf, "interface"),
)


def role_of_capacitance(capacitance: float, *, thickness_um: float, area_mm2: float) -> str:
    """Bulk, grain boundary or interface, by an arc's capacitance (F).

    The capacitance is brought to a thickness over area of 1/cm and set against the ranges of
    Irvine, Sinclair and West 1990 (10.1002/adma.19900020304): up to 2e-11 F bulk, 3e-8 F grain
    boundary, above interface. An order of magnitude, no proof.
    """
    scaled = capacitance * (thickness_um * 1e-4) / (area_mm2 * 1e-2)
    return next(role for end, role in _ROLES if scaled <= end)


def _time_constant(values: FloatArray, r: Node, other: Node) -> tuple[float, FloatArray]:
    """Time constant of an arc and the derivative of its logarithm by each parameter."""
    resistance, q = float(values[r.first]), float(values[other.first])
    n = float(values[other.first + 1]) if other.kind == "CPE" else 1.0
    by_log = np.zeros(len(values))
    by_log[r.first] = 1.0 / (n * resistance)
    by_log[other.first] = 1.0 / (n * q)
    if other.kind == "CPE":
        by_log[other.first + 1] = -np.log(resistance * q) / n**2
    return float((resistance * q) ** (1.0 / n)), by_log


def _error(gradient: FloatArray, covariance: FloatArray) -> float:
    used = gradient != 0.0
    part = covariance[np.ix_(used, used)]
    if not np.all(np.isfinite(part)):
        return float("inf")
    return float(np.sqrt(max(gradient[used] @ part @ gradient[used], 0.0)))


def _in_order(circuit: Circuit, values: FloatArray) -> FloatArray:
    """Values with arcs of one shape exchanged so that the fastest comes first."""
    groups: dict[str, list[tuple[float, Node]]] = {}
    for block in circuit.blocks:
        parts = {part.kind: part for part in block.parts}
        other = parts.get("CPE") or parts.get("C")
        if block.kind == "parallel" and len(parts) == 2 and "R" in parts and other is not None:
            tau, _ = _time_constant(values, parts["R"], other)
            groups.setdefault(block.shape, []).append((tau, block))
    ordered = values.copy()
    for arcs in groups.values():
        places = [block for _, block in arcs]
        for place, (_, block) in zip(places, sorted(arcs, key=lambda a: a[0]), strict=True):
            ordered[place.first : place.first + place.count] = values[
                block.first : block.first + block.count
            ]
    return ordered
