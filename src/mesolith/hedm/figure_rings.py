"""Spots of a layer: on the panels, as rings, and on the map of azimuth and rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.crystal.reflections import rings
from mesolith.hedm.shown_layer import in_shown_layer
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.predict import predict_spots
from mesolith.instrument.scattering import (
    angles_from_laboratory,
    laboratory_from_spots,
    reciprocal_from_lattice_vectors,
)
from mesolith.records.cell import Cell
from mesolith.records.drawing import Drawing
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.spots import Spots
from mesolith.records.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    PURPLE,
    RED,
    SKY,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

_COLOURS = (RED, GREEN, PURPLE)  # of the likeliest grains
_OTHERS = SKY
_MOST_POINTS = 60_000
_MOST_IN_CHART = 1_200  # spots, of more only a part of the rotation is shown
_LEAST_SHOWN = np.deg2rad(0.5)
_MOST_LABELS = 40
_MOST_INDEX = 12
_WIDTH = 4e-4  # of a ring, relative to its 2 theta, at least
_SAME = 2e-3  # of two theta, within which rings of two phases are one


@dataclass(frozen=True, slots=True)
class _Ring:
    """A ring of a phase (its number): its family, and where it lies, rad."""

    phase: int
    family: tuple[int, int, int]
    two_theta: float


def draw(cell: Cell) -> Drawing | None:
    """Spots of the first state that has spots, their instrument and grains; None without.

    Of several layers the one with the most grains, with the grains that it shows.
    """
    for state, spots in cell.having(Spots):
        if Instrument in state and IndexedGrains in state and len(spots):
            grains, name = state[IndexedGrains], state.name
            if LayerFinds in state:
                grains, name = in_shown_layer(grains, state[LayerFinds], name)
            return spots_drawing(name, spots, state[Instrument], grains)
    return None


def spots_drawing(
    name: str, spots: Spots, instrument: Instrument, grains: IndexedGrains
) -> Drawing:
    """Spots of one layer with the rings of its phases and what its best grains predict.

    ``name`` is the state's. Spots and instrument have the same panels; there is at least one
    spot.
    """
    points = laboratory_from_spots(instrument, spots.panel, spots.fast, spots.slow)
    two_theta, eta = angles_from_laboratory(instrument, points)
    found = _rings(grains, instrument, float(two_theta.max()))
    ring = _busiest(found, two_theta)
    near = _on_ring(ring, two_theta)
    window = _window(spots, near)
    near &= (spots.omega >= window[0]) & (spots.omega <= window[1])
    shared = [one for one in found if abs(one.two_theta / ring.two_theta - 1.0) < _SAME]
    parts = [_predicted(instrument, grains, one, spots, window) for one in shared]
    grain = np.concatenate([part[0] for part in parts])
    angle = np.concatenate([part[1] for part in parts])
    turn = np.concatenate([part[2] for part in parts])
    with house_style():
        figure = new_figure(150.0)
        panels = axes_mm(figure, 16, 79, 64, 66)
        _panels(panels, points, spots)
        letter(panels, "a", up_mm=-1.0)
        pattern = axes_mm(figure, 99, 79, 78, 58)
        _pattern(pattern, two_theta, spots, found)
        letter(pattern, "b", up_mm=7.0)
        chart = axes_mm(figure, 16, 11, 161, 55)
        _chart(chart, eta[near], spots.omega[near], spots.intensity[near], window)
        _circles(chart, grain, angle, turn)
        letter(chart, "c", up_mm=-1.0)
    return Drawing(
        figure=figure,
        caption=(
            f"{len(spots):,} spots of {name}: (a) where the panels recorded them, seen along the "
            "beam; (b) their counts by scattering angle, above them the rings of "
            f"{_phase_words(grains)}; (c) {int(near.sum()):,} spots of ring "
            f"{_family_words(ring.family)} by azimuth and rotation{_window_words(spots, window)}, "
            f"larger with more counts. Circles: the {len(grain):,} places where the "
            f"{len(grains):,} grains that were found must have spots, those of the "
            f"{min(len(_COLOURS), len(grains))} likeliest in red, green and purple. A spot "
            "without a circle belongs to no grain found, a circle without a spot was missed."
        ),
        how=(
            "Angles are those of rays from the origin; a grain off the axis has its spots beside "
            "the ring by its distance over the camera's length. Predictions are for each grain's "
            "own lattice and place, both crossings of every reflection. The ring shown is the one "
            "with the most spots among those without a neighbour. Azimuth is 0 at +z and grows "
            "towards -y."
        ),
        cite=(),
        table={
            "two_theta_deg": np.rad2deg(two_theta),
            "eta_deg": np.rad2deg(eta),
            "omega_deg": np.rad2deg(spots.omega),
            "intensity": spots.intensity,
        },
    )


def _rings(grains: IndexedGrains, instrument: Instrument, largest: float) -> list[_Ring]:
    wavelength = instrument.beam.wavelength
    found = []
    phases = zip(grains.phases.space_group, grains.phases.lattice, strict=True)
    for number, (group, lattice) in enumerate(phases):
        d_min = wavelength / (2.0 * np.sin(largest / 2.0))
        d_min = max(d_min, float(np.min(lattice[:3])) / _MOST_INDEX)
        for spacing, families in rings(int(group), lattice, d_min):
            angle = 2.0 * np.arcsin(wavelength / (2.0 * spacing))
            found.append(_Ring(number, families[0], float(angle)))
    return found


def _on_ring(ring: _Ring, two_theta: FloatArray) -> NDArray[np.bool_]:
    return np.abs(two_theta / ring.two_theta - 1.0) < max(_WIDTH, 5e-3)


def _busiest(found: list[_Ring], two_theta: FloatArray) -> _Ring:
    """The ring with the most spots among those with no neighbour within two of its widths.

    A ring that two phases on one lattice share is one ring, no neighbour of itself.
    """
    angles = np.array([ring.two_theta for ring in found])

    def lonely(ring: _Ring) -> bool:
        away = np.abs(angles / ring.two_theta - 1.0)
        return not np.any((away >= _SAME) & (away < 0.015))

    alone = [ring for ring in found if lonely(ring)] or found
    return max(alone, key=lambda ring: int(_on_ring(ring, two_theta).sum()))


def _family_words(family: tuple[int, int, int]) -> str:
    wide = max(abs(index) for index in family) > 9
    return "{" + (" " if wide else "").join(str(index) for index in family) + "}"


def _phase_words(grains: IndexedGrains) -> str:
    if len(grains.phases.name) == 1:
        return grains.phases.name[0]
    return " and, higher up, ".join(grains.phases.name)


def _window(spots: Spots, near: NDArray[np.bool_]) -> tuple[float, float]:
    """So much of the rotation about its middle, rad, that the spots can be told apart."""
    low, high = float(spots.omega_range[0, 0]), float(spots.omega_range[-1, 1])
    middle, count = 0.5 * (low + high), int(near.sum())
    if count <= _MOST_IN_CHART:
        return low, high
    half = max(0.5 * (high - low) * _MOST_IN_CHART / count, _LEAST_SHOWN)
    # to whole degrees where it is more than a few of them
    half = np.deg2rad(np.floor(np.rad2deg(half))) if half > np.deg2rad(3.0) else half
    return float(middle - half), float(middle + half)


def _window_words(spots: Spots, window: tuple[float, float]) -> str:
    low, high = np.rad2deg(window)
    if high - low > np.rad2deg(spots.omega_range[-1, 1] - spots.omega_range[0, 0]) - 0.01:
        return ""
    return f", {low:.3g} to {high:.3g} deg of the rotation"


def _predicted(
    instrument: Instrument,
    grains: IndexedGrains,
    ring: _Ring,
    spots: Spots,
    window: tuple[float, float],
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Row of the grain, eta and omega, rad, of every spot that grains must show of a ring.

    Of the grains of the ring's phase, where a panel and the rotation recorded it.
    """
    own = np.flatnonzero(grains.phase == ring.phase)
    basis = basis_from_lattice(grains.phases.lattice[ring.phase])
    hkl = _near_ring(basis, ring, instrument.beam.wavelength)
    there = predict_spots(
        instrument, grains.lattice_vectors[own], grains.position[own], hkl.astype(np.float64)
    )
    start = spots.omega_range[0, 0]
    turn = start + np.mod(there.omega - start, 2.0 * np.pi)
    seen = (there.panel >= 0) & spots.covers(np.nan_to_num(turn))
    seen &= (turn >= window[0]) & (turn <= window[1])
    grain, _, _ = np.nonzero(seen)
    points = laboratory_from_spots(
        instrument, there.panel[seen], there.fast[seen], there.slow[seen]
    )
    _, eta = angles_from_laboratory(instrument, points)
    return own[grain], eta, turn[seen]


def _near_ring(vectors: FloatArray, ring: _Ring, wavelength: float) -> IntArray:
    """Indices (n, 3) whose vectors have the length of a ring to 0.5 %."""
    length = 2.0 * np.sin(ring.two_theta / 2.0) / wavelength
    most = int(np.ceil(length * 1.01 * np.linalg.norm(vectors, axis=0).max()))
    grid = np.arange(-most, most + 1)
    hkl = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    size = np.linalg.norm(hkl @ reciprocal_from_lattice_vectors(vectors).T, axis=1)
    return hkl[np.abs(size / length - 1.0) < 5e-3]


def _sizes(intensity: FloatArray) -> FloatArray:
    """Areas of points, between 0.6 and 9, by the logarithm of the counts."""
    low, high = np.quantile(intensity, [0.05, 0.995])
    share = np.log(np.clip(intensity, low, high) / low) / max(np.log(high / low), 1e-9)
    return 0.6 + 8.4 * share**1.5


def _fewer(count: int) -> NDArray[np.int64]:
    """So many rows that a picture can show, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(np.int64))


def _panels(axes: Any, points: FloatArray, spots: Spots) -> None:
    rows = _fewer(len(points))
    axes.scatter(
        *(-points[rows, 1] / 1000.0, points[rows, 2] / 1000.0),
        s=_sizes(spots.intensity)[rows] * 0.5, c=INK, linewidths=0, rasterized=True,
        alpha=float(np.clip(1_500.0 / len(rows), 0.06, 0.5)),
    )  # fmt: skip
    width, height = np.ptp(points[:, 1]), np.ptp(points[:, 2])
    axes.set_aspect("equal", adjustable="datalim" if height > 0.7 * width else "box")
    axes.set_anchor("N")
    axes.axhline(0.0, color=FAINT, linewidth=0.4, zorder=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.4, zorder=0)
    axes.set_xlabel("\u2212y (mm)")
    axes.set_ylabel("z (mm)")


def _pattern(axes: Any, two_theta: FloatArray, spots: Spots, found: list[_Ring]) -> None:
    counts, edges = np.histogram(np.rad2deg(two_theta), bins=600, weights=spots.intensity)
    top = float(counts.max()) or 1.0
    floor = max(top * 1e-6, 1.0)
    axes.stairs(np.maximum(counts, floor), edges, color=INK, linewidth=0.7)
    axes.set_yscale("log")
    axes.set_ylim(floor, top * 3.0)
    low, high = axes.get_xlim()
    last: dict[int, float] = {}
    for ring in found:
        place = float(np.rad2deg(ring.two_theta))
        foot = 1.02 + 0.03 * ring.phase
        axes.plot(
            [place, place], [foot, foot + 0.025],
            color=(BLUE, PURPLE)[ring.phase % 2], linewidth=0.8, clip_on=False,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        # only where the words do not touch
        if place - last.get(0, -np.inf) > (high - low) / _MOST_LABELS:
            last[0] = place
            axes.text(
                place, 1.05 + 0.03 * len({one.phase for one in found}), _family_words(ring.family),
                fontsize=5, rotation=90, ha="center", va="bottom",
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip
    axes.set_xlim(low, high)
    axes.set_xlabel("2 theta (deg)")
    axes.set_ylabel("counts of spots")


def _chart(
    axes: Any,
    eta: FloatArray,
    omega: FloatArray,
    intensity: FloatArray,
    window: tuple[float, float],
) -> None:
    if len(eta):
        axes.scatter(
            *(np.rad2deg(eta), np.rad2deg(omega)),
            s=_sizes(intensity), c=INK, alpha=0.6, linewidths=0, rasterized=True,
        )  # fmt: skip
    low, high = np.rad2deg(window)
    axes.set_xlim(-180.0, 180.0)
    axes.set_ylim(low, high)
    axes.set_xticks(range(-180, 181, 45))
    if high - low > 300.0:
        axes.set_yticks(np.arange(90.0 * np.ceil(low / 90.0 - 1e-6), high + 1.0, 90.0))
    axes.set_xlabel("azimuth eta (deg)")
    axes.set_ylabel("rotation omega (deg)")


def _circles(axes: Any, grain: IntArray, eta: FloatArray, omega: FloatArray) -> None:
    """Empty circles at predicted places, those of the likeliest grains on top."""
    for number in (None, *range(len(_COLOURS))):
        rows = grain >= len(_COLOURS) if number is None else grain == number
        axes.scatter(
            *(np.rad2deg(eta[rows]), np.rad2deg(omega[rows])),
            s=22, facecolors="none", edgecolors=_OTHERS if number is None else _COLOURS[number],
            linewidths=0.5 if number is None else 0.9,
        )  # fmt: skip
