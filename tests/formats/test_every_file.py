"""Every file of others is read or refused by name, and variants of it give the same numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.echem import TECHNIQUE as ECHEM
from mesolith.echem.read import compute
from mesolith.errors import UnknownFormatError
from mesolith.hedm import TECHNIQUE as HEDM
from mesolith.io.biologic_binary import read_mpr
from mesolith.io.biologic_text import read_loops, read_mpt
from mesolith.io.cycler_table import CyclerTable
from mesolith.io.delimited import read_delimited
from mesolith.io.gamry import read_gamry
from mesolith.io.recognise import recognise
from mesolith.io.record_file import read_record
from mesolith.io.spectrum import Spectrum
from mesolith.io.spectrum_text import read_dfr, read_i2b, read_p00
from mesolith.io.zplot import read_zplot
from mesolith.pipeline.technique import load
from mesolith.pipeline.work import Source, Work
from mesolith.records.cycling import Cycling

Measured = Callable[[str], Path]
Found = CyclerTable | Spectrum
# no records: EC-Lab's settings and lists of loops, and rows that only cell.toml can name
NO_RECORDS = re.compile(r".*\.mps|.*_LOOP\.txt|exampleData\.csv")
FILES = 43
FIELDS = ("time", "frequency", "real", "imaginary")


def test_every_cycler_file_is_recognised_and_described(measured: Measured) -> None:
    known = [load(dotted) for dotted in ECHEM.formats]
    files = sorted(path for path in measured("echem").rglob("*") if path.is_file())
    assert len(files) > 40
    for path in files:
        found = recognise(path, known)
        if NO_RECORDS.fullmatch(path.name):
            assert found == [], path.name
            continue
        assert found, path.name
        if path.name.endswith("_03_GCPL_C05.txt"):
            assert len(read_delimited(path, allow_partial=True).time) == 76807
            continue
        described = load(found[0][0].describe)(path)
        assert described.rows > 0, path.name
        assert described.problems == (), path.name


def test_every_cycler_file_becomes_a_record(measured: Measured, tmp_path: Path) -> None:
    """Through the step of a run: rows or spectra of each file, or a refusal that names it."""
    files = sorted(path for path in measured("echem").rglob("*") if path.is_file())
    refused = 0
    for k, path in enumerate(files):
        options: dict[str, Any] = {"started": "2024-05-03T12:00:00+02:00"}
        options["date_order"] = "month-first"
        if path.name == "exampleData.csv":
            options["format"] = "bare-spectrum"
        settings = {
            "state.cycling": options,
            "clock.cycler": {"zone": "Europe/Berlin"},
            "cell.plates_under_positive_current": "working",
            "echem.current_share": 0.9,
            "run.allow_partial": path.name.endswith("_03_GCPL_C05.txt"),
        }
        place = tmp_path / str(k)
        place.mkdir()
        work = Work("echem.read", "s", settings, {"raw": (Source("s", path),)}, place)
        if path.suffix == ".mps" or path.name.endswith("_LOOP.txt"):
            with pytest.raises(UnknownFormatError, match="of EC-Lab, not a record") as problem:
                compute(work)
            assert problem.value.where == str(path)
            assert "List the .mpr or .mpt" in str(problem.value.remedy)
            refused += 1
            continue
        compute(work)
        found = read_record(place / "record.h5", Cycling)
        assert len(found.time) or found.impedance is not None, path.name
        assert found.pressure is None, path.name
    assert (refused, len(files)) == (5, FILES)


def test_every_list_of_loops(measured: Measured) -> None:
    lists = sorted(measured("echem").rglob("*_LOOP.txt"))
    assert [len(read_loops(path)) for path in lists] == [2, 46, 45]


def test_every_grain_map_is_recognised_and_described(measured: Measured) -> None:
    known = [load(dotted) for dotted in HEDM.formats]
    grains = {}
    for path in sorted(measured("hedm").rglob("*")):
        if path.is_file() and (found := recognise(path, known)):
            grains[path.name] = (found[0][0].name, load(found[0][0].describe)(path).rows)
    assert grains == {
        "composite_find_orientations_grains.out": ("hexrd", 3),
        "composite_fit_grains_grains.out": ("hexrd", 3),
        "composite_roi_fit_grains_grains.out": ("hexrd", 3),
        "grains.out": ("hexrd", 1),
        "CuAlBe_scan10.map": ("ubi", 101),
        "map.ubi": ("ubi", 36),
        "GrainsSim.csv": ("midas", 250),
        "consolidated_Output.h5": ("midas-h5", 3),
    }


def mpt(path: Path) -> CyclerTable:
    return read_mpt(path, date_order="month-first")


def gamry(path: Path) -> CyclerTable:
    return read_gamry(path, date_order="month-first")


VARIED: list[tuple[str, Callable[[Path], Found]]] = [
    *((f"yadg/{name}.mpt", mpt) for name in ("mb", "geis", "peis", "zir")),
    *((f"yadg/{name}.issue_149.mpt", mpt) for name in ("gcpl", "geis", "peis")),
    *((f"pyimpspec/{name}.mpt", mpt) for name in ("data", "data-metadata")),
    ("pyimpspec/case-multiple-spectra.mpt", mpt),
    ("impedance.py/exampleDataBioLogic.mpt", mpt),
    ("impedance.py/exampleDataGamry.DTA", gamry),
    ("pyimpspec/data.dta", gamry),
    ("pyimpspec/drift-corrected-data.dta", gamry),
    ("pyimpspec/data.z", read_zplot),
    ("impedance.py/exampleDataZPlot.z", read_zplot),
    ("pyimpspec/data.dfr", read_dfr),
    ("pyimpspec/data.P00", read_p00),
    ("pyimpspec/data.i2b", read_i2b),
]
DECIMAL = re.compile(r"(?<![\d.,:/])([-+]?\d+)[.,](\d+(?:[eE][-+]?\d+)?)(?![\d.,:/])")


@pytest.mark.parametrize(("name", "read"), VARIED, ids=[name for name, _ in VARIED])
def test_decimal_mark_and_encoding(
    measured: Measured, tmp_path: Path, name: str, read: Callable[[Path], Found]
) -> None:
    source = measured(f"echem/{name}")
    exact = read(source)
    raw = source.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    path = tmp_path / source.name
    for mark in (",", "."):
        marked = DECIMAL.sub(rf"\1{mark}\2", text)
        for encoding in ("latin-1", "utf-8", "utf-8-sig", "utf-16"):
            path.write_bytes(marked.encode(encoding))
            again = read(path)
            for field in FIELDS:
                one, two = getattr(exact, field), getattr(again, field)
                assert np.array_equal(one, two, equal_nan=True), (mark, encoding, field)


def test_binary_under_another_name(measured: Measured, tmp_path: Path) -> None:
    """A binary under a text's name is still a binary."""
    path = tmp_path / "run.mpt"
    path.write_bytes(measured("echem/yadg/peis.mpr").read_bytes())
    known = [load(dotted) for dotted in ECHEM.formats]
    assert [form.name for form, _ in recognise(path, known)] == ["mpr"]
    assert len(read_mpr(path).time) == 32
