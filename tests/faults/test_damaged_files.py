"""Damage of any kind ends in a named error or in a record, never in a stray exception."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesolith.errors import MesolithError
from mesolith.io.biologic_text import read_mpt
from mesolith.io.biologic_write import MptStep, write_mpt
from mesolith.io.delimited import read_delimited
from mesolith.io.midas import read_midas
from mesolith.io.zplot import read_zplot, write_z
from tests.io.grain_maps import grains_file

STARTED = datetime(2024, 5, 13)


def midas_file(folder: Path) -> Path:
    return grains_file(folder, 6, phases=2)


def mpt_file(folder: Path) -> Path:
    n = 12
    path = folder / "run.mpt"
    write_mpt(
        path,
        started=STARTED,
        steps=[MptStep("CC", 1e-3)],
        step=np.zeros(n, dtype=np.int64),
        time=np.arange(n, dtype=np.float64),
        voltage=np.ones(n),
        current=np.full(n, 1e-3),
    )
    return path


def csv_file(folder: Path) -> Path:
    path = folder / "run.csv"
    rows = "\n".join(f"{k},5;{0.1 * k:.3f};1,5E-3;1" for k in range(12)).replace(".", ",")
    path.write_text(f"Start: 13.05.2024 10:00:00\ntime/s;Ewe/V;I/mA;Ns\n{rows}\n")
    return path


def z_file(folder: Path) -> Path:
    path = folder / "run.z"
    values = np.arange(1.0, 9.0)
    write_z(path, started=STARTED, time=values, frequency=values, real=values, imaginary=-values)
    return path


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[..., object]]] = {
    "midas": (midas_file, read_midas),
    "mpt": (mpt_file, read_mpt),
    "csv": (csv_file, read_delimited),
    "zplot": (z_file, read_zplot),
}


def survives(path: Path, read: Callable[..., object]) -> None:
    """Both ways of reading give a record or a named error that says where and what now."""
    for options in ({}, {"allow_partial": True}) if read is not read_zplot else ({},):
        caught = None
        try:
            read(path, **options)
        except MesolithError as error:
            caught = error
        if caught is not None:
            assert path.name in str(caught.where)
            assert caught.remedy


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere(tmp_path: Path, kind: str) -> None:
    make, read = KINDS[kind]
    path = make(tmp_path)
    data = path.read_bytes()
    for end in range(0, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:end])
        survives(path, read)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(
    at=st.floats(0.0, 1.0),
    removed=st.integers(0, 30),
    put=st.one_of(
        st.sampled_from(
            [b"nan", b"\t", b"\n", b",", b";", b"-", b"1e400", b'"', b"\xff\xfe", b"%"]
        ),
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


@settings(max_examples=30)
@given(data=st.binary(max_size=400))
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("random") / "file"
    path.write_bytes(data)
    for _, read in KINDS.values():
        with pytest.raises(MesolithError):
            read(path)
