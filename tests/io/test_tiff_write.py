"""TIFF files, read back by another program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mesolith.errors import InvalidValueError
from mesolith.io.tiff_write import write_tiff, write_tiff_frames


def test_counts_come_back_in_their_places(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 65_536, (3, 40, 70), dtype=np.uint16)
    paths = write_tiff_frames(tmp_path, "scan", frames, first=17)
    assert [path.name for path in paths] == [f"scan_0000{k}.tif" for k in (17, 18, 19)]
    for path, frame in zip(paths, frames, strict=True):
        with Image.open(path) as picture:
            assert np.array_equal(np.asarray(picture), frame)


@pytest.mark.parametrize("frame", [np.zeros((4, 4)), np.zeros((2, 4, 4), dtype=np.uint16)])
def test_only_pictures_of_16_bits(tmp_path: Path, frame: np.ndarray) -> None:
    with pytest.raises(InvalidValueError, match="is no 16-bit picture"):
        write_tiff(tmp_path / "x.tif", frame)
