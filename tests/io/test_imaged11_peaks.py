"""ImageD11's peak files: written and read back, foreign ones understood, bad ones refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
)
from mesolith.instrument.distortion import Distortion
from mesolith.instrument.panel import Panel, laboratory_from_pixels
from mesolith.io.imaged11_peaks import read_flt, recognise_flt, write_flt
from mesolith.records.field import quantities
from mesolith.records.spots import Spots
from tests.hedm.virtual_layers import UPRIGHT, layer

PANEL = UPRIGHT.panels[0]


@pytest.fixture(scope="module")
def spots() -> Spots:
    rng = np.random.default_rng(0)
    made = layer(2, 4).spots
    spread = rng.normal(0.0, 0.05, (len(made), 3, 3)) * [1.0, 1.0, 0.01]
    return replace(
        made,
        covariance=made.covariance + spread.swapaxes(1, 2) @ spread,
        saturated=rng.random(len(made)) < 0.1,
        partial=rng.random(len(made)) < 0.1,
        omega_range=np.array([[-np.pi, -0.5], [-0.5 + 1e-3, np.pi]]),
        omega=np.where(np.abs(made.omega + 0.5) < 2e-3, 0.0, made.omega),
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_is_written_is_read(spots: Spots, tmp_path: Path, sign: float) -> None:
    path = tmp_path / "peaks.flt"
    write_flt(path, spots, PANEL)
    assert recognise_flt(path, path.read_bytes()[:4096]) == 1.0
    found = read_flt(path, omega_sign=sign)
    assert found.findings == ()
    if sign < 0.0:
        path = tmp_path / "turned.flt"
        write_flt(path, found.spots, PANEL)
        found = read_flt(path, omega_sign=sign)
    for name in quantities(Spots):
        ours, theirs = getattr(spots, name), getattr(found.spots, name)
        if isinstance(ours, tuple):
            assert ours == theirs
        else:
            np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-15, err_msg=name)


def test_distortion_is_taken_off(spots: Spots, tmp_path: Path) -> None:
    bent = Distortion(
        np.zeros(2), 2e5, np.array([2e-3]), np.array([2.0]), np.array([0.0]), np.zeros(1)
    )
    panel = replace(PANEL, distortion=bent)
    write_flt(tmp_path / "a.flt", spots, panel)
    flat = read_flt(tmp_path / "a.flt").spots
    assert np.abs(flat.fast - spots.fast).max() > 0.5
    ours = laboratory_from_pixels(panel, spots.fast, spots.slow)
    theirs = laboratory_from_pixels(PANEL, flat.fast, flat.slow)
    assert np.allclose(ours, theirs, atol=1e-3)
    other = Panel("other", PANEL.shape, PANEL.pitch, PANEL.origin, PANEL.rotation)
    with pytest.raises(InvalidValueError, match="know no panel 'other'"):
        write_flt(tmp_path / "b.flt", spots, other)


def test_measured_peaks_of_an_older_version(measured: Callable[[str], Path]) -> None:
    path = measured("hedm/imaged11_makemap/test.flt")
    assert recognise_flt(path, path.read_bytes()[:4096]) == 1.0
    found = read_flt(path)
    table = np.loadtxt(path)
    assert np.array_equal(found.spots.slow, table[:, 0])
    assert np.array_equal(found.spots.fast, table[:, 1])
    assert np.allclose(np.rad2deg(found.spots.omega), table[:, 2])
    assert [finding.level for finding in found.findings] == ["assumed", "assumed"]
    assert np.all(found.spots.covers(found.spots.omega))


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("", EmptyFileError, "lists no peak"),
        ("# sc fc omega\n", EmptyFileError, "lists no peak"),
        ("# sc fc\n1 2\n", MissingColumnError, "no column omega"),
        ("# sc fc omega\n1 2 3\n1 2\n", FileFormatError, "2 entries stand under 3 names"),
        ("# sc fc omega\n1 2 x\n", FileFormatError, "or one is no number"),
        (
            "# omega_step_deg = a\n# omega_range_deg = 0 1\n# sc fc omega\n1 2 3\n",
            FileFormatError,
            "holds no numbers",
        ),
    ],
)
def test_files_that_cannot_be_used(
    text: str, kind: type[Exception], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "peaks.flt"
    path.write_text(text)
    with pytest.raises(kind, match=words) as caught:
        read_flt(path)
    assert str(path) in str(caught.value)
    assert recognise_flt(path, b"# UBI:\n1 2 3\n") == 0.0
