"""Damage of grain maps, binary records and sweeps ends in a named error or in a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesolith.errors import MesolithError
from mesolith.io.biologic_binary import read_mpr
from mesolith.io.gamry import read_gamry
from mesolith.io.grain_file import GrainFile
from mesolith.io.hexrd import (
    grain_map_from_hexrd,
    hexrd_from_grain_map,
    read_hexrd,
    write_hexrd,
)
from mesolith.io.imaged11 import (
    grain_map_from_ubi,
    read_grains_h5,
    read_ubi,
    ubi_from_grain_map,
    write_grains_h5,
    write_ubi,
)
from mesolith.io.midas_h5 import read_midas_h5, write_midas_h5
from mesolith.io.spectrum_text import read_dfr, read_i2b, read_ivium, read_p00, read_z60w
from tests.io.binary_record import write_record_mpr
from tests.io.grain_maps import grain_map

MAP = grain_map(4)
PHASES = MAP.phases
GAMRY = (
    "EXPLAIN\nTAG\tGALV\nDATE\tLABEL\t4/23/2018\tDate\nTIME\tLABEL\t16:43:15\tTime\n"
    "CURVE\tTABLE\t3\n\tPt\tT\tVf\tIm\n\t#\ts\tV vs. Ref.\tA\n"
    "\t0\t0.5\t0.1\t0.001\n\t1\t1.0\t0.2\t0.001\n\t2\t1.5\t0.3\t0.001\n"
)
TEXTS = {
    "dfr": "VERSION8.0\n 2\n 1\n" + "\n".join(str(k + 1.0) for k in range(18)) + "\n",
    "ivium": "Peaks=false\nCorrosion=false\nprimary_data\n3\n2\n1 -2 100\n3 -4 10\n",
    "p00": "Title\n13.05.2024 10:00:00 - \nt\n f/Hz\tZ'/Ohm\t-Z''/Ohm\ttime/s\n 2\n1\t2\t3\t4\n"
    "2\t3\t4\t5\n",
    "i2b": "words\n2\n10.0 1.0 -2.0\n1.0 3.0 -4.0\n",
    "z60w": '"Z60W Data File: Version 1.1"\n2\n" Freq (Hz)  Ampl"\n1,0,0,0,2,-3\n2,0,0,0,3,-4\n',
}


def text(kind: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"file.{kind}"
        path.write_text(content)
        return path

    return make


def hexrd_file(folder: Path) -> Path:
    write_hexrd(folder / "grains.out", hexrd_from_grain_map(MAP))
    return folder / "grains.out"


def ubi_file(folder: Path) -> Path:
    write_ubi(folder / "grains.map", ubi_from_grain_map(MAP))
    return folder / "grains.map"


def ubi_h5_file(folder: Path) -> Path:
    write_grains_h5(folder / "grains.h5", ubi_from_grain_map(MAP))
    return folder / "grains.h5"


def midas_h5_file(folder: Path) -> Path:
    write_midas_h5(folder / "consolidated.h5", MAP)
    return folder / "consolidated.h5"


def mpr_file(folder: Path) -> Path:
    return write_record_mpr(folder / "run.mpr", rows=6)


def hexrd(path: Path, **_: bool) -> GrainFile:
    return grain_map_from_hexrd(read_hexrd(path), path, phases=PHASES, radius=20.0)


def ubi(path: Path, *, allow_partial: bool = False) -> GrainFile:
    return grain_map_from_ubi(
        read_ubi(path), path, phases=PHASES, radius=20.0, allow_partial=allow_partial
    )


def ubi_h5(path: Path, *, allow_partial: bool = False) -> GrainFile:
    return grain_map_from_ubi(
        read_grains_h5(path), path, phases=PHASES, radius=20.0, allow_partial=allow_partial
    )


def plain(read: Callable[[Path], object]) -> Callable[..., object]:
    return lambda path, **_: read(path)


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[..., object]]] = {
    "hexrd": (hexrd_file, hexrd),
    "ubi": (ubi_file, ubi),
    "ubi-h5": (ubi_h5_file, ubi_h5),
    "midas-h5": (midas_h5_file, read_midas_h5),
    "mpr": (mpr_file, read_mpr),
    "gamry": (text("DTA", GAMRY), read_gamry),
    "dfr": (text("dfr", TEXTS["dfr"]), plain(read_dfr)),
    "ivium": (text("idf", TEXTS["ivium"]), plain(read_ivium)),
    "p00": (text("P00", TEXTS["p00"]), plain(read_p00)),
    "i2b": (text("i2b", TEXTS["i2b"]), plain(read_i2b)),
    "z60w": (text("txt", TEXTS["z60w"]), plain(read_z60w)),
}


def survives(path: Path, read: Callable[..., object]) -> None:
    for options in ({}, {"allow_partial": True}):
        caught = None
        try:
            read(path, **options)
        except MesolithError as error:
            caught = error
        if caught is not None:
            assert path.name in str(caught.where), caught
            assert caught.remedy, caught


@pytest.mark.parametrize("kind", KINDS)
def test_undamaged(tmp_path: Path, kind: str) -> None:
    make, read = KINDS[kind]
    assert read(make(tmp_path)) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere(tmp_path: Path, kind: str) -> None:
    make, read = KINDS[kind]
    path = make(tmp_path)
    data = path.read_bytes()
    for end in np.linspace(0, len(data), 25, endpoint=False).astype(int):
        path.write_bytes(data[:end])
        survives(path, read)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(
    at=st.floats(0.0, 1.0),
    removed=st.integers(0, 12),
    put=st.one_of(
        st.sampled_from([b"nan", b"\t", b"\n", b",", b"-", b"1e300", b"#", b"\xff\xfe\xff\x7f"]),
        st.binary(max_size=12),
    ),
)
def test_bytes_exchanged_anywhere(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: float, removed: int, put: bytes
) -> None:
    make, read = KINDS[kind]
    path = make(tmp_path_factory.mktemp("damaged"))
    data = path.read_bytes()
    place = int(at * len(data))
    path.write_bytes(data[:place] + put + data[place + removed :])
    survives(path, read)


@settings(max_examples=15)
@given(data=st.binary(max_size=300))
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("random") / "file"
    path.write_bytes(data)
    for _, read in KINDS.values():
        with pytest.raises(MesolithError):
            read(path)
