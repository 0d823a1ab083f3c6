"""XMAS' .str: grains, peaks and lattice as written down by hand after two public readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import EmptyFileError, FileFormatError, MissingColumnError
from mesolith.instrument.laue_angles import xmas_from_reciprocal
from mesolith.io.xmas import read_xmas, recognise_xmas
from mesolith.numerics.rotations import matrix_from_quaternion, random_quaternions

BETA = np.deg2rad(0.63)
TRUE = matrix_from_quaternion(random_quaternions(np.random.default_rng(3), 2)) / 5.6575


def block(number: int, calibration: bool) -> list[str]:
    rows = xmas_from_reciprocal(TRUE[number - 1], incidence=np.deg2rad(40.0), beta=BETA).T
    told = ["dd, xcen, ycen : 70.775  942.74 1083.56", "xbet, xgam : 0.63  -0.682"]
    return [
        f"Grain no {number}",
        "x(exp)  y(exp)  h  k  l xdev  ydev  energy  dspace  intens   integr",
        "624.12 1658.73 1 -3 5 0.01 -0.02 12.1 0.9 29239 1.0",
        "934.04 1216.44 -2 4 6 0.02 0.03 11.0 0.8 21725 1.0",
        "latticeparameters  5.6575 5.6575 5.6575 90.01 90 90",
        *(told if calibration else []),
        "dev1, dev2, dev3 0.1 0.2 0.3",
        "coordinates of a*, b*, c* in X, Y, Z",
        *(" ".join(f"{value:.9f}" for value in row) for row in rows),
    ]


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "grains.str"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_grains_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, ["Number of grains : 2", *block(1, True), *block(2, False)])
    assert recognise_xmas(path, path.read_bytes()) == 1.0
    assert recognise_xmas(path, b"2theta chi X Y I\n") == 0.0
    grains = read_xmas(path)
    assert [grain.number for grain in grains] == [1, 2]
    for grain, true in zip(grains, TRUE, strict=True):
        np.testing.assert_allclose(grain.place, [[623.12, 1657.73], [933.04, 1215.44]])
        np.testing.assert_array_equal(grain.hkl, [[-1, 3, -5], [2, -4, -6]])
        np.testing.assert_allclose(grain.reciprocal(incidence=np.deg2rad(40.0)), true, atol=1e-8)
        assert grain.lattice[3] == pytest.approx(np.deg2rad(90.01))
        assert grain.detector.distance == pytest.approx(70775.0)
        assert grain.detector.x_centre == pytest.approx(941.74)
        assert grain.detector.gamma == pytest.approx(np.deg2rad(-0.682))
        np.testing.assert_allclose(grain.column("intens"), [29239.0, 21725.0])
        with pytest.raises(MissingColumnError, match="no column tilt"):
            grain.column("tilt")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:8], "no coordinates of a"),
        (lambda lines: lines[:10], "line 11.*3 numbers|3 numbers"),
        (lambda lines: [lines[0], "x y h k l", *lines[2:]], "the headings are 'x y h k l'"),
        (lambda lines: [*lines[:2], "624.12 1658.73 1 -3", *lines[3:]], "11 numbers"),
        (lambda lines: [*lines[:4], *lines[5:]], "no latticeparameters"),
        (lambda lines: [*lines[:2], *lines[4:]], "has no peak"),
        (lambda lines: [*lines[:5], *lines[7:]], "no calibration"),
        (lambda lines: lines[1:], "no line begins with Grain no"),
    ],
)
def test_damage_is_named(tmp_path: Path, change, told: str) -> None:  # type: ignore[no-untyped-def]
    path = written(tmp_path, change(block(1, True)))
    with pytest.raises(FileFormatError, match=told):
        read_xmas(path)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grains.str"
    path.write_text("\n")
    with pytest.raises(EmptyFileError, match="is empty"):
        read_xmas(path)
