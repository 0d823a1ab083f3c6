"""Pictures of a monochromator scan: an HDF5 stack, or numbered pictures, and their energies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray
from mesolith.errors import (
    ContradictionError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
)
from mesolith.io.frame_source import FrameSource
from mesolith.io.frames import format_of
from mesolith.io.frames_hdf5 import open_frame_stack
from mesolith.io.frames_image import open_images
from mesolith.io.numbers import text_lines

_NAMES = ("energy", "photon_energy", "mono_energy", "energies")
_KEV = re.compile(r"kev", re.IGNORECASE)
_EV = re.compile(r"(?<![a-z])ev", re.IGNORECASE)
_NUMBER = re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")
_SPLIT = re.compile(r"\s*[,;\t]\s*|\s+")
_EV_PER_KEV = 1e3


@dataclass(frozen=True, slots=True)
class EnergyStack:
    """Pictures and the photon energy (n,), keV, that was logged with each."""

    source: FrameSource
    energy: FloatArray


def open_energy_stack(
    paths: Sequence[Path] | Path, *, log: Path | None = None, dataset: str | None = None
) -> EnergyStack:
    """Pictures of a monochromator scan in the order of measurement, with their energies.

    Parameters
    ----------
    paths
        One HDF5 file with a stack (``dataset``, where it holds several), or all pictures.
    log
        Text table with a row a picture and a column whose name holds "energy"; comment signs
        before the names do not matter. Without one an HDF5 file tells the energies in a data set
        ``energy``, ``photon_energy``, ``mono_energy`` or ``energies``.

    Energies are in the unit that the column's name or the data set's ``units`` state; where
    neither does, numbers above 1000 are eV and others keV.

    Raises
    ------
    MissingColumnError
        No energies are found.
    ContradictionError
        There are more or fewer energies than pictures.
    InvalidValueError
        An energy is no number or outside 1 to 200 keV.
    FileFormatError, TruncatedFileError, EmptyFileError, MissingExtraError
        From the format.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    pictures = format_of(files[0]) == "image"
    if not pictures and len(files) > 1:
        raise FileFormatError(
            f"{len(files)} stacks are given as one scan",
            where=str(files[1]),
            remedy="Open each stack by itself.",
        )
    source = open_images(files) if pictures else open_frame_stack(files[0], dataset=dataset)
    if log is not None:
        energy, where = _logged(log), str(log)
    elif pictures:
        raise MissingColumnError(
            "pictures do not tell their photon energies",
            where=str(files[0]),
            remedy="Give the log of the scan: a text table with a column energy.",
        )
    else:
        energy, where = _stored(files[0]), str(files[0])
    if len(energy) != source.count:
        raise ContradictionError(
            f"{source.count} pictures and {len(energy)} energies",
            where=where,
            remedy="Each picture has one row of the log: add or remove what does not belong.",
        )
    if not np.all((energy > 1.0) & (energy < 200.0)):
        raise InvalidValueError(
            f"energies from {np.nanmin(energy):g} to {np.nanmax(energy):g} keV, "
            f"{int(np.count_nonzero(~np.isfinite(energy)))} missing",
            where=where,
            remedy="State the unit in the column's name, energy_ev or energy_kev.",
        )
    return EnergyStack(source, energy)


def write_energy_stack(path: Path, frames: NDArray[np.uint16], energy: FloatArray) -> None:
    """Write pictures (n, slow, fast) as a NeXus stack with energies (n,), keV."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        entry = file.create_group("entry")
        group = entry.create_group("data")
        for node, kind in ((file, "NXroot"), (entry, "NXentry"), (group, "NXdata")):
            node.attrs["NX_class"] = kind
        file.attrs["default"], entry.attrs["default"] = "entry", "data"
        group.attrs["signal"], group.attrs["axes"] = "data", ["energy", ".", "."]
        group.create_dataset("energy", data=energy).attrs["units"] = "keV"
        group.create_dataset("data", data=frames, chunks=(1, *frames.shape[1:]), compression="lzf")


def write_energy_log(path: Path, energy: FloatArray) -> None:
    """Write the log of a scan: picture number and energy, eV."""
    rows = [f"{k} {_EV_PER_KEV * one:.3f}" for k, one in enumerate(energy)]
    path.write_text("\n".join(["# picture energy_ev", *rows, ""]), encoding="utf-8")


def _stored(path: Path) -> FloatArray:
    """Energies of an HDF5 file, keV."""
    with h5py.File(path, "r") as file:
        found: list[str] = []
        file.visit(lambda name: found.append(name) if name.rsplit("/", 1)[-1] in _NAMES else None)
        for name in found:
            node = file[name]
            if isinstance(node, h5py.Dataset) and node.ndim == 1 and node.dtype.kind in "uif":
                return _kev(
                    np.asarray(node[()], dtype=np.float64), str(node.attrs.get("units", ""))
                )
    raise MissingColumnError(
        "the file holds no photon energies",
        where=str(path),
        remedy="Give the log of the scan, or store a data set energy with units eV or keV.",
    )


def _logged(path: Path) -> FloatArray:
    """Energies of a text table, keV."""
    names: list[str] = []
    values = []
    column = -1
    for number, line in enumerate(text_lines(path), 1):
        cells = _SPLIT.split(line.strip().lstrip("#%!").removeprefix("L ").strip())
        known = [k for k, cell in enumerate(cells) if "energy" in cell.lower()]
        if known and not any(_NUMBER.match(cell) for cell in cells):
            names, column = cells, known[0]
        elif column >= 0 and cells[0] and not line.lstrip().startswith(("#", "%", "!")):
            if column >= len(cells) or not _NUMBER.match(cells[column]):
                raise FileFormatError(
                    f"no number in the column {names[column]}",
                    where=f"{path}, line {number}",
                    remedy="Each row is one picture: restore the value or remove the row.",
                )
            values.append(float(cells[column]))
    if not values:
        raise MissingColumnError(
            "no column energy with numbers below it",
            where=str(path),
            remedy='Write a line of names such as "picture energy_ev" above the rows.',
        )
    return _kev(np.array(values), names[column])


def _kev(values: FloatArray, stated: str) -> FloatArray:
    if _KEV.search(stated):
        return values
    if _EV.search(stated.replace("_", " ")) or (values.size and np.median(values) > _EV_PER_KEV):
        return values / _EV_PER_KEV
    return values
