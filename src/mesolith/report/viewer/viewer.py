"""Packs grain maps for the 3-D view: numbers as base64 typed arrays, words as JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.cell import Cell
from mesolith.records.field import Quantity, quantities
from mesolith.records.grains import GrainMap
from mesolith.records.inverse_pole_figure import (
    colours_of_directions,
    crystal_direction,
    is_cubic,
)
from mesolith.records.lives import life_numbers, motions_since_first
from mesolith.records.style import DIVERGING, SEQUENTIAL, SERIES

_STEPS = 65534
_FIRST = ("stress_hydrostatic", "stress_von_mises", "strain_33", "strain_trace")


@dataclass(frozen=True, slots=True)
class _Field:
    """A scalar of every grain, state by state, with its standard errors where known."""

    key: str
    label: str
    unit: str
    values: list[FloatArray]
    errors: list[FloatArray] | None


def viewer_html(cell: Cell) -> str | None:
    """The viewer as a fragment of HTML, data and script included; None without grains."""
    maps = {state.index: grains for state, grains in cell.having(GrainMap)}
    maps = {index: grains for index, grains in maps.items() if len(grains)}
    if not maps:
        return None
    folder = files("mesolith.report.viewer")
    script = (folder / "viewer.js").read_text(encoding="utf-8")
    body = (folder / "viewer.html").read_text(encoding="utf-8")
    told, arrays = _packed(cell, maps)
    blocks = [f'<script type="application/json" class="viewer-words">{_json(told)}</script>']
    blocks += [
        f'<script type="application/octet-stream" data-array="{name}">{_base64(array)}</script>'
        for name, array in arrays.items()
    ]
    return (
        f'<div class="viewer" id="viewer">{body.strip()}\n'
        + "\n".join(blocks)
        + f"\n<script>\n{script}</script></div>"
    )


def _packed(
    cell: Cell, maps: dict[int, GrainMap]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    grains = list(maps.values())
    motions = motions_since_first(cell)
    lives = life_numbers(cell, maps)
    position = np.concatenate([motions[k].undone(found.position) for k, found in maps.items()])
    low, high = position.min(axis=0), position.max(axis=0)
    radius = np.concatenate([found.radius for found in grains])
    reach = float(np.nanmax(radius, initial=0.0)) or 1.0
    arrays: dict[str, NDArray[Any]] = {
        "position": np.stack(
            [_coded(position[:, k], float(low[k]), float(high[k])) for k in range(3)], axis=1
        ),
        "radius": _coded(radius, 0.0, reach),
        "life": np.concatenate([lives[index] for index in maps]).astype("<i4"),
        "id": np.concatenate([found.grain_id for found in grains]).astype("<i4"),
        "phase": np.concatenate([found.phase for found in grains]).astype(np.uint8),
    }
    cubic = all(is_cubic(int(group)) for found in grains for group in found.phases.space_group)
    if cubic:
        arrays["ipf"] = np.concatenate(
            [ipf_colours(found.orientation, motions[k].rotation) for k, found in maps.items()]
        )
    fields = _fields(grains) + _changes(grains, [lives[index] for index in maps])
    for k, field in enumerate(fields):
        values = np.concatenate(field.values)
        arrays[f"value{k}"] = _coded(values, *_range(values))
        if field.errors is not None:
            errors = np.concatenate(field.errors)
            arrays[f"error{k}"] = _coded(errors, *_range(errors))
    told = {
        "states": [cell.states[index].name for index in maps],
        "counts": [len(found) for found in grains],
        "low": low.tolist(),
        "high": high.tolist(),
        "radius": reach,
        "fields": [_words(k, field) for k, field in enumerate(fields)],
        "phases": list(grains[0].phases.name),
        "ipf": cubic,
        "pellet": _pellet(cell, low, high),
        "diverging": DIVERGING,
        "sequential": SEQUENTIAL,
        "series": SERIES,
    }
    return told, arrays


def ipf_colours(orientation: FloatArray, rotation: FloatArray) -> NDArray[np.uint8]:
    """Inverse pole figure colours of the sample's z axis for Laue class m-3m, (n, 3) bytes.

    ``rotation`` is how the sample turned since the first state, on whose axes z is meant. Red:
    <001> along z, green: <101>, blue: <111>, as in the report's orientation map.
    """
    along = crystal_direction(matrix_from_quaternion(orientation), rotation[:, 2])
    return np.rint(255.0 * colours_of_directions(along)).astype(np.uint8)


def _fields(grains: list[GrainMap]) -> list[_Field]:
    """Scalars from the declarations: one number a grain, and two from the strain tensor."""
    declared = quantities(GrainMap)
    errors = {quantity.error for quantity in declared.values()}
    found = [
        _field(name, quantity.label, quantity, [getattr(g, name) for g in grains], grains)
        for name, quantity in declared.items()
        if quantity.shape == ("grain",) and quantity.dtype == "float64" and name not in errors
        if all(getattr(g, name) is not None for g in grains)
    ]
    strains = [g.strain for g in grains if g.strain is not None]
    if len(strains) == len(grains):
        quantity = declared["strain"]
        label = quantity.label
        axial = [s[:, 2, 2] for s in strains]
        trace = [np.trace(s, axis1=1, axis2=2) for s in strains]
        found.append(_field("strain_33", f"{label} along z", quantity, axial, []))
        found.append(_field("strain_trace", f"{label}, trace", quantity, trace, []))
    order = {name: k for k, name in enumerate(_FIRST)}
    return sorted(found, key=lambda field: order.get(field.key, len(order)))


def _changes(grains: list[GrainMap], lives: list[IntArray]) -> list[_Field]:
    """Change of hydrostatic stress since the first state, NaN for grains not followed from it."""
    stresses = [g.stress_hydrostatic for g in grains if g.stress_hydrostatic is not None]
    if len(stresses) < 2 or len(stresses) < len(grains):
        return []
    sigmas = [g.standard_error(_FIRST[0]) for g in grains]
    known = [sigma for sigma in sigmas if sigma is not None]
    values, errors = [], []
    for k, life in enumerate(lives):
        change, error = np.full(len(life), np.nan), np.full(len(life), np.nan)
        _, now, then = np.intersect1d(life, lives[0], return_indices=True)
        change[now] = stresses[k][now] - stresses[0][then]
        values.append(change)
        if len(known) == len(grains):
            error[now] = np.hypot(known[k][now], known[0][then]) if k else 0.0
            errors.append(error)
    if not any(np.any(np.isfinite(change)) for change in values[1:]):
        return []
    label = "change of hydrostatic stress since first state"
    return [_Field("stress_hydrostatic_change", label, "MPa", values, errors or None)]


def _field(
    key: str,
    label: str,
    quantity: Quantity,
    values: list[FloatArray],
    grains: list[GrainMap],
) -> _Field:
    strain = key.startswith("strain")
    sigmas = [g.standard_error(key) for g in grains]
    known = [sigma for sigma in sigmas if sigma is not None]
    unit = "10⁻⁶" if strain else {"um": "µm", "1": ""}.get(quantity.unit, quantity.unit)
    return _Field(
        key,
        label,
        unit,
        [v * 1e6 if strain else v for v in values],
        known if grains and len(known) == len(grains) else None,
    )


def _words(k: int, field: _Field) -> dict[str, Any]:
    values = np.concatenate(field.values)
    low, high = _range(values)
    told: dict[str, Any] = {
        "key": field.key,
        "label": field.label,
        "unit": field.unit,
        "low": low,
        "high": high,
        "diverging": bool(low < 0.0),
    }
    if told["diverging"]:
        limit = float(np.nanpercentile(np.abs(values), 99.5)) or 1.0
        told["scale"] = [-limit, limit]
    else:
        told["scale"] = [low, float(np.nanpercentile(values, 99.5))]
    if field.errors is not None:
        told["error"] = list(_range(np.concatenate(field.errors)))
    return told


def _range(values: FloatArray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _coded(values: FloatArray, low: float, high: float) -> NDArray[np.uint16]:
    """Values as 16-bit steps from low to high; 65535 where they are not finite."""
    width = (high - low) or 1.0
    steps = np.rint((np.nan_to_num(values, nan=low) - low) / width * _STEPS)
    return np.where(np.isfinite(values), steps, 65535).astype("<u2")


def _pellet(cell: Cell, low: FloatArray, high: FloatArray) -> list[float]:
    """Diameter, bottom and top (um), from cell.toml or from the grains."""
    diameter = cell.conditions.get("cell.diameter_um") or float(max(high[:2] - low[:2]))
    height = cell.conditions.get("cell.thickness_um") or float(high[2] - low[2])
    middle = float(low[2] + high[2]) / 2.0
    return [float(diameter), middle - float(height) / 2.0, middle + float(height) / 2.0]


def _base64(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _json(value: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
