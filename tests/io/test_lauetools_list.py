"""LaueTools' lists of peaks: round trips of measured files to the byte, and damage by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MesolithError,
    MissingColumnError,
)
from mesolith.io.lauetools_list import (
    lauetools_angles,
    peaks_from_lauetools,
    read_lauetools_list,
    recognise_lauetools_list,
    write_lauetools_list,
)
from mesolith.records.laue import laue_peaks

Measured = Callable[[str], Path]

COR = """\
2theta chi X Y I
58.429200   20.128222   623.120000   1657.730000   29239.300
80.926191   0.659485   933.040000   1215.440000   21725.720
# File created by hand
# Calibration parameters
# dd     :   70.775
"""


def test_measured_lists_are_written_to_the_byte(measured: Measured, tmp_path: Path) -> None:
    folder = measured("laue")
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".dat", ".cor")]
    known = [path for path in files if recognise_lauetools_list(path, path.read_bytes()[:200])]
    assert len(known) == 11
    for path in known:
        listed = read_lauetools_list(path)
        write_lauetools_list(tmp_path / "again", listed)
        assert (tmp_path / "again").read_bytes() == path.read_bytes(), path.name
        assert len(peaks_from_lauetools(listed)) == len(listed.values)


def test_a_measured_list_says_what_its_fields_mean(measured: Measured) -> None:
    listed = read_lauetools_list(measured("laue/lauetools_Ge_blanc/Ge_blanc_0000_LT_5.dat"))
    peaks = peaks_from_lauetools(listed)
    assert len(peaks) == 97
    assert (peaks.fast[0], peaks.slow[0], peaks.height[0]) == (623.12, 1657.73, 29239.30)
    # the highest pixel, off the centre by Xdev and Ydev, is where Gaussians of these standard
    # deviations put it; with widths at half maximum it would be 31 % lower
    columns = [listed.column(name) for name in ("Xdev", "Ydev", "Ipixmax", "peak_Isub")]
    x_off, y_off, highest, _ = (np.asarray(column) for column in columns)
    expected = peaks.height * np.exp(-0.5 * (x_off**2 + y_off**2) / peaks.widths.prod(axis=1))
    strong = peaks.height > 3000.0
    ratio = (highest - peaks.background)[strong] / expected[strong]
    assert abs(np.median(ratio) - 1.0) < 0.08
    np.testing.assert_allclose(
        peaks.intensity, 2.0 * np.pi * peaks.height * peaks.widths.prod(axis=1)
    )


def test_our_own_peaks_read_back_exactly(tmp_path: Path) -> None:
    peaks = laue_peaks(np.array([1.0 / 3.0, 20.5]), np.array([7.25, 1e3 / 7.0]), np.ones(2) * 50.0)
    angles = np.array([1.0, 1.5]), np.array([0.1, -0.2])
    write_lauetools_list(tmp_path / "a.cor", lauetools_angles(*angles, peaks, comments=("# ours",)))
    listed = read_lauetools_list(tmp_path / "a.cor")
    again = peaks_from_lauetools(listed, pattern=4)
    np.testing.assert_array_equal(again.fast, peaks.fast)
    np.testing.assert_array_equal(again.slow, peaks.slow)
    np.testing.assert_allclose(np.deg2rad(listed.values[:, 0]), angles[0], rtol=1e-15)
    assert again.pattern.tolist() == [4, 4]
    assert listed.comments == ("# ours",)


def test_the_calibration_is_in_the_comments(tmp_path: Path) -> None:
    (tmp_path / "a.cor").write_text(COR)
    assert read_lauetools_list(tmp_path / "a.cor").calibration == {"dd": "70.775"}


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("", EmptyFileError, "the file is empty"),
        (COR.splitlines()[0], EmptyFileError, "holds no peak"),
        (COR.replace(" X Y I", " A B C"), MissingColumnError, "hold no places"),
        (COR.replace("   21725.720", ""), FileFormatError, "line 3: the row has 4 cells"),
        (COR.replace("21725.720", "many"), FileFormatError, "column 'I' holds 'many'"),
        (COR.replace("0.659485", "nan"), InvalidValueError, "line 3: a cell holds NaN"),
    ],
)
def test_a_damaged_list_is_named(
    tmp_path: Path, text: str, error: type[MesolithError], what: str
) -> None:
    path = tmp_path / "a.cor"
    path.write_text(text)
    with pytest.raises(error, match=what) as problem:
        read_lauetools_list(path)
    assert str(path) in str(problem.value.where)
    assert problem.value.remedy
