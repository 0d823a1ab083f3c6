"""LaueTools' .fit: round trips to the byte, its matrix on our axes, and damage by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import EmptyFileError, FileFormatError, MesolithError, MissingColumnError
from mesolith.instrument.panel import pixels_from_rays
from mesolith.io.lauetools_detector import read_lauetools
from mesolith.io.lauetools_fit import (
    read_lauetools_fit,
    recognise_lauetools_fit,
    write_lauetools_fit,
)

Measured = Callable[[str], Path]

FIT = """\
#Strain and Orientation Refinement from experimental file: a.cor
#Element
#Cu
#Mean Deviation(pixel): 0.25
##spot_index intensity h k l
3.000000 165.314667 -1.000000 1.000000 1.000000
#UBB0 matrix in q= (UB B0) G*
#[[ 0.27 -0.02  0.06]
# [ 0.04  0.26 -0.06]
# [-0.05  0.07  0.26]]
#pixelsize
#0.0734
"""


def test_measured_results_are_written_to_the_byte(measured: Measured, tmp_path: Path) -> None:
    files = sorted(measured("laue").rglob("*.fit"))
    assert len(files) == 13
    for path in files:
        assert recognise_lauetools_fit(path, path.read_bytes()[:200]) == 1.0
        write_lauetools_fit(tmp_path / "again", read_lauetools_fit(path))
        assert (tmp_path / "again").read_bytes() == path.read_bytes(), path.name


def test_its_matrix_puts_germanium_where_it_was_measured(measured: Measured) -> None:
    folder = measured("laue/lauetools_Ge_blanc")
    (grain,) = read_lauetools_fit(folder / "Ge_blanc_0000_LT_5.fit")
    panel = read_lauetools(folder / "calibGe111.det").instrument.panels[0]
    g = grain.hkl @ grain.reciprocal.T
    beam = np.array([1.0, 0.0, 0.0])
    ray = beam - 2.0 * g * (g @ beam / np.sum(g**2, axis=1))[:, None]
    found = np.stack(pixels_from_rays(panel, np.zeros(3), ray), axis=1)
    off = np.linalg.norm(found - np.stack([grain.column("Xexp"), grain.column("Yexp")], 1), axis=1)
    assert grain.element == "Ge"
    assert abs(off.mean() - grain.mean_deviation) < 0.002
    theirs = np.stack([grain.column("Xtheo"), grain.column("Ytheo")], axis=1)
    np.testing.assert_allclose(found, theirs, atol=0.02)
    energy = -12.398419843 * np.sum(g**2, axis=1) / (2.0 * g @ beam)
    np.testing.assert_allclose(energy, grain.column("Energy"), rtol=2e-4)


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("\n", EmptyFileError, "the file is empty"),
        ("#nothing\n", FileFormatError, "line 1: the first line is no title"),
        (FIT.replace("3.000000 165.314667 -1.000000 1.000000 1.000000\n", ""), FileFormatError,
         "links no peak"),
        (FIT.replace("##spot_index", "##spot"), FileFormatError, "the headings of the table"),
        (FIT.replace("165.314667 ", ""), FileFormatError, "line 6: the row does not hold 5"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(
    tmp_path: Path, text: str, error: type[MesolithError], what: str
) -> None:
    path = tmp_path / "a.fit"
    path.write_text(text)
    with pytest.raises(error, match=what) as problem:
        read_lauetools_fit(path)
    assert str(path) in str(problem.value.where)
    assert problem.value.remedy


def test_what_a_block_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.fit").write_text(FIT)
    (grain,) = read_lauetools_fit(tmp_path / "a.fit")
    assert grain.mean_deviation == 0.25
    assert grain.peak.tolist() == [3]
    assert grain.numbers("pixelsize").tolist() == [0.0734]
    assert grain.reciprocal[0].tolist() == [0.27, -0.02, 0.06]
    with pytest.raises(MissingColumnError, match="no column Energy"):
        grain.column("Energy")
    with pytest.raises(MissingColumnError, match="has no B0 matrix"):
        grain.matrix("B0 matrix")
    with pytest.raises(FileFormatError, match="is no matrix of 3 x 3"):
        grain.matrix("pixelsize")
