"""A format is recognised by its content, whatever the file is called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from mesolith.io.biologic_write import MptStep, write_mpt
from mesolith.io.recognise import recognise
from mesolith.io.zplot import write_z
from mesolith.pipeline.technique import Format, load
from mesolith.techniques import all_techniques
from tests.io.grain_maps import grains_file

Measured = Callable[[str], Path]
FORMATS: list[Format] = [load(name) for found in all_techniques() for name in found.formats]


def name_of(path: Path) -> str | None:
    found = recognise(path, FORMATS)
    return found[0][0].name if found else None


def test_written_files_under_a_strange_name(tmp_path: Path) -> None:
    one = np.ones(3)
    rename = tmp_path / "file.dat"
    grains_file(tmp_path).rename(rename)
    assert name_of(rename) == "midas"
    started = datetime(2024, 5, 13)
    write_z(rename, started=started, time=one, frequency=one, real=one, imaginary=one)
    assert name_of(rename) == "zplot"
    write_mpt(
        rename,
        started=started,
        steps=[MptStep("Rest")],
        step=np.zeros(3, dtype=np.int64),
        time=one,
        voltage=one,
        current=one,
    )
    assert name_of(rename) == "mpt"
    rename.write_text("time/s;Ewe/V;I/mA\n1;2;3\n")
    assert name_of(rename) == "delimited"


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(100), b"a,b,c\n1,2,3\n", b"\x89HDF"])
def test_unknown_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Grains.csv"
    path.write_bytes(content)
    assert recognise(path, FORMATS) == []


def test_scores_are_ordered(tmp_path: Path) -> None:
    found = recognise(grains_file(tmp_path), FORMATS)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1.0


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("hedm/midas_ff_example/GrainsSim.csv", "midas"),
        ("echem/yadg/mb.mpt", "mpt"),
        ("echem/yadg/geis.mpt", "mpt"),
        ("echem/pyimpspec/data.mpt", "mpt"),
        ("echem/pyimpspec/data.z", "zplot"),
        ("echem/impedance.py/exampleDataZPlot.z", "zplot"),
        ("echem/yadg/mb.mpr", "mpr"),
        ("echem/yadg/gcpl.issue_149.mpr", "mpr"),
        ("echem/impedance.py/exampleDataGamry.DTA", "gamry"),
        ("echem/pyimpspec/data.dta", "gamry"),
        ("echem/pyimpspec/drift-corrected-data.dta", "gamry"),
        ("echem/pyimpspec/data.dfr", "dfr"),
        ("echem/pyimpspec/data.idf", "ivium"),
        ("echem/pyimpspec/data.P00", "p00"),
        ("echem/pyimpspec/data.i2b", "i2b"),
        ("echem/impedance.py/exampleDataAutolab.txt", "z60w"),
        ("echem/impedance.py/exampleDataCHInstruments.txt", "delimited"),
        ("echem/impedance.py/exampleData.csv", None),
        ("hedm/midas_ff_example/consolidated_Output.h5", "midas-h5"),
        ("hedm/hexrd_multiruby_dexelas/results/composite_fit_grains_grains.out", "hexrd"),
        ("hedm/hexrd_single_GE/results/RUBY_SWEEP_0/grains.out", "hexrd"),
        ("hedm/hexrd_single_GE/results/RUBY_SWEEP_0/spots_00000.out", None),
        ("hedm/hexrd_single_GE/include/materials.h5", None),
        ("hedm/imaged11_makemap/map.ubi", "ubi"),
        ("hedm/imaged11_eps_sig/CuAlBe_scan10.map", "ubi"),
        ("hedm/imaged11_eps_sig/test.out", None),
        ("tomo/tomopy/tooth.h5", None),
        ("hedm/imaged11_makemap/test.flt", None),
        ("hedm/midas_ff_example/positions.csv", None),
    ],
)
def test_measured_files(measured: Measured, file: str, name: str | None) -> None:
    assert name_of(measured(file)) == name
