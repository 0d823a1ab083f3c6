"""File formats of grain maps: recognised by content, described by their header."""

from __future__ import annotations

import re
from pathlib import Path

from mesolith.pipeline.technique import Description, Format

MIDAS = Format(
    name="midas",
    title="MIDAS grain list (Grains.csv)",
    suffixes=(".csv",),
    recognise="mesolith.hedm.formats:recognise_midas",
    describe="mesolith.hedm.formats:describe_midas",
)
MIDAS_H5 = Format(
    name="midas-h5",
    title="MIDAS consolidated HDF5",
    suffixes=(".h5", ".hdf5"),
    recognise="mesolith.hedm.formats:recognise_midas_h5",
    describe="mesolith.hedm.formats:describe_midas_h5",
)
HEXRD = Format(
    name="hexrd",
    title="HEXRD grain list (grains.out)",
    suffixes=(".out",),
    recognise="mesolith.hedm.formats:recognise_hexrd",
    describe="mesolith.hedm.formats:describe_hexrd",
)
UBI = Format(
    name="ubi",
    title="ImageD11 grain map (.map, .ubi)",
    suffixes=(".map", ".ubi"),
    recognise="mesolith.hedm.formats:recognise_ubi",
    describe="mesolith.hedm.formats:describe_ubi",
)
UBI_H5 = Format(
    name="ubi-h5",
    title="ImageD11 grains in HDF5",
    suffixes=(".h5", ".hdf5"),
    recognise="mesolith.hedm.formats:recognise_ubi_h5",
    describe="mesolith.hedm.formats:describe_ubi_h5",
)
# what these formats do not state and a run needs: keys beside the files
UNSTATED = (
    ("space_group", "the file does not state the space group of its grains"),
    ("lattice", "the file does not state the lattice it was reduced with"),
    ("radius_um", "the file does not state the radius of its grains"),
)
_COUNT = re.compile(rb"^(?:\xef\xbb\xbf)?%\s*NumGrains", re.IGNORECASE)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEXRD = re.compile(
    rb"^#\s*grain ID\s+completeness\s+chi.*(?:exp_map|xi\[0\]).*(?:inv\(V_s\)|vInv_s)", re.MULTILINE
)
_UBI = re.compile(rb"^#\s*UBI\b", re.MULTILINE)
_NUMBER = rb"[ \t]*[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_TRIPLES = re.compile(rb"^\s*(?:(?:%s){3}[ \t]*(?:\r?\n|$)){3}(?:\s*\n|\s*$)" % _NUMBER)
_NAMES = (b"grainid", b"o11", b"o33", b"alpha")


def recognise_midas(path: Path, head: bytes) -> float:
    """1 with the line of counts and the column names, 0.8 with one of them alone."""
    counted = _COUNT.match(head) is not None
    lower = head[:8192].lower()
    named = all(name in lower for name in _NAMES)
    return 1.0 if counted and named else 0.8 if counted or named else 0.0


def describe_midas(path: Path) -> Description:
    """Number of grains and phases as the header states them."""
    from mesolith.io.midas import head_of_midas

    header, rows = head_of_midas(path)
    groups = ", ".join(str(group) for group in header.phases.space_group)
    facts = (f"{rows} grains", f"space group {groups}")
    problems: tuple[str, ...] = ()
    if header.count is not None and header.count != rows:
        problems = (f"the header counts {header.count} grains, {rows} rows are there",)
    return Description("midas", rows=rows, facts=facts, problems=problems)


def recognise_midas_h5(path: Path, head: bytes) -> float:
    """1 where an HDF5 file holds MIDAS' table of grains."""
    return 1.0 if _holds(path, head, "grains/summary") else 0.0


def describe_midas_h5(path: Path) -> Description:
    """Number of grains, and the phase that the file states."""
    from mesolith.io.midas_h5 import head_of_midas_h5

    rows, phases = head_of_midas_h5(path)
    if phases is None:
        return Description("midas-h5", rows=rows, facts=(f"{rows} grains",), needs=UNSTATED[:2])
    facts = (f"{rows} grains", f"space group {phases.space_group[0]}")
    return Description("midas-h5", rows=rows, facts=facts)


def recognise_hexrd(path: Path, head: bytes) -> float:
    """1 with HEXRD's line of column names."""
    return 1.0 if _HEXRD.search(head[:4096]) else 0.0


def describe_hexrd(path: Path) -> Description:
    """Number of grains, and what HEXRD does not state."""
    from mesolith.io.hexrd import head_of_hexrd

    rows = head_of_hexrd(path)
    return Description("hexrd", rows=rows, facts=(f"{rows} grains",), needs=UNSTATED)


def recognise_ubi(path: Path, head: bytes) -> float:
    """1 with a line #UBI, 0.5 where the text begins with three rows of three numbers."""
    if _UBI.search(head):
        return 1.0
    return 0.5 if _TRIPLES.match(head) else 0.0


def describe_ubi(path: Path) -> Description:
    """Number of grains, and what ImageD11 does not state."""
    from mesolith.io.imaged11 import head_of_ubi

    return _described("ubi", *head_of_ubi(path))


def recognise_ubi_h5(path: Path, head: bytes) -> float:
    """1 where an HDF5 file holds groups with a data set ``ubi``."""
    return 1.0 if _holds(path, head, "ubi") else 0.0


def describe_ubi_h5(path: Path) -> Description:
    """Number of grains, and what ImageD11 does not state."""
    from mesolith.io.imaged11 import head_of_grains_h5

    return _described("ubi-h5", *head_of_grains_h5(path))


def _described(name: str, rows: int, lost: int) -> Description:
    problems: tuple[str, ...] = ()
    if lost:
        problems = (f"{lost} of {rows} grains state no translation, which is unknown and not zero",)
    facts = (f"{rows} grains",)
    return Description(name, rows=rows, facts=facts, problems=problems, needs=UNSTATED)


def _holds(path: Path, head: bytes, wanted: str) -> bool:
    """Whether an HDF5 file holds a data set of that path, or one called so two groups down."""
    if not head.startswith(_HDF5):
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "/" in wanted:
                return wanted in file
            for parent in (file, *(g for g in file.values() if isinstance(g, h5py.Group))):
                children = iter(parent.values())
                first = next(children, None)
                while first is not None and not isinstance(first, h5py.Group):
                    first = next(children, None)
                if first is not None and wanted in first:
                    return True
    except OSError:
        return False
    return False
