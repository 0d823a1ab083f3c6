"""Patterns of a scan: folders of numbered images and stacks, one at a time, refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    MissingFrameError,
    TruncatedFileError,
    UnknownFormatError,
)
from mesolith.io import frames_image
from mesolith.io.frames_hdf5 import write_frame_stack
from mesolith.io.pattern_series import PatternSeries, open_patterns
from mesolith.io.tiff_write import write_tiff, write_tiff_frames
from tests.io.frame_files import SHAPE, counted_frames, edges_deg, write_images


def assert_holds(series: PatternSeries, frames: list[np.ndarray]) -> None:
    assert len(series) == len(frames)
    assert series.shape == SHAPE
    for k, frame in enumerate(frames):
        assert np.array_equal(series.read(k), frame)


@pytest.mark.parametrize("suffix", ["tif", "edf"])
def test_a_folder_of_images(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("fabio")
    frames = counted_frames(4)
    files = write_images(tmp_path, frames, suffix)
    series = open_patterns(tmp_path, shape=SHAPE)
    assert_holds(series, frames)
    assert series.point.tolist() == [0, 1, 2, 3]
    assert series.place(2) == str(files[2])


def test_mccd_is_read(tmp_path: Path) -> None:
    pytest.importorskip("fabio")
    (frame,) = counted_frames(1)
    write_tiff(tmp_path / "plain_0.tif", frame)
    plain = (tmp_path / "plain_0.tif").read_bytes()
    # as the detector writes it: its own header between that of TIFF and the counts
    counts = frame.tobytes()
    table = plain[8 + len(counts) :].replace(
        (8).to_bytes(4, "little"), (4096).to_bytes(4, "little"), 1
    )
    head = b"II*\x00" + (8).to_bytes(4, "little") + table
    path = tmp_path / "scan_0000.mccd"
    path.write_bytes(head + bytes(4096 - len(head)) + counts)
    assert np.array_equal(open_patterns(path).read(0), frame)


def test_stacks_in_hdf5(tmp_path: Path) -> None:
    frames = counted_frames(5)
    path = tmp_path / "scan.h5"
    write_frame_stack(path, frames, omega=edges_deg(5))
    series = open_patterns(path)
    assert_holds(series, frames)
    assert series.place(4).endswith("pattern 4")


def test_measured_jpeg_2000(measured: Callable[[str], Path]) -> None:
    image = open_patterns(measured("laue/laueimproc_ge") / "ge.jp2", shape=(2018, 2016)).read(0)
    assert image.dtype == np.uint16
    assert (image.min(), image.max()) == (16, 32627)


def test_a_long_folder_is_opened_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fabio")
    write_tiff_frames(tmp_path, "scan", counted_frames(30))
    opened: list[Path] = []
    real = frames_image._opened
    monkeypatch.setattr(frames_image, "_opened", lambda path: (opened.append(path), real(path))[1])
    series = open_patterns(tmp_path)
    assert len(opened) == 1
    series.read(17)
    assert opened[1:] == [series.files[17]]


def test_a_missing_point_is_named_or_kept_as_a_gap(tmp_path: Path) -> None:
    pytest.importorskip("fabio")
    files = write_tiff_frames(tmp_path, "scan", counted_frames(5), first=9)
    files[2].unlink()
    with pytest.raises(MissingFrameError, match=r"scan_000012\.tif: 1 files are missing"):
        open_patterns(tmp_path)
    assert open_patterns(tmp_path, allow_partial=True).point.tolist() == [0, 1, 3, 4]
    with pytest.raises(DuplicateError):
        open_patterns([files[0], files[0]])


def test_what_cannot_be_a_scan_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fabio")
    with pytest.raises(EmptyFileError, match=r"no file is listed"):
        open_patterns([])
    with pytest.raises(EmptyFileError, match=r"no numbered image"):
        open_patterns(tmp_path)
    files = write_tiff_frames(tmp_path, "scan", counted_frames(2))
    with pytest.raises(ContradictionError, match=r"20 x 24 pixels, the calibration 20 x 20"):
        open_patterns(tmp_path, shape=(20, 20))
    write_tiff_frames(tmp_path, "dark", counted_frames(2))
    with pytest.raises(ContradictionError, match=r"2 series: dark_\.\.\.\.tif, scan_\.\.\.\.tif"):
        open_patterns(tmp_path)
    (tmp_path / "notes_1.txt").write_text("no image")
    with pytest.raises(UnknownFormatError):
        open_patterns(tmp_path / "notes_1.txt")
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) // 2])
    series = open_patterns(files)
    with pytest.raises(TruncatedFileError, match=r"scan_000001\.tif"):
        series.read(1)


def test_a_truncated_jpeg_2000_is_refused(measured: Callable[[str], Path], tmp_path: Path) -> None:
    whole = (measured("laue/laueimproc_ge") / "ge.jp2").read_bytes()
    (tmp_path / "ge_0.jp2").write_bytes(whole[:200_000])
    with pytest.raises(TruncatedFileError, match=r"ge_0\.jp2"):
        open_patterns(tmp_path / "ge_0.jp2").read(0)
