"""``mesolith laue``: peaks, calibration and grains of single patterns, by measured germanium."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.cli.main import main
from mesolith.instrument.laue_calibration import LaueCalibration
from mesolith.io.lauetools_list import (
    lauetools_peaks,
    peaks_from_lauetools,
    read_lauetools_list,
    write_lauetools_list,
)
from mesolith.io.record_file import read_record
from mesolith.io.tiff_write import write_tiff
from mesolith.records.laue import LaueGrains, LauePeaks, joined_peaks, peaks_of_patterns
from tests.laue.patterns import crystals, pattern, peaks_of

CIF = Path(__file__).parent / "germanium.cif"
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def _spots(path: Path, count: int) -> None:
    """An image of round spots on a noisy background."""
    rng = np.random.default_rng(5)
    slow, fast = np.indices((128, 128))
    light = np.full((128, 128), 50.0)
    for k in range(count):
        middle = 20.0 + 28.3 * k
        light += 900.0 * np.exp(-0.5 * ((slow - middle) ** 2 + (fast - middle) ** 2) / 1.5**2)
    write_tiff(path, rng.poisson(light).astype(np.uint16))


def test_peaks_of_images_as_record_and_as_lists(tmp_path: Path, said: Said) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number, count in enumerate((3, 2)):
        _spots(raw / f"a_{number:03d}.tif", count)
    files = sorted(raw.glob("*.tif"))
    output, lists = tmp_path / "out" / "peaks.h5", tmp_path / "out" / "lists"
    code, text = said("laue", "peaks", *files, "--output", output, "--lists", lists)
    assert code == 0, text
    assert "a_000.tif: 3 peaks, 0 of them saturated" in text
    peaks = read_record(output, LauePeaks)
    assert peaks.pattern.tolist() == [0, 0, 0, 1, 1]
    assert np.sort(peaks.fast[:3]) == pytest.approx([20.0, 48.3, 76.6], abs=0.1)
    listed = peaks_from_lauetools(read_lauetools_list(lists / "a_001.dat"), pattern=1)
    second = list(peaks_of_patterns(peaks))[1]
    np.testing.assert_array_equal(listed.fast, second.fast)
    np.testing.assert_array_equal(listed.widths, second.widths)
    code, text = said("laue", "peaks", *files, "--output", raw / "peaks.h5")
    assert code == 3
    assert "lies inside the raw data folder" in text
    code, text = said("laue", "peaks", raw / "b.tif")
    assert code == 3
    assert "no such file" in text


def test_lists_written_read_back_and_joined(tmp_path: Path) -> None:
    one, two = (peaks_of(pattern(seed, crystals(seed))) for seed in (3, 4))
    path = tmp_path / "a.dat"
    write_lauetools_list(path, lauetools_peaks(one))
    np.testing.assert_array_equal(peaks_from_lauetools(read_lauetools_list(path)).slow, one.slow)
    path.write_text(path.read_text(encoding="utf-8").split("\n")[0], encoding="utf-8")
    assert len(peaks_from_lauetools(read_lauetools_list(path, empty=True))) == 0
    numbered = peaks_from_lauetools(lauetools_peaks(two), pattern=1)
    again = list(peaks_of_patterns(joined_peaks([numbered, one])))
    assert [len(part) for part in again] == [len(one), len(two)]


def test_germanium_calibrates_and_is_then_found_without_strain(
    measured: Callable[[str], Path], tmp_path: Path, said: Said
) -> None:
    folder = measured("laue/lauetools_Ge_blanc")
    peaks = folder / "Ge_blanc_0000_LT_5.dat"
    words = ("--material", CIF, "--incidence-deg", "40", "--highest-kev", "25")
    station = tmp_path / "calibrated" / "station.h5"
    code, text = said(
        "laue", "calibrate", peaks, "--detector", folder / "calibGe111.det", *words,
        "--output", station.parent,
    )  # fmt: skip
    assert code == 0, text
    found = re.search(r"reflections: (\d+) of 97 peaks, (0\.\d+) px off", text)
    assert found is not None
    assert int(found.group(1)) >= 80
    assert float(found.group(2)) < 0.2
    calibration = read_record(station, LaueCalibration)
    error = calibration.standard_error("change")
    assert error is not None
    assert (station.parent / "panel.det").is_file()
    output = tmp_path / "grains.h5"
    code, text = said("laue", "index", peaks, "--detector", station, *words, "--output", output)
    assert code == 0, text
    assert "97 peaks, 1 grains" in text
    grains = read_record(output, LaueGrains)
    total = np.hypot(grains.systematic_error()[0], grains.standard_error("strain")[0])  # type: ignore[index]
    # with the station that this crystal calibrated it has no strain, within its errors
    assert np.all(np.abs(grains.strain[0]) < 2.0 * total)
    assert grains.common_modes


def test_what_cannot_be_indexed_is_told(
    measured: Callable[[str], Path], tmp_path: Path, said: Said
) -> None:
    folder = measured("laue/lauetools_Ge_blanc")
    detector = folder / "calibGe111.det"
    (tmp_path / "raw").mkdir()
    _spots(tmp_path / "raw" / "a.tif", 2)
    words = ("--detector", detector, "--material", CIF, "--output", tmp_path / "o" / "g.h5")
    code, text = said("laue", "index", tmp_path / "raw" / "a.tif", *words)
    assert code == 3
    assert "128 x 128" in text
    code, text = said(
        "laue", "index", tmp_path / "raw" / "a.tif", folder / "Ge_blanc_0000_LT_5.dat", *words
    )
    assert code == 3
    assert "both images and lists of peaks" in text
    code, text = said("laue", "index", folder / "Ge_blanc_0000_LT_5.dat", *words[2:],
                      "--detector", tmp_path / "none.det")  # fmt: skip
    assert code == 3
    assert "none.det" in text
