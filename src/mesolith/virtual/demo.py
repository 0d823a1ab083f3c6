"""Write a virtual cell as the files a user would have: raw data, cell.toml and the truth."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.io.biologic_write import write_mpt
from mesolith.io.midas_write import write_midas
from mesolith.io.zplot import write_z
from mesolith.virtual.arrays import IntArray
from mesolith.virtual.cell import VirtualCell
from mesolith.virtual.electrochemistry import UTC_OFFSET_H, ZONE, CyclerRun, cycler_runs
from mesolith.virtual.grain_lists import (
    GrainInstrument,
    MeasuredGrains,
    draw_motions,
    drifted,
    measure_grains,
)

TRUTH_COLUMNS = (
    "grain_id",
    "x_um",
    "y_um",
    "z_um",
    "radius_um",
    "stress_hydrostatic_mpa",
    "stress_von_mises_mpa",
    "found_id",
)


def write_demo(folder: Path, *, seed: int, preset: str = "demo", **overrides: Any) -> None:
    """Write ``raw/``, ``truth/`` and ``cell.toml`` of one virtual cell below ``folder``.

    Each state has a MIDAS grain list with noise, lost and invented grains, mounted anew (a shift
    and a turn), and the cycler's record of the half cycle before it with an impedance sweep; the
    sweeps of the first and the last state are files of their own (.z). The lattice parameter in
    the lists' head is wrong by about 1e-4, which nobody is told. ``overrides`` replace values of
    the preset's plan, such as ``planted``. The same seed gives the same bytes.
    """
    cell = VirtualCell.draw(seed, preset, **overrides)
    rng = np.random.default_rng([seed, 0xDE30])
    instrument = GrainInstrument(
        sigma_position_um=6.0,
        sigma_orientation_rad=math.radians(0.03),
        sigma_strain=6e-5,
        reference_offset=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.8e-4, 1.6e-4)),
    )
    states = [state.name for state in cell.plan.states]
    motions = drifted(draw_motions(rng, len(states)), cell.drift)
    runs = cycler_runs(cell)
    cycling = []
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(states):
        place = folder / "raw" / folder_name(name)
        place.mkdir(parents=True, exist_ok=True)
        measured = measure_grains(cell.grain_truth(number), instrument, rng, motion=motions[number])
        write_midas(place / "Grains.csv", measured.map, beam_thickness=100.0)
        separate = number in (0, len(states) - 1)
        cycling.append(_write_cycling(place, runs[number], separate=separate))
        table = truth_table(measured)
        (folder / "truth" / f"grains_{name}.csv").write_text(table, encoding="ascii", newline="\n")
    text = cell_toml(cell, instrument, runs, cycling)
    (folder / "cell.toml").write_text(text, encoding="utf-8", newline="\n")


def folder_name(state: str) -> str:
    """Name of a state without anything a file system may dislike: "plating 1" -> "plating1"."""
    return re.sub(r"[^A-Za-z0-9_-]", "", state)


def truth_table(measured: MeasuredGrains) -> str:
    """CSV text of the true grains of a state on its sample axes; ``found_id`` -1: not found."""
    truth = measured.truth
    found = np.full(len(truth.grain), -1, dtype=np.int64)
    real = measured.truth_row >= 0
    found[measured.truth_row[real]] = measured.map.grain_id[real]
    columns = [
        *truth.position.T,
        truth.radius,
        truth.stress_hydrostatic,
        truth.stress_von_mises,
    ]
    return "\n".join([",".join(TRUTH_COLUMNS), *_rows(truth.grain + 1, columns, found)]) + "\n"


def _rows(
    grain: IntArray, columns: list[np.ndarray[tuple[int], np.dtype[np.float64]]], found: IntArray
) -> list[str]:
    numbers = zip(*(column.tolist() for column in columns), strict=True)
    return [
        f"{g}," + ",".join(f"{value:.4f}" for value in row) + f",{f}"
        for g, row, f in zip(grain.tolist(), numbers, found.tolist(), strict=True)
    ]


def _write_cycling(folder: Path, run: CyclerRun, *, separate: bool) -> list[str]:
    """Write a run and return the names of its files.

    With ``separate`` the impedance sweep is a file of ZPlot; a run without a half cycle then has
    no other.
    """
    sweep = run.sweep
    files = []
    if separate:
        write_z(
            folder.with_suffix(".z"),
            started=run.started + timedelta(seconds=float(run.time[sweep.start - 1])),
            time=run.time[sweep] - run.time[sweep.start - 1],
            frequency=run.frequency[sweep],
            real=run.real[sweep],
            imaginary=run.imaginary[sweep],
        )
        files.append(folder.with_suffix(".z").name)
    if not separate or any(step.kind == "CC" for step in run.steps):
        rows = slice(0, sweep.start if separate else sweep.stop)
        steps: Any = run.steps  # of the same form as the writer's own, which is not ours to import
        write_mpt(
            folder.with_suffix(".mpt"),
            started=run.started,
            steps=steps[:-1] if separate else steps,
            step=run.step[rows],
            time=run.time[rows],
            voltage=run.voltage[rows],
            current=run.current[rows],
            frequency=run.frequency[rows],
            real=run.real[rows],
            imaginary=run.imaginary[rows],
            comment="virtual cell",
        )
        files.insert(0, folder.with_suffix(".mpt").name)
    return files


def cell_toml(
    cell: VirtualCell,
    instrument: GrainInstrument,
    runs: tuple[CyclerRun, ...],
    cycling: list[list[str]],
) -> str:
    """Text of the cell.toml that belongs to the files; ``cycling`` names those of each run."""
    plan = cell.plan
    pressure = plan.stack_pressure_mpa
    if len(set(pressure)) == 1:
        load = f"{pressure[0]:.1f}"
    else:
        pairs = zip(plan.states, pressure, strict=True)
        load = "[" + ", ".join(f'{{ state = "{s.name}", value = {p:g} }}' for s, p in pairs) + "]"
    head = f"""\
# A virtual cell with known truth, written by `mesolith demo`. Its raw data have the formats of a
# beamline and a cycler; copy this file as a start for your own cell.

[cell]
name = "virtual LLZTO {cell.seed}"
stack = "Li|LLZO|Li"              # counter electrode below, working electrode above
diameter_um = {plan.diameter_um:.1f}
thickness_um = {plan.thickness_um:.1f}
area_mm2 = {plan.area_mm2:.6f}
plates_under_positive_current = "working"    # EC-Lab files: usually "counter"
truth = "truth"                   # only a virtual cell has this

[conditions]
stack_pressure_mpa = {load}
lateral = "free"
forming_pressure_mpa = 400.0
temperature_c = 50.0
lithium_thickness_um = {plan.lithium_um:.1f}
interlayer_material = "none"
interlayer_thickness_um = 0.0
protocol = "no ramp, no break-in: half cycles of one current, each followed by a rest"

[electrolyte]
material = "LLZTO-I-43d"
second_phase = "LLZTO-Ia-3d"

[clock]
cycler = {{ zone = "{ZONE}", offset_s = 0.0 }}
beamline = {{ zone = "{ZONE}", offset_s = 0.0 }}

# Standard deviations of the grain lists: the files do not state them.
[hedm]
sigma_position_um = {instrument.stated_share * instrument.sigma_position_um:.2f}
sigma_orientation_deg = {instrument.stated_share * math.degrees(instrument.sigma_orientation_rad):g}
sigma_strain = {instrument.stated_share * instrument.sigma_strain:.2e}
"""
    return head + "".join(
        _state_toml(cell, number, run, files)
        for number, (run, files) in enumerate(zip(runs, cycling, strict=True))
    )


def _state_toml(cell: VirtualCell, number: int, run: CyclerRun, files: list[str]) -> str:
    plan = cell.plan
    state = plan.states[number]
    place = folder_name(state.name)
    lines = ["", "[[state]]", f'name = "{state.name}"']
    if number > 0:
        current = plan.current_ma_cm2 * (state.net - plan.states[number - 1].net)
        lines.append(
            f"after = {{ half_cycles = 1, current_ma_cm2 = {current:g}, "
            f"duration_h = {plan.half_cycle_h:g} }}"
        )
    lines.append(f"measured_at = {_aware(run.scanned)}")
    lines.append(f'grains = {{ files = ["raw/{place}/Grains.csv"], format = "midas" }}')
    listed = ", ".join(f'"raw/{name}"' for name in files)
    lines.append(f"cycling = {{ files = [{listed}] }}")
    return "\n".join(lines) + "\n"


def _aware(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='seconds')}+{UTC_OFFSET_H:02d}:00"
