"""Frames arrive in order with their angles from every format, and bad ones are refused by name."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    FileFormatError,
    MissingExtraError,
    MissingFrameError,
    TruncatedFileError,
    UnknownFormatError,
)
from mesolith.io.frame_series import FrameSeries
from mesolith.io.frames import format_of, open_frames, read_mask
from mesolith.io.frames_ge import HEADER_BYTES, write_ge
from mesolith.io.frames_hdf5 import write_frame_stack
from mesolith.io.frames_sparse import write_frame_cache
from tests.io.frame_files import SHAPE, counted_frames, edges_deg, write_images

START, STEP = math.radians(10.0), math.radians(0.25)


def assert_holds(series: FrameSeries, frames: list[np.ndarray]) -> None:
    assert np.allclose(series.omega, edges_deg(len(frames)))
    assert series.shape == SHAPE
    for read, written in zip(series.stream(), frames, strict=True):
        assert np.array_equal(read, written)


def ge(folder: Path, count: int = 6) -> tuple[Path, list[np.ndarray]]:
    frames = counted_frames(count)
    write_ge(folder / "scan_00001.ge3", frames)
    return folder / "scan_00001.ge3", frames


def test_ge(tmp_path: Path) -> None:
    path, frames = ge(tmp_path)
    series = open_frames(path, omega_start=START, omega_step=STEP)
    assert_holds(series, frames)
    assert series.saturation == 15800.0


def test_ge_is_read_as_fabio_reads_it(tmp_path: Path) -> None:
    fabio = pytest.importorskip("fabio")
    path, frames = ge(tmp_path)
    picture = fabio.open(str(path))
    assert picture.nframes == len(frames)
    assert np.array_equal(picture.get_frame(4).data, frames[4])


def test_ge_with_a_blank_header_has_2048_rows(tmp_path: Path) -> None:
    path = tmp_path / "blank.ge"
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        file.write(np.arange(2048 * 2048, dtype="<u4").astype("<u2").tobytes())
    series = open_frames(path, omega_start=0.0, omega_step=STEP)
    assert series.shape == (2048, 2048)
    assert series.read(0)[1, 5] == 2048 + 5


def test_stack(tmp_path: Path) -> None:
    frames = counted_frames(6)
    write_frame_stack(tmp_path / "scan.h5", frames, edges_deg(6))
    assert_holds(open_frames(tmp_path / "scan.h5"), frames)


def test_stack_of_numbered_data_sets_compressed_by_bitshuffle(tmp_path: Path) -> None:
    plugin = pytest.importorskip("hdf5plugin")
    frames = counted_frames(6, kind="uint32")
    with h5py.File(tmp_path / "eiger.h5", "w") as file:
        for k in range(2):
            file.create_dataset(
                f"entry/data/data_{k + 1:06d}",
                data=frames[3 * k : 3 * k + 3],
                **plugin.Bitshuffle(),
            )
        file["entry/sample/goniometer/omega"] = 10.0 + 0.25 * np.arange(6)
        file["entry/instrument/detector/pixel_mask"] = np.eye(*SHAPE, dtype=np.uint32)
        file["entry/instrument/detector/saturation_value"] = 9000
    series = open_frames(tmp_path / "eiger.h5")
    assert_holds(series, frames)
    assert series.saturation == 9000.0
    assert series.mask is not None
    assert np.array_equal(series.mask, np.eye(*SHAPE, dtype=bool))


def test_frame_cache_keeps_what_is_above_its_threshold(tmp_path: Path) -> None:
    frames = counted_frames(6)
    write_frame_cache(tmp_path / "cache.npz", frames, edges_deg(6), threshold=62, panel="ff1")
    series = open_frames(tmp_path / "cache.npz")
    assert_holds(series, [np.where(frame > 62, frame, 0) for frame in frames])
    assert (series.floor, series.panel) == (62.0, "ff1")


CBF_HEADER = "# Start_angle {omega:.4f} deg.\r\n# Angle_increment 0.2500 deg.\r\n"


@pytest.mark.parametrize(
    ("suffix", "header"),
    [
        ("tif", {}),
        ("edf", {"motor_mne": "mono omega", "motor_pos": "1.5 {omega:.4f}"}),
        ("cbf", {"_array_data.header_contents": CBF_HEADER}),
    ],
)
def test_pictures(suffix: str, header: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("fabio")
    frames = counted_frames(5, kind="int32" if suffix == "cbf" else "uint16")
    paths = write_images(tmp_path, frames, suffix, **header)
    if header:
        assert_holds(open_frames(paths), frames)
    assert_holds(open_frames(paths, omega_start=START, omega_step=STEP), frames)


def test_a_rotation_that_runs_backwards_is_turned_round(tmp_path: Path) -> None:
    path, frames = ge(tmp_path)
    series = open_frames(path, omega_start=START + 6 * STEP, omega_step=-STEP)
    assert_holds(series, frames[::-1])
    assert series.backwards


def test_measured_frame_cache(measured: Callable[[str], Path]) -> None:
    folder = "hedm/hexrd_multiruby_dexelas/imageseries/"
    series = open_frames(measured(f"{folder}mruby-0129_000004_ff1_000012-cachefile.npz"))
    assert (len(series), series.shape, series.panel) == (1440, (3888, 3072), "ff1")
    assert series.closed
    assert series.floor == pytest.approx(150.0, abs=1.0)
    assert np.allclose(series.stretches, [[0.0, 2.0 * math.pi]])


def test_a_turn_is_closed_only_when_it_is_whole(tmp_path: Path) -> None:
    path, _ = ge(tmp_path)
    assert open_frames(path, omega_start=-1.0, omega_step=math.pi / 3.0).closed
    assert not open_frames(path, omega_start=-1.0, omega_step=math.pi / 3.1).closed


def test_what_no_reader_knows(tmp_path: Path) -> None:
    (tmp_path / "frames.ge").write_bytes(b"a letter\n" * 1000)
    with pytest.raises(UnknownFormatError, match="no reader of frames"):
        format_of(tmp_path / "frames.ge")


@pytest.mark.parametrize("suffix", ["ge", "npz", "h5", "tif"])
def test_an_empty_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"scan.{suffix}"
    path.touch()
    with pytest.raises(EmptyFileError, match="the file is empty"):
        open_frames(path)


def test_no_file() -> None:
    with pytest.raises(EmptyFileError, match="no file is listed"):
        open_frames([])


def test_a_header_without_frames(tmp_path: Path) -> None:
    write_ge(tmp_path / "scan.ge", [])
    (tmp_path / "scan.ge").write_bytes(b"ADEPT" + bytes(HEADER_BYTES - 5))
    with pytest.raises(FileFormatError, match="0 x 0 pixels"):
        open_frames(tmp_path / "scan.ge")
    path, _ = ge(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:HEADER_BYTES])
    with pytest.raises(EmptyFileError, match="no frame stands behind the header"):
        open_frames(path)


def test_a_truncated_ge_file(tmp_path: Path) -> None:
    path, frames = ge(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TruncatedFileError, match="5 whole frames of 20 x 24 and 860 bytes"):
        open_frames(path, omega_start=START, omega_step=STEP)
    partial = open_frames(path, omega_start=START, omega_step=STEP, allow_partial=True)
    assert_holds(partial, frames[:5])


def test_a_truncated_stack(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    write_frame_stack(path, counted_frames(6), edges_deg(6))
    whole = path.read_bytes()
    with h5py.File(path, "a") as file:
        file["entry/data/data"].resize(4, axis=0) if file["entry/data/data"].maxshape[0] else None
        del file["entry/data/data"]
        file["entry/data/data"] = counted_frames(4)
    with pytest.raises(TruncatedFileError, match="4 of 6 frames"):
        open_frames(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TruncatedFileError, match="HDF5 cannot open it"):
        open_frames(path)


def test_a_truncated_frame_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache.npz"
    write_frame_cache(path, counted_frames(3), edges_deg(3), threshold=62)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TruncatedFileError, match="archive cannot be opened"):
        open_frames(path)
    write_frame_cache(path, counted_frames(3), edges_deg(4), threshold=62)
    with pytest.raises(TruncatedFileError, match="3 frames and angles of shape"):
        open_frames(path)


@pytest.mark.parametrize(("suffix", "kind"), [("tif", "u2"), ("edf", "u2"), ("cbf", "i4")])
def test_a_truncated_picture(suffix: str, kind: str, tmp_path: Path) -> None:
    pytest.importorskip("fabio")
    paths = write_images(tmp_path, counted_frames(3, kind=kind), suffix)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) * 3 // 5])
    series = open_frames(paths, omega_start=START, omega_step=STEP)
    with pytest.raises(TruncatedFileError, match="scan_00001"):
        list(series.stream())


def test_a_missing_file(tmp_path: Path) -> None:
    pytest.importorskip("fabio")
    frames = counted_frames(5)
    paths = write_images(tmp_path, frames, "edf")
    del paths[2]
    with pytest.raises(MissingFrameError, match="1 files are missing: number 3 follows 1"):
        open_frames(paths, omega_start=START, omega_step=STEP)
    series = open_frames(paths, omega_start=START, omega_step=STEP, allow_partial=True)
    assert np.allclose(series.omega, edges_deg(5)[[0, 1, 3, 4]])
    assert np.allclose(np.rad2deg(series.stretches), [[10.0, 10.5], [10.75, 11.25]])


def test_a_missing_angle(tmp_path: Path) -> None:
    frames, edges = counted_frames(5), edges_deg(6)[[0, 1, 3, 4, 5]]
    write_frame_stack(tmp_path / "scan.h5", frames, edges)
    with pytest.raises(MissingFrameError, match=r"1 frames are missing, the first behind frame 1"):
        open_frames(tmp_path / "scan.h5")


def test_angles_that_nobody_knows(tmp_path: Path) -> None:
    path, _ = ge(tmp_path)
    with pytest.raises(MissingFrameError, match="angles of its 6 frames are not known"):
        open_frames(path)


def test_a_repeated_file_or_angle(tmp_path: Path) -> None:
    path, frames = ge(tmp_path)
    with pytest.raises(DuplicateError, match="file number 1 follows 1"):
        open_frames([path, path], omega_start=START, omega_step=STEP)
    write_frame_stack(tmp_path / "scan.h5", frames, edges_deg(6)[[0, 1, 1, 2, 3, 4]])
    with pytest.raises(DuplicateError, match="frame 2 begins at"):
        open_frames(tmp_path / "scan.h5")


def test_more_than_a_turn(tmp_path: Path) -> None:
    path, _ = ge(tmp_path)
    with pytest.raises(DuplicateError, match="the angles span 540 deg"):
        open_frames(path, omega_start=0.0, omega_step=math.pi / 2.0)


def test_a_frame_that_the_detector_wrote_twice(tmp_path: Path) -> None:
    frames = counted_frames(4)
    write_ge(tmp_path / "scan.ge", [frames[0], frames[1], frames[1], frames[3]])
    series = open_frames(tmp_path / "scan.ge", omega_start=START, omega_step=STEP)
    with pytest.raises(DuplicateError, match=r"frame 2 \(omega 10.5 deg\) is bit for bit frame 1"):
        list(series.stream())


def test_dark_and_mask(tmp_path: Path) -> None:
    path, _ = ge(tmp_path)
    dark = counted_frames(3, seed=5)
    write_ge(tmp_path / "dark.ge", dark)
    np.save(tmp_path / "bad.npy", np.eye(*SHAPE))
    series = open_frames(
        path,
        omega_start=START,
        omega_step=STEP,
        dark=tmp_path / "dark.ge",
        mask=read_mask(tmp_path / "bad.npy"),
    )
    assert series.dark is not None
    assert np.allclose(series.dark, np.mean(dark, axis=0))
    assert series.mask is not None
    assert np.array_equal(series.mask, np.eye(*SHAPE, dtype=bool))


@pytest.mark.parametrize("name", ["dark", "mask"])
def test_a_dark_or_mask_of_another_size(name: str, tmp_path: Path) -> None:
    path, _ = ge(tmp_path)
    wrong = {name: np.zeros((24, 20), dtype=bool if name == "mask" else float)}
    with pytest.raises(ContradictionError, match=f"the {name} has 24 x 20 pixels, the frames 20"):
        open_frames(path, omega_start=START, omega_step=STEP, **wrong)


def test_angles_beside_a_file_that_states_others(tmp_path: Path) -> None:
    write_frame_stack(tmp_path / "scan.h5", counted_frames(6), edges_deg(6))
    assert len(open_frames(tmp_path / "scan.h5", omega_start=START, omega_step=STEP)) == 6
    with pytest.raises(ContradictionError, match="states other angles, 1 deg away"):
        open_frames(tmp_path / "scan.h5", omega_start=START + math.radians(1.0), omega_step=STEP)


def test_a_missing_extra_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\x00" + bytes(100))
    monkeypatch.setitem(sys.modules, "fabio", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mesolith\[frames\]"'):
        open_frames(tmp_path / "a.tif")
