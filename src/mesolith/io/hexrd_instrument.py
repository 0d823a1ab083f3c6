"""HEXRD's instrument files (yml): read and written, one panel or many.

HEXRD's laboratory: beam along -z, rotation about +y, x to the right as seen from behind the
detector; mm. A detector's tilt is the rotation vector of its axes (rad), its translation the
place of its middle; columns run along its +x, rows along -y. The stage leans by chi about x and
carries its sample axes along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.axes import (
    FRAME_BY_FORMAT,
    FloatArray,
    bases_from_house,
    bases_to_house,
    vectors_from_house,
    vectors_to_house,
)
from mesolith.errors import FileFormatError, InvalidValueError
from mesolith.instrument.beam import Beam, beam_from_energy
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.goniometer import Goniometer, axis_tilt
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel
from mesolith.io.instrument_file import InstrumentFile, check_axis_without_chi
from mesolith.io.yaml_subset import read_yaml, write_yaml
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    rotation_vector_from_quaternion,
)

_MM = 1000.0
_GE_RADIUS = 204_800.0  # um; the radius to which GE_41RT's parameters refer
_GE = "GE_41RT"
# where a sub-panel lies in the frame of the whole detector: frames are cut beforehand
_NOT_TAKEN = ("roi", "group")
_FLIP_SLOW = np.diag([1.0, -1.0, -1.0])  # rows run down, along -y


def recognise_hexrd_instrument(path: Path, head: bytes) -> float:
    """How surely the content is a HEXRD instrument, 0 to 1."""
    text = head.decode("utf-8", errors="replace")
    words = ("detectors:", "transform:", "translation:", "oscillation_stage:")
    return 1.0 if all(word in text for word in words) else 0.0


def read_hexrd_instrument(path: Path) -> InstrumentFile:
    """Instrument of a HEXRD yml.

    Raises
    ------
    FileFormatError
        A key is missing or its value is of the wrong kind.
    InvalidValueError
        A distortion that is not GE_41RT, or a detector that is not planar.
    """
    content = read_yaml(path)
    where = str(path)
    energy = _number(content, ("beam", "energy"), where)
    azimuth, polar = (
        np.deg2rad(_number(content, ("beam", "vector", key), where))
        for key in ("azimuth", "polar_angle")
    )
    upstream = [np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)]
    x, y, z = vectors_to_house(-np.array(upstream), "hexrd")
    chi = _number(content, ("oscillation_stage", "chi"), where)
    stage = _vector(content, ("oscillation_stage", "translation"), where, 3)
    detectors = _entry(content, ("detectors",), where)
    if not isinstance(detectors, Mapping) or not detectors:
        raise _lacks(("detectors",), where)
    panels = tuple(_panel(str(name), detectors[name], stage, where) for name in detectors)
    goniometer = Goniometer(-chi, 0.0)
    return InstrumentFile(
        Instrument(
            beam_from_energy(energy, direction=(float(x), float(y), float(z))), goniometer, panels
        ),
        axis_tilt(goniometer) @ np.array(FRAME_BY_FORMAT["hexrd"]),
        1.0,
        tuple(
            f"{key} of {name}"
            for name, detector in detectors.items()
            for key in _NOT_TAKEN
            if _entry(detector, ("pixels", key), where, default=None) is not None
            or _entry(detector, (key,), where, default=None) is not None
        ),
    )


def write_hexrd_instrument(path: Path, instrument: Instrument) -> None:
    """Write an instrument as HEXRD's yml; reading it gives the same to 1e-12.

    Raises
    ------
    InvalidValueError
        The axis also leans across the beam, a panel turns its back to the sample, or its
        distortion is not of GE_41RT's form.
    """
    check_axis_without_chi(instrument, "HEXRD")
    write_yaml(
        path,
        {
            "beam": _beam(instrument.beam),
            "detectors": {
                panel.name: _written_panel(panel, instrument.beam) for panel in instrument.panels
            },
            "id": "instrument",
            "oscillation_stage": {
                "chi": -instrument.goniometer.wedge,
                "translation": [0.0, 0.0, 0.0],
            },
        },
    )


def _beam(beam: Beam) -> dict[str, Any]:
    upstream = -vectors_from_house(beam.direction, "hexrd")
    return {
        "energy": beam.energy,
        "vector": {
            "azimuth": float(np.rad2deg(np.arctan2(upstream[2], upstream[0]))),
            "polar_angle": float(np.rad2deg(np.arccos(upstream[1]))),
        },
    }


def _panel(name: str, detector: Any, stage: FloatArray, where: str) -> Panel:
    place = f"{where}, detector {name}"
    shape = _entry(detector, ("detector_type",), place, default="planar")
    if shape != "planar":
        raise InvalidValueError(
            f"the detector is {shape}", where=place, remedy="Planar detectors are read here."
        )
    tilt = _vector(detector, ("transform", "tilt"), place, 3)
    axes = bases_to_house(
        matrix_from_quaternion(quaternion_from_rotation_vector(tilt)) @ _FLIP_SLOW, "hexrd"
    )
    middle = _vector(detector, ("transform", "translation"), place, 3) - stage
    return Panel(
        name,
        np.array([_count(detector, ("pixels", key), place) for key in ("rows", "columns")]),
        _MM * _vector(detector, ("pixels", "size"), place, 2),
        _MM * vectors_to_house(middle, "hexrd"),
        axes,
        _distortion(_entry(detector, ("distortion",), place, default=None), place),
    )


def _distortion(distortion: Any, place: str) -> Distortion | None:
    if distortion is None:
        return None
    name = _entry(distortion, ("function_name",), place)
    if name == "None" or name is None:
        return None
    if name != _GE:
        raise InvalidValueError(
            f"the distortion {name} is not known here",
            where=place,
            remedy=f"{_GE} is; or correct the frames first and remove the distortion.",
        )
    values = _vector(distortion, ("parameters",), place, 6)
    return Distortion(
        np.zeros(2), _GE_RADIUS, values[:3], values[3:], np.array([2.0, 4.0, 0.0]), np.zeros(3)
    )


def _written_panel(panel: Panel, beam: Beam) -> dict[str, Any]:
    if panel.rotation[:, 2] @ beam.direction <= 0.0:
        raise InvalidValueError(
            f"the frames of panel {panel.name} are stored as seen along the beam; HEXRD's "
            "detectors face the sample",
            remedy="Mirror the rows of its frames, and describe the panel as mirrored.",
        )
    quaternion = quaternion_from_matrix(
        bases_from_house(panel.rotation, "hexrd") @ _FLIP_SLOW, tolerance=1e-9
    )
    middle = vectors_from_house(panel.origin, "hexrd") / _MM
    entry: dict[str, Any] = {
        "buffer": None,
        "pixels": {
            "columns": int(panel.shape[1]),
            "rows": int(panel.shape[0]),
            "size": (panel.pitch / _MM).tolist(),
        },
        "saturation_level": None,
        "transform": {
            "tilt": rotation_vector_from_quaternion(quaternion).tolist(),
            "translation": middle.tolist(),
        },
    }
    if panel.distortion is not None:
        entry["distortion"] = {
            "function_name": _GE,
            "parameters": _ge_parameters(panel.distortion, panel.name),
        }
    return entry


def _ge_parameters(distortion: Distortion, name: str) -> list[float]:
    same = (
        len(distortion.amplitude) == 3
        and np.array_equal(distortion.harmonic, [2.0, 4.0, 0.0])
        and not np.any(distortion.phase)
        and not np.any(distortion.centre)
    )
    if not same:
        raise InvalidValueError(
            f"the distortion of panel {name} is not of the form of {_GE}",
            remedy="It has three terms of harmonics 2, 4 and 0 about the panel's middle.",
        )
    scale = (_GE_RADIUS / distortion.radius) ** distortion.exponent
    return [*(distortion.amplitude * scale).tolist(), *distortion.exponent.tolist()]


def _entry(content: Any, keys: Sequence[str], where: str, **default: Any) -> Any:
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            if "default" in default:
                return default["default"]
            raise _lacks(keys, where)
        content = content[key]
    return content


def _lacks(keys: Sequence[str], where: str) -> FileFormatError:
    return FileFormatError(
        f"the instrument has no {'/'.join(keys)}",
        where=where,
        remedy="Export it again from HEXRD, in the form with energy, detectors and transform.",
    )


def _number(content: Any, keys: Sequence[str], where: str) -> float:
    value = _entry(content, keys, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise FileFormatError(
            f"{'/'.join(keys)} is {value!r}, not a number", where=where, remedy="Restore it."
        )
    return float(value)


def _count(content: Any, keys: Sequence[str], where: str) -> int:
    value = _number(content, keys, where)
    if value != int(value):
        raise FileFormatError(
            f"{'/'.join(keys)} is {value}, not a whole number", where=where, remedy="Restore it."
        )
    return int(value)


def _vector(content: Any, keys: Sequence[str], where: str, length: int) -> FloatArray:
    value = _entry(content, keys, where)
    good = isinstance(value, list) and len(value) == length
    if not good or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        raise FileFormatError(
            f"{'/'.join(keys)} is {value!r}, not a list of {length} numbers",
            where=where,
            remedy="Restore it.",
        )
    return np.array(value, dtype=np.float64)
