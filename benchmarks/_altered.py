"""Raw files of a virtual cell altered so that conclusions must change: copies, never in place."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.crystal.lattice import basis_from_lattice, lattice_from_basis
from mesolith.io.midas import read_midas
from mesolith.io.midas_write import write_midas
from mesolith.io.truth_table import read_truth
from mesolith.records.grains import GrainMap

_CURRENT_COLUMNS = ("control/V/mA", "I/mA", "dq/mA.h", "(Q-Qo)/mA.h", "control/mA", "P/W")
_BEAM_THICKNESS = 100.0


def stresses_shuffled(source: Path, target: Path, *, seed: int) -> None:
    """Exchange the lattices of grains: one permutation for all states, within each phase.

    Grains that all states hold take part, so that each keeps its whole life but lives it in
    another place. Places, orientations and sizes stay.
    """
    _copied(source, target)
    states = _states(source)
    maps = {state: _grain_map(source, state) for state in states}
    rows = {state: _row_of_grain(source, state, maps[state]) for state in states}
    everywhere = np.flatnonzero(np.all([rows[state] >= 0 for state in states], axis=0))
    phase = maps[states[0]].phase[rows[states[0]][everywhere]]
    rng = np.random.default_rng([seed, 0x54F1])
    giver = everywhere.copy()
    for kind in np.unique(phase):
        own = np.flatnonzero(phase == kind)
        giver[own] = everywhere[rng.permutation(own)]
    for state in states:
        lattice = maps[state].lattice.copy()
        lattice[rows[state][everywhere]] = maps[state].lattice[rows[state][giver]]
        _write(target, state, replace(maps[state], lattice=lattice))


def changes_zeroed(source: Path, target: Path, *, seed: int, sigma_strain: float) -> None:
    """Give each grain in all states the lattice of the first that holds it, plus fresh noise.

    The first state gets fresh noise too: what is measured there then stands for the truth of
    all states, and each state errs on its own by the sigma that its user states. Invented grains
    keep their lattice.
    """
    _copied(source, target)
    states = _states(source)
    rng = np.random.default_rng([seed, 0x2E20])
    first: FloatArray | None = None
    for state in states:
        grains = _grain_map(source, state)
        row = _row_of_grain(source, state, grains)
        if first is None:
            first = np.full((len(row), 6), np.nan)
        new = (row >= 0) & np.isnan(first[:, 0])
        first[new] = grains.lattice[row[new]]
        held = row >= 0
        lattice = grains.lattice.copy()
        lattice[row[held]] = _strained(first[held], sigma_strain, rng)
        _write(target, state, replace(grains, lattice=lattice))


def current_doubled(source: Path, target: Path) -> None:
    """Twice the current and charge in all cycler files, and twice what cell.toml says of it.

    Voltages stay as they were, so the resistance of each half cycle is halved; sweeps of
    impedance hold no current and stay.
    """
    _copied(source, target)
    for path in sorted(target.rglob("*.mpt")):
        path.write_bytes(_with_twice_the_current(path.read_bytes().decode("latin-1")))
    file = target / "cell.toml"
    text = re.sub(
        r"current_ma_cm2 = (-?[0-9.]+)",
        lambda found: f"current_ma_cm2 = {2.0 * float(found.group(1)):g}",
        file.read_text(encoding="utf-8"),
    )
    file.write_text(text, encoding="utf-8", newline="\n")


def set_in_section(folder: Path, section: str, line: str) -> None:
    """Add a line to a section of cell.toml."""
    file = folder / "cell.toml"
    text = file.read_text(encoding="utf-8")
    if f"[{section}]\n" not in text:
        raise ValueError(f"cell.toml has no section [{section}]")
    file.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{line}\n", 1), encoding="utf-8")


def _copied(source: Path, target: Path) -> None:
    """Raw files and cell.toml without the truth, which is no longer true."""
    shutil.copytree(source / "raw", target / "raw")
    text = (source / "cell.toml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("truth = ")]
    (target / "cell.toml").write_text("".join(lines), encoding="utf-8", newline="\n")


def _states(folder: Path) -> list[str]:
    text = (folder / "cell.toml").read_text(encoding="utf-8")
    return re.findall(r'\[\[state\]\]\nname = "([^"]+)"', text)


def _list_of(folder: Path, state: str) -> Path:
    return folder / "raw" / state.replace(" ", "") / "Grains.csv"


def _grain_map(folder: Path, state: str) -> GrainMap:
    return read_midas(_list_of(folder, state)).grain_map


def _write(folder: Path, state: str, grains: GrainMap) -> None:
    write_midas(_list_of(folder, state), grains, beam_thickness=_BEAM_THICKNESS)


def _row_of_grain(folder: Path, state: str, grains: GrainMap) -> IntArray:
    """Row in the state's list of each true grain by its number, -1 where it was not found."""
    truth = read_truth(folder / "truth" / f"grains_{state}.csv")
    found = truth.found_id >= 0
    order = np.argsort(grains.grain_id)
    row = np.full(int(truth.grain_id.max()) + 1, -1, dtype=np.int64)
    place = np.searchsorted(grains.grain_id[order], truth.found_id[found])
    row[truth.grain_id[found]] = order[place]
    return row


def _strained(lattice: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    """Lattices (n, 6) under random strain: independent tensor components of that sigma."""
    strain = np.zeros((len(lattice), 3, 3))
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        strain[:, i, j] = strain[:, j, i] = sigma * rng.standard_normal(len(lattice))
    return lattice_from_basis((np.eye(3) + strain) @ basis_from_lattice(lattice))


def _with_twice_the_current(text: str) -> bytes:
    lines = text.split("\r\n")
    head = int(lines[1].split(":")[1])
    names = lines[head - 1].split("\t")
    columns = [names.index(name) for name in _CURRENT_COLUMNS]
    for k, line in enumerate(lines[:head]):
        if line.startswith("ctrl1_val "):
            cells = [line[i : i + 20].strip() for i in range(0, len(line), 20)]
            twice = [cells[0], *(f"{2.0 * float(c):.3f}" if c else "" for c in cells[1:])]
            lines[k] = "".join(f"{c:<20}" for c in twice)
    for k in range(head, len(lines)):
        if lines[k]:
            cells = lines[k].split("\t")
            for column in columns:
                cells[column] = f"{2.0 * float(cells[column]):.15E}"
            lines[k] = "\t".join(cells)
    return "\r\n".join(lines).encode("latin-1")
