"""Where the mapped phase ends: the interface, from the loss of its pattern."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import InvalidValueError
from mesolith.records.laue_map import NO_PATTERN, LaueInterface, LaueMap

# a line that many points of which lie on the wrong side of its edge has none
_MOST_WRONG = 0.2
_FEWEST_LINES = 5
_HALF = 0.5
_PLATEAU = 8


def locate_interface(grain_map: LaueMap) -> LaueInterface:
    """The interface between the phase and what has no pattern of it, such as lithium.

    Along each line of the raster the edge is put where fewest points lie on the wrong side of it:
    points with a pattern half as bright as further inside, or brighter, against the others. It is
    then anywhere between two points, so that its error is that of a step, step / sqrt(12). A
    straight line is fitted to all; what scatters beyond that error is roughness.

    Raises
    ------
    InvalidValueError
        No side of the map lacks the pattern, or fewer than five lines of it cross the interface.
    """
    scan = grain_map.scan
    empty = scan.on_raster((grain_map.status & NO_PATTERN) != 0)
    brightness = scan.on_raster(grain_map.brightness)
    x, y = scan.on_raster(scan.x), scan.on_raster(scan.y)
    if not np.any(empty == 1.0) or not np.any(empty == 0.0):
        raise InvalidValueError(
            f"scan {scan.name} does not cross the end of the phase",
            remedy="Map an area that reaches beyond the interface.",
        )
    apart = [float(np.mean(part[empty == 1.0]) - np.mean(part[empty == 0.0])) for part in (x, y)]
    along_y = abs(apart[1]) >= abs(apart[0])
    outward = 1.0 if apart[int(along_y)] > 0.0 else -1.0
    measured, across = (y, x) if along_y else (x, y)
    layers = [part if along_y else part.T for part in (measured, empty, brightness)]
    lines = [
        _edge_of_line(layers[0][:, k], layers[1][:, k], layers[2][:, k], outward)
        for k in range(layers[0].shape[1])
    ]
    place, error = (np.array(values, dtype=np.float64) for values in zip(*lines, strict=True))
    line = np.nanmean(across, axis=0 if along_y else 1)
    return _with_line("y" if along_y else "x", line, place, error, outward)


def interface_distance(interface: LaueInterface, x: FloatArray, y: FloatArray) -> FloatArray:
    """Distance (n,) of places to the interface, um, positive within the phase.

    It follows the places of the lines near by, and the fitted line's direction.
    """
    return interface.distance(x, y)


def _edge_of_line(
    place: FloatArray, empty: FloatArray, brightness: FloatArray, outward: float
) -> tuple[float, float]:
    """Edge of one line and its standard error; NaN where the line has none."""
    known = np.isfinite(place)
    order = np.flatnonzero(known)[np.argsort(outward * place[known], kind="stable")]
    place, bright = place[order], brightness[order]
    inside = (empty[order] == 0.0) & np.isfinite(bright)
    if inside.sum() < 2 or inside.all():
        return np.nan, np.nan
    # beside the edge a beam that only grazes the phase is fainter than further in
    rows = np.flatnonzero(inside)
    for k in range(len(rows) - 1, max(len(rows) - 1 - _PLATEAU, 0), -1):
        before = bright[rows[max(k - _PLATEAU, 0) : k]]
        inside[rows[k]] = bright[rows[k]] >= _HALF * np.median(before)
        if inside[rows[k]]:
            break
    # points before the edge that are not inside, and points behind it that are
    wrong = np.concatenate([[0], np.cumsum(~inside)]) + inside.sum()
    wrong = wrong - np.concatenate([[0], np.cumsum(inside)])
    best = int(np.argmin(wrong))
    if best in (0, len(place)) or wrong[best] > _MOST_WRONG * len(place):
        return np.nan, np.nan
    step = abs(place[best] - place[best - 1])
    return float(0.5 * (place[best] + place[best - 1])), float(step / np.sqrt(12.0))


def _with_line(
    along: str, line: FloatArray, place: FloatArray, error: FloatArray, outward: float
) -> LaueInterface:
    known = np.isfinite(place)
    count = int(known.sum())
    if count < _FEWEST_LINES:
        raise InvalidValueError(
            f"{count} lines of the raster cross the interface, {_FEWEST_LINES} are needed",
            remedy="Map an area that reaches beyond the interface.",
        )
    middle = line[known].mean()
    design = np.stack([np.ones(count), line[known] - middle], axis=1)
    solved = np.linalg.lstsq(design, place[known], rcond=None)[0]
    off = place[known] - design @ solved
    variance = float(off @ off) / max(count - 2, 1)
    noise = float(np.mean(error[known] ** 2))
    inverse = np.linalg.inv(design.T @ design) * max(variance, noise)
    length = np.hypot(1.0, solved[1])
    normal = outward * np.array([-solved[1], 1.0]) / length
    point = np.array([middle, solved[0]])
    if along == "x":
        normal, point = normal[::-1], point[::-1]
    return LaueInterface(
        along=along,
        line=line,
        place=place,
        place_se=error,
        point=point,
        normal=normal,
        offset_se=float(np.sqrt(inverse[0, 0]) / length),
        angle_se=float(np.sqrt(inverse[1, 1]) / length**2),
        roughness=float(np.sqrt(max(variance - noise, 0.0)) / length),
    )
