"""How far spots lie from where their grains put them, round the detector and through the turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.hedm.shown_layer import layer_words
from mesolith.instrument.instrument import Instrument
from mesolith.records.cell import Cell, State
from mesolith.records.drawing import Drawing
from mesolith.records.indexed import SpotAssignment
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.spots import Spots
from mesolith.records.style import (
    FAINT,
    INK,
    RED,
    SEQUENTIAL,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

_BINS = 36
_FEWEST = 12
_MOST_POINTS = 6_000  # more are drawn as a density
_HARMONICS = (1, 2)
_SHOWN, _FITTED = 3.0, 4.5  # spreads
_CLEAR = 4.0  # standard errors above which a wave is none of chance
_ROWS = (("radial", "px"), ("azimuthal", "px"), ("omega", "deg"))
_AGAINST = ("azimuth", "rotation")
_PERIODS = {1: "one period", 2: "two periods"}


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave of residuals: how high, how sure, in units of the row, and of what."""

    row: int
    column: int
    harmonic: int
    amplitude: float
    error: float
    spread: float

    @property
    def size(self) -> float:
        """Amplitude over the spread of single spots."""
        return self.amplitude / self.spread if self.spread > 0.0 else 0.0

    @property
    def clear(self) -> bool:
        """Whether chance alone would hardly make it."""
        return self.amplitude > _CLEAR * self.error


def draw(cell: Cell) -> Drawing | None:
    """Residuals of the first state whose spots were assigned to grains; None without one.

    Of several layers the one with the most grains.
    """
    for state, assignment in cell.having(SpotAssignment):
        if len(assignment) and Instrument in state:
            instrument = state[Instrument]
            panel = _panels(state, assignment, instrument)
            if panel is not None:
                name = state.name
                if LayerFinds in state:
                    name = layer_words(state[LayerFinds], name)
                return residuals_drawing(name, assignment, instrument, panel)
    return None


def _panels(state: State, assignment: SpotAssignment, instrument: Instrument) -> IntArray | None:
    """Panel of each assigned spot; None where several might have recorded it."""
    if len(instrument.panels) == 1:
        return np.zeros(len(assignment), dtype=np.int64)
    return state[Spots].panel[assignment.spot] if Spots in state else None


def residuals_drawing(
    name: str, assignment: SpotAssignment, instrument: Instrument, panel: IntArray
) -> Drawing:
    """Radial, azimuthal and omega residuals against azimuth and rotation; at least one spot.

    ``name`` is the state's, ``panel`` (match,) the panel of each assigned spot.
    """
    trusted = assignment.weight > 0.5
    if not trusted.any():
        trusted = np.ones(len(assignment), dtype=np.bool_)
    residual = residuals_round_the_beam(assignment, instrument, panel)[trusted]
    angles = (assignment.eta[trusted], assignment.omega[trusted])
    spread = 1.4826 * np.median(np.abs(residual - np.median(residual, axis=0)), axis=0)
    waves: list[Wave] = []
    with house_style():
        figure = new_figure(130.0)
        for row in range(3):
            for column in range(2):
                axes = axes_mm(figure, 17 + 83 * column, 90 - 39 * row, 78, 34)
                size = float(spread[row])
                _spots(axes, angles[column], residual[:, row], size)
                _medians(axes, angles[column], residual[:, row], size)
                waves += _wave(axes, angles[column], residual[:, row], size, row, column)
                if row == 2:
                    axes.set_xlabel(("azimuth eta (deg)", "rotation omega (deg)")[column])
                else:
                    axes.set_xticklabels([])
                if column == 0:
                    axes.set_ylabel(f"{_ROWS[row][0]} ({_ROWS[row][1]})")
                    axes.yaxis.set_label_coords(-0.145, 0.5)
                else:
                    axes.set_yticklabels([])
                letter(axes, "abcdef"[2 * row + column], left_mm=16.0 - 13.0 * column, up_mm=-1.5)
    return Drawing(
        figure=figure,
        caption=(
            f"Observed less predicted place of {int(trusted.sum()):,} spots of {name} against "
            "azimuth (left) and rotation (right): away from the beam on the detector (a, b), "
            "round the beam towards larger azimuth (c, d), and in rotation (e, f). Points or "
            f"shades: spots. Red: medians of every {360 // _BINS} degrees with standard errors, "
            "and a fit of one and two periods; the scale ends at three spreads. Half of the "
            f"spots lie within {0.6745 * spread[0]:.2g} px, {0.6745 * spread[1]:.2g} px and "
            f"{0.6745 * spread[2]:.2g} deg of the median. {_verdict(waves)}"
        ),
        how=(
            "Predictions are those of the refined grains; spots that count less than one half in "
            "the refinement, outliers and shared ones, are left out. The spread of single spots "
            "is 1.48 times the median distance from the median. Over azimuth, a panel tilted "
            "about an axis in its plane draws one period of the radial residual, a centre that is "
            "off along y one of the azimuthal; a panel or a rotation axis turned about the beam "
            "draws two of the radial residual, a wedge two of omega. A wrong turn of each frame "
            "lets omega rise over the rotation. What the grains take up by their place, lattice "
            "and orientation, such as the distance, is not seen here."
        ),
        cite=(),
        table={
            "eta_deg": np.rad2deg(angles[0]),
            "omega_deg": np.rad2deg(angles[1]),
            "residual_radial_px": residual[:, 0],
            "residual_azimuthal_px": residual[:, 1],
            "residual_omega_deg": residual[:, 2],
        },
    )


def residuals_round_the_beam(
    assignment: SpotAssignment, instrument: Instrument, panel: IntArray
) -> FloatArray:
    """Residuals (match, 3): away from the beam and towards larger azimuth, px, and omega, deg.

    Along the directions in the plane across the beam, with the mean pitch of each panel.
    """
    eta = assignment.eta
    outward = np.stack([-np.sin(eta), np.cos(eta)], axis=1)  # y, z
    onward = np.stack([-np.cos(eta), -np.sin(eta)], axis=1)
    found = np.empty((len(eta), 3))
    for number, one in enumerate(instrument.panels):
        here = panel == number
        # fast and slow on y and z
        axes = one.rotation[1:, :2] * one.pitch[::-1] / one.pitch.mean()
        moved = assignment.residual[here, :2] @ axes.T
        found[here, 0] = np.sum(moved * outward[here], axis=1)
        found[here, 1] = np.sum(moved * onward[here], axis=1)
    found[:, 2] = np.rad2deg(assignment.residual[:, 2])
    return found


def _limits(angle: FloatArray) -> tuple[float, float]:
    """Ends of the axis of an angle, deg: a turn about zero, or one from it."""
    low, high = float(np.rad2deg(angle.min())), float(np.rad2deg(angle.max()))
    return (-180.0, 180.0) if low >= -180.001 and high <= 180.001 else (0.0, 360.0)


def _spots(axes: Any, angle: FloatArray, residual: FloatArray, spread: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    limit = _SHOWN * spread if spread > 0.0 else 1.0
    low, high = _limits(angle)
    if len(angle) <= _MOST_POINTS:
        axes.scatter(
            *(np.rad2deg(angle), residual),
            s=max(1.2, 60.0 / len(angle) ** 0.5), c=INK, alpha=0.35, linewidths=0, rasterized=True,
        )  # fmt: skip
    else:
        shades = LinearSegmentedColormap.from_list(
            "density", ("#ffffff", *SEQUENTIAL[:1], "#4a4a4a")
        )
        counts, *_ = np.histogram2d(
            np.rad2deg(angle), residual, bins=(90, 45), range=((low, high), (-limit, limit))
        )
        top = float(np.quantile(counts[counts > 0], 0.98)) if np.any(counts > 0) else 1.0
        axes.imshow(
            counts.T, origin="lower", aspect="auto", extent=(low, high, -limit, limit),
            cmap=shades, vmin=0.0, vmax=top, interpolation="nearest", rasterized=True,
        )  # fmt: skip
    axes.axhline(0.0, color=FAINT, linewidth=0.5, dashes=(4, 3))
    axes.set_xlim(low, high)
    axes.set_ylim(-limit, limit)
    axes.set_xticks(np.linspace(low, high, 9)[1:-1])
    axes.spines[["top", "right"]].set_visible(True)
    axes.tick_params(color=INK)


def _medians(axes: Any, angle: FloatArray, residual: FloatArray, spread: float) -> None:
    edges = np.linspace(*_limits(angle), _BINS + 1)
    which = np.digitize(np.rad2deg(angle), edges) - 1
    middle, height, error = [], [], []
    for k in range(_BINS):
        here = residual[which == k]
        if len(here) >= _FEWEST:
            middle.append(0.5 * (edges[k] + edges[k + 1]))
            height.append(float(np.median(here)))
            # the standard error of a median of normal numbers
            error.append(1.2533 * spread / np.sqrt(len(here)))
    axes.errorbar(
        middle, height, yerr=error, fmt="o", ms=2.2, color=RED, ecolor=RED, elinewidth=0.7
    )


def _wave(
    axes: Any, angle: FloatArray, residual: FloatArray, spread: float, row: int, column: int
) -> list[Wave]:
    """Draw the fit of one and two periods where the angles bear it; its two waves."""
    inside = np.abs(residual) < _FITTED * spread
    terms = _terms(angle[inside])
    normal = terms.T @ terms
    if inside.sum() < 10 * terms.shape[1] or np.linalg.cond(normal) > 1e3:
        return []
    inverse = np.linalg.inv(normal)
    found = inverse @ (terms.T @ residual[inside])
    variance = spread**2 * np.diagonal(inverse)
    line = np.linspace(*_limits(angle), 361)
    axes.plot(line, _terms(np.deg2rad(line)) @ found, color=RED, linewidth=1.0)
    return [
        Wave(
            row=row,
            column=column,
            harmonic=harmonic,
            amplitude=float(np.hypot(*found[2 * k + 1 : 2 * k + 3])),
            error=float(np.sqrt(variance[2 * k + 1 : 2 * k + 3].mean())),
            spread=spread,
        )
        for k, harmonic in enumerate(_HARMONICS)
    ]


def _terms(angle: FloatArray) -> FloatArray:
    """A constant, and cosine and sine of each harmonic (n, 5)."""
    columns = [np.ones_like(angle)]
    for harmonic in _HARMONICS:
        columns += [np.cos(harmonic * angle), np.sin(harmonic * angle)]
    return np.stack(columns, axis=1)


def _verdict(waves: list[Wave]) -> str:
    clear = [wave for wave in waves if wave.clear]
    if not waves:
        return "The angles are too few to tell a wave."
    if not clear:
        return "No wave stands out of the noise."
    worst = max(clear, key=lambda wave: wave.size)
    kind, unit = _ROWS[worst.row]
    return (
        f"The largest wave, {_PERIODS[worst.harmonic]} of {kind} residual over "
        f"{_AGAINST[worst.column]}, is {worst.amplitude:.2g} ± {worst.error:.1g} {unit} high, "
        f"{worst.size:.2f} of the spread of single spots."
    )
