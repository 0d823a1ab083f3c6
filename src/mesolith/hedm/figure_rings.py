"""Spots of a layer: on the panels, as rings, and on the map of azimuth and rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.reflections import rings
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
from mesolith.records.spots import Spots
from mesolith.records.style import (
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

_SHOWN_GRAINS = 3
_COLOURS = (RED, GREEN, PURPLE)
_MOST_POINTS = 60_000
_MOST_INDEX = 12
_WIDTH = 4e-4  # of a ring, relative to its 2 theta, at least


@dataclass(frozen=True, slots=True)
class _Ring:
    """A ring of a phase: its family, and where it lies, rad."""

    family: tuple[int, int, int]
    two_theta: float


def draw(cell: Cell) -> Drawing | None:
    """Spots of the first state that has spots, their instrument and grains; None without."""
    for state, spots in cell.having(Spots):
        if Instrument in state and IndexedGrains in state and len(spots):
            return spots_drawing(state.name, spots, state[Instrument], state[IndexedGrains])
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
    shown = min(_SHOWN_GRAINS, len(grains))
    with house_style():
        figure = new_figure(150.0)
        panels = axes_mm(figure, 16, 79, 64, 66)
        _panels(panels, points, spots)
        letter(panels, "a", up_mm=-1.0)
        pattern = axes_mm(figure, 99, 79, 78, 66)
        _pattern(pattern, two_theta, spots, found)
        letter(pattern, "b", up_mm=-1.0)
        chart = axes_mm(figure, 16, 11, 161, 55)
        _chart(chart, eta[near], spots.omega[near], spots.intensity[near])
        predicted = [_predicted(instrument, grains, k, ring, spots) for k in range(shown)]
        for (angle, turn), colour in zip(predicted, _COLOURS, strict=False):
            chart.scatter(
                *(np.rad2deg(angle), np.rad2deg(turn)),
                s=26, facecolors="none", edgecolors=colour, linewidths=0.8,
            )  # fmt: skip
        letter(chart, "c", up_mm=-1.0)
    return Drawing(
        figure=figure,
        caption=(
            f"{len(spots):,} spots of {name}: (a) where the panels recorded them, seen along the "
            "beam; (b) counts by scattering angle, ticks at the rings of the phases; "
            f"(c) the {int(near.sum()):,} spots of ring {_family_words(ring)} by azimuth and "
            f"rotation, darker with more counts. Circles: where the {shown} grains with the "
            "largest likelihood must have spots, both crossings of every reflection."
        ),
        how=(
            "Angles are those of rays from the origin; a grain off the axis has its spots beside "
            "the ring by its distance over the camera's length. Predictions are for each grain's "
            "own lattice and place. Azimuth is 0 at +z and grows towards -y."
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
    for group, lattice in zip(grains.phases.space_group, grains.phases.lattice, strict=True):
        d_min = wavelength / (2.0 * np.sin(largest / 2.0))
        d_min = max(d_min, float(np.min(lattice[:3])) / _MOST_INDEX)
        for spacing, families in rings(int(group), lattice, d_min):
            angle = 2.0 * np.arcsin(wavelength / (2.0 * spacing))
            found.append(_Ring(families[0], float(angle)))
    return found


def _on_ring(ring: _Ring, two_theta: FloatArray) -> NDArray[np.bool_]:
    return np.abs(two_theta / ring.two_theta - 1.0) < max(_WIDTH, 5e-3)


def _busiest(found: list[_Ring], two_theta: FloatArray) -> _Ring:
    """The ring with the most spots among those with no neighbour within two of its widths."""
    angles = np.array([ring.two_theta for ring in found])
    alone = [
        ring for ring in found if np.sum(np.abs(angles / ring.two_theta - 1.0) < 0.015) == 1
    ] or found
    return max(alone, key=lambda ring: int(_on_ring(ring, two_theta).sum()))


def _family_words(ring: _Ring) -> str:
    return "{" + " ".join(str(index) for index in ring.family) + "}"


def _predicted(
    instrument: Instrument, grains: IndexedGrains, number: int, ring: _Ring, spots: Spots
) -> tuple[FloatArray, FloatArray]:
    """Eta and omega, rad, of what one grain must show of a ring where it was measured."""
    vectors = grains.lattice_vectors[number]
    hkl = _near_ring(vectors, ring, instrument.beam.wavelength)
    there = predict_spots(
        instrument, vectors[None], grains.position[number][None], hkl.astype(np.float64)
    )
    turn = there.omega[0].ravel()
    panel = there.panel[0].ravel()
    seen = (panel >= 0) & spots.covers(np.nan_to_num(turn))
    points = laboratory_from_spots(
        instrument, panel[seen], there.fast[0].ravel()[seen], there.slow[0].ravel()[seen]
    )
    start = spots.omega_range[0, 0]
    _, eta = angles_from_laboratory(instrument, points)
    return eta, start + np.mod(turn[seen] - start, 2.0 * np.pi)


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
        s=_sizes(spots.intensity)[rows] * 0.6, c=INK, alpha=0.5, linewidths=0, rasterized=True,
    )  # fmt: skip
    width, height = np.ptp(points[:, 1]), np.ptp(points[:, 2])
    axes.set_aspect("equal", adjustable="datalim" if height > 0.7 * width else "box")
    axes.set_anchor("N")
    axes.axhline(0.0, color=FAINT, linewidth=0.4, zorder=0)
    axes.axvline(0.0, color=FAINT, linewidth=0.4, zorder=0)
    axes.set_xlabel("-y (mm)")
    axes.set_ylabel("z (mm)")


def _pattern(axes: Any, two_theta: FloatArray, spots: Spots, found: list[_Ring]) -> None:
    counts, edges = np.histogram(np.rad2deg(two_theta), bins=600, weights=spots.intensity)
    top = float(counts.max()) or 1.0
    floor = max(top * 1e-6, 1.0)
    axes.stairs(np.maximum(counts, floor), edges, color=INK, linewidth=0.7)
    axes.set_yscale("log")
    axes.set_ylim(floor, top * 3.0)
    for ring in found:
        axes.axvline(np.rad2deg(ring.two_theta), ymax=0.03, color=SKY, linewidth=0.6)
    axes.set_xlabel("2 theta (deg)")
    axes.set_ylabel("counts of spots")


def _chart(axes: Any, eta: FloatArray, omega: FloatArray, intensity: FloatArray) -> None:
    if len(eta):
        rows = _fewer(len(eta))
        axes.scatter(
            *(np.rad2deg(eta[rows]), np.rad2deg(omega[rows])),
            s=_sizes(intensity)[rows], c=INK, alpha=0.6, linewidths=0, rasterized=True,
        )  # fmt: skip
    axes.set_xlim(-180.0, 180.0)
    axes.set_xticks(range(-180, 181, 45))
    axes.set_xlabel("azimuth eta (deg)")
    axes.set_ylabel("rotation omega (deg)")
