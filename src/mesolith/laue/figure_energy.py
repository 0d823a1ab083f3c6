"""Profiles against photon energy at one point, and the lattice parameter along a line."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.laue.energy_profile import profile_shape
from mesolith.records.drawing import Drawing
from mesolith.records.laue_energy import EnergyPeaks, EnergyScan, LatticeSplits, SizedLattices
from mesolith.records.style import (
    BLUE,
    FAINT,
    INK,
    RED,
    SKY,
    axes_mm,
    house_style,
    letter,
    new_figure,
)

_MOST_PROFILES = 6
_COMPONENTS = (BLUE, RED)
_NAMES = ("smaller lattice", "larger lattice")


def energy_drawing(
    scan: EnergyScan,
    peaks: EnergyPeaks,
    splits: LatticeSplits,
    lattices: SizedLattices,
    *,
    point: int,
    distance: FloatArray,
    from_what: str = "the interface",
) -> Drawing:
    """Profiles of up to six reflections of ``point``, and all lattice parameters.

    ``distance`` (um) is that of each row of ``lattices`` from ``from_what``.

    Raises
    ------
    InvalidValueError
        The scan has no such point.
    """
    own = np.flatnonzero(scan.point == point)[:_MOST_PROFILES]
    if not len(own):
        raise InvalidValueError(f"the scan has no point {point}")
    split = int(np.flatnonzero(splits.point == point)[0])
    with house_style():
        figure = new_figure(92.0)
        for k, row in enumerate(own):
            axes = axes_mm(figure, 13 + 28 * (k % 3), 52 - 41 * (k // 3), 24, 31)
            _profile(axes, scan, peaks, int(row), float(splits.tail[split]))
            if k == 0:
                letter(axes, "a", left_mm=11.0)
            if k % 3 == 0:
                axes.set_ylabel("counts a step")
            # one label a row: three of them would run into each other
            if k == min(3 * ((len(own) - 1) // 3) + 1, len(own) - 1):
                axes.set_xlabel("energy less mean (eV)")
        axes = axes_mm(figure, 113, 11, 64, 72)
        _line(axes, lattices, distance, point)
        axes.set_xlabel(f"distance from {from_what} (µm)")
        axes.set_ylabel("lattice parameter (Å)")
        letter(axes, "b", left_mm=14.0)
    return Drawing(
        figure=figure,
        caption=_caption(splits, split, lattices, point, len(own), from_what),
        how=(
            "Profiles of a point are fitted together by Poisson's likelihood; shape, split and "
            "mixing ratio are common to its reflections. Lattice parameters come from the peak "
            "energies and the places of the spots, refined with the deviatoric strain and the "
            "height of the surface; each spot starts at the depth that its energy has. Error "
            "bars are what is independent from point to point; the grey bar is what shifts all "
            "points together."
        ),
        cite=(),
        table={
            f"distance_from_{from_what.replace(' ', '_')}_um": distance,
            "lattice_parameter_angstrom": lattices.lattice_parameter,
            "lattice_parameter_angstrom_se": lattices.lattice_parameter_se,
            "lattice_parameter_angstrom_total_se": lattices.total_error("lattice_parameter"),
            "component": lattices.component,
            "share": lattices.share,
        },
    )


def _profile(axes: Any, scan: EnergyScan, peaks: EnergyPeaks, row: int, tail: float) -> None:
    steps = scan.reflection == row
    rows = np.flatnonzero(peaks.reflection == row)
    middle = float(np.average(peaks.energy[rows], weights=peaks.share[rows]))
    energy, counts = scan.energy[steps], scan.counts[steps]
    axes.plot(1e3 * (energy - middle), counts, "o", ms=2.2, color=INK, mew=0.0)
    fine = np.linspace(energy.min(), energy.max(), 400)
    parts = _components(peaks, rows, fine, tail)
    background = float(peaks.background[rows[0]])
    if len(rows) > 1:
        for part, colour in zip(parts, _COMPONENTS, strict=True):
            axes.fill_between(
                *(1e3 * (fine - middle), background, background + part),
                color=colour, alpha=0.35, linewidth=0.0,
            )  # fmt: skip
    axes.plot(
        1e3 * (fine - middle),
        background + parts.sum(axis=0),
        color=INK if len(rows) > 1 else BLUE,
        linewidth=0.7,
    )
    width = float(peaks.width[rows].max())
    reach = 1e3 * (np.ptp(peaks.energy[rows]) + 7.0 * width)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(0.0, 1.28 * counts.max())
    axes.text(
        *(0.04, 0.98, " ".join(_index(one) for one in scan.hkl[row])),
        transform=axes.transAxes, ha="left", va="top", fontsize=6.5,
    )  # fmt: skip
    axes.text(
        *(0.98, 0.98, f"{middle:.3f} keV"),
        transform=axes.transAxes, ha="right", va="top", fontsize=6.0,
    )  # fmt: skip
    axes.locator_params(axis="y", nbins=4)
    axes.locator_params(axis="x", nbins=4)


def _components(peaks: EnergyPeaks, rows: IntArray, energy: FloatArray, tail: float) -> FloatArray:
    """Counts (components, n) above the background."""
    z = (energy[None, :] - peaks.energy[rows, None]) / peaks.width[rows, None]
    return np.asarray(peaks.height[rows, None] * profile_shape(z, tail)[0])


def _index(one: int) -> str:
    return rf"$\overline{{{-one}}}$" if one < 0 else f"{one}"


def _line(axes: Any, lattices: SizedLattices, distance: FloatArray, point: int) -> None:
    a, random = lattices.lattice_parameter, lattices.lattice_parameter_se
    common = np.sqrt(np.maximum(lattices.total_error("lattice_parameter") ** 2 - random**2, 0.0))
    reference = float(np.cbrt(np.prod(lattices.phases.lattice[0, :3])))
    several = bool(np.any(lattices.component > 0))
    for component, colour in enumerate(_COMPONENTS):
        rows = lattices.component == component
        if not rows.any():
            continue
        axes.errorbar(
            distance[rows], a[rows], yerr=random[rows], fmt="o", color=colour, ms=3.0,
            elinewidth=0.7, label=_NAMES[component] if several else None,
        )  # fmt: skip
    shown = np.flatnonzero(lattices.point == point)
    axes.plot(
        distance[shown], a[shown], "o", ms=6.5, mfc="none", mec=INK, mew=0.7, label="point of a"
    )
    span = float(np.ptp(distance)) or 1.0
    right = float(distance.max()) + 0.09 * span
    middle = float(np.median(a[lattices.component == 0]))
    half = float(np.median(common))
    axes.plot([right, right], [middle - half, middle + half], color=FAINT, linewidth=4.0)
    axes.text(right + 0.03 * span, middle, "common", rotation=90, va="center", fontsize=6.0)
    low, high = axes.get_ylim()
    if low < reference < high:
        axes.axhline(reference, color=SKY, linewidth=0.6, dashes=(4, 3))
        axes.text(
            float(distance.min()), reference, "reference", color=SKY, va="bottom", ha="left",
            fontsize=6.0,
        )  # fmt: skip
    axes.set_xlim(float(distance.min()) - 0.05 * span, right + 0.09 * span)
    axes.set_ylim(low, high + 0.15 * (high - low))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.legend(loc="upper right")


def _caption(
    splits: LatticeSplits,
    split: int,
    lattices: SizedLattices,
    point: int,
    shown: int,
    from_what: str,
) -> str:
    resolved = int(splits.resolved.sum())
    if splits.resolved[split]:
        verdict = (
            f"They show two lattices {splits.split[split]:.3g} ± {splits.split_se[split]:.1g} "
            f"apart, {splits.share[split]:.0%} of the counts from the larger one; a single lattice "
            "looks like that with a probability below "
            f"{max(splits.false_probability[split], 1e-12):.0e}."
        )
    else:
        verdict = "One lattice describes them."
    total = lattices.total_error("lattice_parameter") / lattices.lattice_parameter
    return (
        f"(a) Counts against photon energy of {shown} reflections of point {point}, zero at the "
        f"mean peak energy, with the fit{' and its two parts' if splits.resolved[split] else ''}. "
        f"{verdict} (b) Lattice parameter against distance from {from_what} at "
        f"{len(splits)} points, two lattices at {resolved} of them. One standard error is "
        f"{np.median(lattices.hydrostatic_se):.1e} from point to point and "
        f"{np.median(total):.1e} in all."
    )
