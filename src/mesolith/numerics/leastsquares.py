"""Nonlinear least squares with bounds, for few parameters and an analytic Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError

Model = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

_SMALLEST_GAIN, _SMALLEST_STEP = 1e-14, 1e-10
_FIRST_DAMPING, _MOST_DAMPING = 1e-3, 1e12
_RANK = 1e-12  # of the scaled normal matrix: below it a direction is not determined at all


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Where a fit ended.

    ``values`` (p,) and their ``covariance`` (p, p), scaled by ``variance``, the sum of squares
    over ``freedom`` (n - p); inf on the diagonal where the data do not determine a parameter.
    ``residual`` (n,) at the end; ``at_bound`` (p,) marks parameters that a bound holds, whose
    covariance is stated as if it did not.
    """

    values: FloatArray
    covariance: FloatArray
    residual: FloatArray
    variance: float
    freedom: int
    at_bound: NDArray[np.bool_]
    converged: bool


def fit_least_squares(
    model: Model,
    start: FloatArray,
    *,
    lower: FloatArray,
    upper: FloatArray,
    most_steps: int = 200,
) -> LeastSquares:
    """Minimum of the sum of squares next to ``start``, by Levenberg's and Marquardt's method.

    Parameters
    ----------
    model
        Maps parameters (p,) to weighted residuals (n,) and their Jacobian (n, p).
    start, lower, upper
        First guess and bounds, shape (p,); infinite bounds are none.
    most_steps
        Trials after which the fit gives up and says so in ``converged``.

    `InvalidValueError` where there are no more data than parameters, or where the model is not
    finite at the start.
    """
    values = np.clip(start, lower, upper)
    residual, jacobian = model(values)
    if len(residual) <= len(values):
        raise InvalidValueError(
            f"{len(residual)} numbers cannot determine {len(values)} parameters and their errors",
            remedy="Measure more points or fit fewer parameters.",
        )
    cost = float(residual @ residual)
    if not np.isfinite(cost):
        raise InvalidValueError("the model is not finite at its first guess")
    damping, converged = _FIRST_DAMPING, cost == 0.0
    for _ in range(most_steps):
        if converged:
            break
        gradient = jacobian.T @ residual
        free = ~((values <= lower) & (gradient > 0.0) | (values >= upper) & (gradient < 0.0))
        if not free.any():
            converged = True
            break
        step = np.zeros_like(values)
        step[free] = _damped_step(jacobian[:, free], residual, damping)
        trial = np.clip(values + step, lower, upper)
        with np.errstate(over="ignore", invalid="ignore"):
            new_residual, new_jacobian = model(trial)
            new_cost = float(new_residual @ new_residual)
        moved = float(np.max(np.abs(trial - values) / (1.0 + np.abs(values))))
        if np.isfinite(new_cost) and new_cost <= cost:
            converged = cost - new_cost <= _SMALLEST_GAIN * cost or moved < _SMALLEST_STEP
            values, residual, jacobian, cost = trial, new_residual, new_jacobian, new_cost
            damping = max(0.2 * damping, 1e-12)
        else:
            converged = moved < _SMALLEST_STEP or damping > _MOST_DAMPING
            damping *= 8.0
    freedom = len(residual) - len(values)
    variance = cost / freedom
    return LeastSquares(
        values=values,
        covariance=variance * inverse_normal_matrix(jacobian),
        residual=residual,
        variance=variance,
        freedom=freedom,
        at_bound=(values <= lower) | (values >= upper),
        converged=converged,
    )


def inverse_normal_matrix(jacobian: FloatArray) -> FloatArray:
    """Inverse of J^T J, shape (p, p), for a Jacobian (n, p) whose columns differ in size.

    The diagonal is inf where the data do not determine a parameter.
    """
    size = np.linalg.norm(jacobian, axis=0)
    scale = np.where(size > 0.0, size, 1.0)
    eigenvalues, vectors = np.linalg.eigh((jacobian / scale).T @ (jacobian / scale))
    known = eigenvalues > _RANK * eigenvalues[-1]
    inverse = (vectors[:, known] / eigenvalues[known]) @ vectors[:, known].T
    inverse /= np.outer(scale, scale)
    lost = np.max(np.abs(vectors[:, ~known]), axis=1, initial=0.0) > 1e-3
    inverse[lost, lost] = np.inf
    return np.asarray(inverse, dtype=np.float64)


def _damped_step(jacobian: FloatArray, residual: FloatArray, damping: float) -> FloatArray:
    """Step of the damped normal equations, columns brought to one length first."""
    size = np.linalg.norm(jacobian, axis=0)
    scale = np.where(size > 0.0, size, 1.0)
    scaled = jacobian / scale
    normal = scaled.T @ scaled + damping * np.eye(len(scale))
    return np.asarray(-np.linalg.solve(normal, scaled.T @ residual) / scale, dtype=np.float64)
