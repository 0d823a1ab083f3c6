"""What can be off in an instrument, by name: moving it, and how spots answer.

``distance``, ``shift_y``, ``shift_z`` move all panels along the beam, y and z (um); ``tilt_x``,
``tilt_y``, ``tilt_z`` turn them about laboratory axes (rad) through the point where the beam
meets them, so that tilt_x is the roll about the beam. ``wedge`` and ``chi`` are the
goniometer's (rad), ``wavelength`` the beam's (angstrom), ``amplitude_0`` ... the terms of the
panels' distortion. A panel's name after a colon (``tilt_x:left``) moves that panel alone, and
turns it about its own middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import SettingsError
from mesolith.instrument.goniometer import rotation_from_omega
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import Panel, laboratory_from_pixels
from mesolith.instrument.predict import Linearised
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_rotation_vector

SHIFTS = ("distance", "shift_y", "shift_z")
TILTS = ("tilt_x", "tilt_y", "tilt_z")
AXIS = ("wedge", "chi")
_AMPLITUDE = "amplitude_"


@dataclass(frozen=True, slots=True)
class _Parameter:
    kind: str
    panel: int | None
    term: int = 0

    def moves(self, panel: int) -> bool:
        return self.panel is None or self.panel == panel


def moved(instrument: Instrument, changes: Mapping[str, float]) -> Instrument:
    """The instrument with each named parameter changed by that much.

    Panels turn first (one rotation vector made of the three tilts) and then shift; those of a
    single panel come after those of all.
    """
    parameters = {name: _parameter(instrument, name) for name in changes}
    pivot = beam_on_panels(instrument)
    panels = list(instrument.panels)
    for alone in (False, True):
        for k, panel in enumerate(panels):
            shift, turn = np.zeros(3), np.zeros(3)
            amplitude = None if panel.distortion is None else panel.distortion.amplitude.copy()
            for name, parameter in parameters.items():
                if (parameter.panel is not None) is not alone or not parameter.moves(k):
                    continue
                if parameter.kind in SHIFTS:
                    shift += changes[name] * _shift_axis(instrument, parameter.kind)
                elif parameter.kind in TILTS:
                    turn[TILTS.index(parameter.kind)] += changes[name]
                elif parameter.kind == _AMPLITUDE and amplitude is not None:
                    amplitude[parameter.term] += changes[name]
            panels[k] = _moved_panel(panel, shift, turn, panel.origin if alone else pivot)
            if amplitude is not None and panel.distortion is not None:
                bent = replace(panel.distortion, amplitude=amplitude)
                panels[k] = replace(panels[k], distortion=bent)
    goniometer = replace(
        instrument.goniometer,
        wedge=instrument.goniometer.wedge + changes.get("wedge", 0.0),
        chi=instrument.goniometer.chi + changes.get("chi", 0.0),
    )
    beam = replace(
        instrument.beam,
        wavelength=instrument.beam.wavelength + changes.get("wavelength", 0.0),
    )
    return Instrument(beam, goniometer, tuple(panels))


def beam_on_panels(instrument: Instrument) -> FloatArray:
    """Point of the beam (3,), um, as far along it as the panels' middles are on average."""
    direction = instrument.beam.direction
    along = np.mean([panel.origin @ direction for panel in instrument.panels])
    return np.asarray(along * direction, dtype=np.float64)


def spots_by_instrument(
    instrument: Instrument,
    names: Sequence[str],
    *,
    g: FloatArray,
    position: FloatArray,
    panel: IntArray,
    spots: Linearised,
) -> FloatArray:
    """Derivatives (n, 3, len(names)) of fast, slow and omega by the instrument's parameters.

    ``g`` and ``position`` (n, 3) on sample axes and ``panel`` (n,) are those from which
    `linearise_spots` made ``spots``.
    """
    parameters = [_parameter(instrument, name) for name in names]
    beam = instrument.beam
    omega = spots.value[:, 2]
    turn = rotation_from_omega(instrument.goniometer, omega)
    g_lab = np.einsum("nij,nj->ni", turn, g)
    place = np.einsum("nij,nj->ni", turn, np.broadcast_to(position, g.shape))
    # rows: d (fast, slow) by a laboratory point of the ray
    by_point = np.einsum("nij,nkj->nik", spots.by_position[:, :2], turn)
    hit = _hit_points(instrument, panel, spots.value)
    reach = np.linalg.norm(hit - place, axis=1)
    axis = instrument.goniometer.axis
    g_turns, place_turns = np.cross(axis, g_lab), np.cross(axis, place)
    rate = g_turns @ beam.direction
    ray = beam.direction + beam.wavelength * g_lab
    long = (reach / np.linalg.norm(ray, axis=1))[:, None]

    def of_crossing(motion: FloatArray, shifted: FloatArray, late: FloatArray) -> FloatArray:
        """Rays whose direction and start move at fixed omega, with omega late by so much."""
        direction = motion + beam.wavelength * g_turns * late[:, None]
        start = shifted + place_turns * late[:, None]
        across = np.einsum("nij,nj->ni", by_point, start + long * direction)
        return np.column_stack([across, late])

    out = np.zeros((len(g), 3, len(names)))
    for j, parameter in enumerate(parameters):
        if parameter.kind == "wavelength":
            late = -0.5 * np.sum(g_lab * g_lab, axis=1) / rate
            out[:, :, j] = of_crossing(g_lab, np.zeros_like(place), late)
        elif parameter.kind in AXIS:
            e = _axis_turn(instrument, parameter.kind)
            g_moves = np.cross(e, g_lab) - np.einsum("nij,nj->ni", turn, np.cross(e, g))
            shifted = np.cross(e, place) - np.einsum(
                "nij,nj->ni", turn, np.cross(e, np.broadcast_to(position, g.shape))
            )
            late = -(g_moves @ beam.direction) / rate
            out[:, :, j] = of_crossing(beam.wavelength * g_moves, shifted, late)
        else:
            here = np.isin(panel, [k for k in range(len(instrument.panels)) if parameter.moves(k)])
            motion = _material_motion(
                instrument, parameter, panel[here], hit[here], spots.value[here]
            )
            out[here, :2, j] = -np.einsum("nij,nj->ni", by_point[here], motion)
    return out


def points_by_instrument(
    instrument: Instrument,
    names: Sequence[str],
    *,
    panel: IntArray,
    fast: FloatArray,
    slow: FloatArray,
) -> FloatArray:
    """Derivatives (n, 3, len(names)) of laboratory points of pixels, um; 0 for beam and axis."""
    value = np.column_stack([fast, slow])
    hit = _hit_points(instrument, panel, value)
    out = np.zeros((len(panel), 3, len(names)))
    for j, name in enumerate(names):
        parameter = _parameter(instrument, name)
        if parameter.kind in AXIS or parameter.kind == "wavelength":
            continue
        here = np.isin(panel, [k for k in range(len(instrument.panels)) if parameter.moves(k)])
        out[here, :, j] = _material_motion(
            instrument, parameter, panel[here], hit[here], value[here]
        )
    return out


def _parameter(instrument: Instrument, name: str) -> _Parameter:
    kind, _, panel_name = name.partition(":")
    names = [panel.name for panel in instrument.panels]
    of_panels = kind in SHIFTS or kind in TILTS or kind.startswith(_AMPLITUDE)
    if panel_name and (panel_name not in names or not of_panels):
        raise SettingsError(
            f"{name!r} is no parameter of this instrument",
            remedy=f"After the colon stands a panel: {', '.join(names)}.",
        )
    number = names.index(panel_name) if panel_name else None
    if kind.startswith(_AMPLITUDE):
        term = kind.removeprefix(_AMPLITUDE)
        bent = instrument.panels if number is None else (instrument.panels[number],)
        terms = min(0 if p.distortion is None else len(p.distortion.amplitude) for p in bent)
        if not term.isdigit() or int(term) >= terms:
            raise SettingsError(
                f"{name!r} is no parameter of this instrument",
                remedy=f"Its distortion has {terms} terms, counted from 0.",
            )
        return _Parameter(_AMPLITUDE, number, int(term))
    if not of_panels and kind not in (*AXIS, "wavelength"):
        known = ", ".join((*SHIFTS, *TILTS, *AXIS, "wavelength", "amplitude_0"))
        raise SettingsError(
            f"{name!r} is no parameter of an instrument", remedy=f"Known are {known}."
        )
    return _Parameter(kind, number)


def _shift_axis(instrument: Instrument, kind: str) -> FloatArray:
    if kind == "distance":
        return instrument.beam.direction
    return np.eye(3)[1 if kind == "shift_y" else 2]


def _axis_turn(instrument: Instrument, kind: str) -> FloatArray:
    """Rotation vector by which the goniometer's axis turns per rad of wedge or chi."""
    if kind == "chi":
        return np.array([1.0, 0.0, 0.0])
    chi = instrument.goniometer.chi
    return np.array([0.0, np.cos(chi), np.sin(chi)])


def _moved_panel(panel: Panel, shift: FloatArray, turn: FloatArray, pivot: FloatArray) -> Panel:
    if not (np.any(shift) or np.any(turn)):
        return panel
    matrix = matrix_from_quaternion(quaternion_from_rotation_vector(turn))
    return replace(
        panel,
        origin=pivot + matrix @ (panel.origin - pivot) + shift,
        rotation=matrix @ panel.rotation,
    )


def _hit_points(instrument: Instrument, panel: IntArray, value: FloatArray) -> FloatArray:
    hit = np.full((len(panel), 3), np.nan)
    for k, one in enumerate(instrument.panels):
        here = panel == k
        hit[here] = laboratory_from_pixels(one, value[here, 0], value[here, 1])
    return hit


def _material_motion(
    instrument: Instrument,
    parameter: _Parameter,
    panel: IntArray,
    hit: FloatArray,
    value: FloatArray,
) -> FloatArray:
    """How far the pixel that was hit moves in the laboratory per unit of a panel's parameter."""
    if parameter.kind in SHIFTS:
        return np.broadcast_to(_shift_axis(instrument, parameter.kind), hit.shape)
    if parameter.kind in TILTS:
        pivot = beam_on_panels(instrument)
        if parameter.panel is not None:
            pivot = instrument.panels[parameter.panel].origin
        return np.cross(np.eye(3)[TILTS.index(parameter.kind)], hit - pivot)
    motion = np.zeros_like(hit)
    for k, one in enumerate(instrument.panels):
        here = panel == k
        if not here.any() or one.distortion is None:
            continue
        bent = one.distortion
        recorded = np.column_stack(
            [
                (value[here, 0] - (one.shape[1] - 1) / 2.0) * one.pitch[1],
                (value[here, 1] - (one.shape[0] - 1) / 2.0) * one.pitch[0],
            ]
        )
        away = recorded - bent.centre
        j = parameter.term
        size = (np.linalg.norm(away, axis=1) / bent.radius) ** bent.exponent[j] * np.cos(
            bent.harmonic[j] * np.arctan2(away[:, 1], away[:, 0]) + bent.phase[j]
        )
        motion[here] = (size[:, None] * away) @ one.rotation[:, :2].T
    return motion
