"""From a raster of white-beam patterns to maps by a cell file, and what is told of bad input."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mesolith
from mesolith.cli.main import main
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.io.tiff_write import write_tiff
from mesolith.laue import TECHNIQUE
from mesolith.numerics.rotations import quaternion_from_matrix
from mesolith.pipeline.technique import load
from mesolith.records.cell import Cell
from mesolith.records.laue_map import NO_PATTERN, LaueInterface, LaueMap
from mesolith.virtual.laue.scan import point_spots
from tests.laue.scan_cell import ScanCell, write_scan_cell

Said = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> ScanCell:
    made = write_scan_cell(tmp_path_factory.mktemp("laue") / "cell")
    assert main(["run", str(made.folder), "--workers", "1"]) == 0
    return made


@pytest.fixture(scope="module")
def cell(scanned: ScanCell) -> Cell:
    return mesolith.open(scanned.folder / "result" / "cell.nxs")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


@pytest.fixture
def copy(scanned: ScanCell, tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns(".mesolith", "result")
    return Path(shutil.copytree(scanned.folder, tmp_path / "cell", ignore=ignored))


def test_lists_lead_to_the_grains_and_the_strains_of_the_section(
    scanned: ScanCell, cell: Cell
) -> None:
    grain_map = cell.states[0][LaueMap]
    assert len(grain_map) == 64
    assert len(grain_map.grains) == 2
    assert np.all(grain_map.scan.current == 0)
    operators = rotation_operators(230)
    x, y = grain_map.scan.x, grain_map.scan.y
    section = scanned.virtual.section
    inner = section.within(x, y) & (section.boundary_distance(x, y) > 4.0)
    assert inner.sum() > 30
    errors, sigmas = [], []
    for k in np.flatnonzero(inner):
        truth = point_spots(scanned.virtual, float(x[k]), float(y[k]))[1]
        true = quaternion_from_matrix(truth.orientation[:1], tolerance=1e-2)
        angle = misorientation_angle(true, grain_map.orientation[k][None], operators)
        assert angle[0] < np.radians(0.03)
        errors.append(grain_map.strain[k] - truth.strain[0])
        sigma = grain_map.standard_error("strain")
        assert sigma is not None
        sigmas.append(sigma[k])
    # lists keep no errors of places: those of [laue] are half again the true ones
    assert np.sqrt(np.mean(np.square(errors))) < 1.3 * np.sqrt(np.mean(np.square(sigmas)))
    assert np.sqrt(np.mean(np.square(sigmas))) < 1e-4
    names = {mode.name for mode in grain_map.common_modes}
    assert "surface height" in names
    assert len(names) == 6
    lithium = ~section.within(x, y - 7.0)
    assert np.all(grain_map.status[lithium] & NO_PATTERN)
    assert ("assumed", "[laue]") in {remark[:2] for remark in cell.remarks}


def test_the_interface_is_in_the_result(scanned: ScanCell, cell: Cell) -> None:
    interface = cell.states[0][LaueInterface]
    known = np.isfinite(interface.place)
    true = scanned.virtual.section.interface_at(interface.line[known])
    assert known.sum() >= 5
    assert np.abs(interface.place[known] - true).max() < 7.0


def test_figures_show_what_the_map_holds(scanned: ScanCell, cell: Cell) -> None:
    grain_map = cell.states[0][LaueMap]
    report = (scanned.folder / "result" / "report.html").read_text(encoding="utf-8")
    tables = {}
    for figure in TECHNIQUE.figures:
        drawing = load(figure.draw)(cell)
        assert drawing is not None, figure.name
        assert html.escape(figure.title) in report
        tables[figure.name] = drawing.table
    strain = tables["laue_strain"]
    trace = strain["strain_xx"] + strain["strain_yy"] + strain["strain_zz"]
    np.testing.assert_allclose(trace[np.isfinite(trace)], 0.0, atol=1e-9)
    # the surface is 45 deg to the beam: its normal's strain from laboratory components
    known = np.flatnonzero(grain_map.grain >= 0)
    lab = grain_map.strain[known]
    along = 0.5 * (lab[:, 0, 0] + lab[:, 2, 2]) - lab[:, 0, 2]
    np.testing.assert_allclose(strain["strain_zz"][known], along, atol=1e-12)
    np.testing.assert_allclose(tables["laue_normal_strain"]["strain_normal"][known], along)
    angle = tables["laue_misorientation"]["misorientation_deg"]
    np.testing.assert_allclose(angle, np.rad2deg(grain_map.misorientation))
    profiles = tables["laue_profiles"]
    near = (profiles["distance_from"] == "the interface") & (
        profiles["what"] == "equivalent strain, 1e-3"
    )
    mean, points = profiles["mean"][near], profiles["points"][near]
    # what was planted near the interface
    assert mean[0] > np.average(mean[2:], weights=points[2:])
    directions = tables["laue_orientation"]
    assert len(np.unique(np.round(directions["direction_smallest"][known], 2))) <= 4


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "rows = 8",
            "rows = 9",
            "8 of 72 points of the raster have no pattern; the first is row 8",
        ),
        ("columns = 8", "columns = 7", "the files hold 64 patterns, the raster has 8 x 7 = 56"),
        ('detector = "raw/panel.poni"', "", "patterns do not say where the panel stood"),
        ("seed_step", "lowest_kev = 30.0\nseed_step", "from 30 to 24 keV"),
        ("rows = 8, ", "", "lacks the key 'rows'"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(
    copy: Path, said: Said, old: str, new: str, words: str
) -> None:
    text = (copy / "cell.toml").read_text(encoding="utf-8")
    assert old in text
    (copy / "cell.toml").write_text(text.replace(old, new), encoding="utf-8")
    code, told = said("check", copy)
    assert code in (2, 3)
    assert words in told


def test_a_missing_point_is_told_and_marked(copy: Path, said: Said) -> None:
    (copy / "raw" / "scan0" / "img_0013.dat").unlink()
    code, told = said("check", copy)
    assert code == 3
    assert "1 files are missing: number 14 follows 12" in told
    assert "img_0014.dat" in told
    code, told = said("run", copy, "--workers", "1", "--allow-partial", "--only", "laue.peaks")
    assert code == 0, told


def test_an_image_of_another_size_is_told(copy: Path, said: Said) -> None:
    place = copy / "raw" / "scan0"
    for path in place.glob("*.dat"):
        path.unlink()
    write_tiff(place / "img_0000.tif", np.zeros((128, 96), dtype=np.uint16))
    text = (copy / "cell.toml").read_text(encoding="utf-8")
    text = text.replace("*.dat", "*.tif").replace("rows = 8, columns = 8", "rows = 1, columns = 1")
    (copy / "cell.toml").write_text(text, encoding="utf-8")
    code, told = said("check", copy)
    assert code == 3
    assert "img_0000.tif" in told
    assert "the images have 128 x 96 pixels, the calibration" in told


def test_peaks_beyond_the_panel_are_told_with_their_file(copy: Path, said: Said) -> None:
    path = copy / "raw" / "scan0" / "img_0000.dat"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = " ".join(["5000.0", *lines[1].split()[1:]])
    path.write_text("\n".join(lines), encoding="utf-8")
    code, told = said("check", copy)
    assert code == 3
    assert "img_0000.dat" in told
    assert "lie beyond the panel" in told


def test_a_scan_without_a_peak_is_told(copy: Path, said: Said) -> None:
    for path in (copy / "raw" / "scan0").glob("*.dat"):
        path.write_text(path.read_text(encoding="utf-8").split("\n")[0] + "\n", encoding="utf-8")
    code, told = said("run", copy, "--workers", "1", "--only", "laue.seeds")
    assert code != 0
    assert "none of 64 patterns has a peak" in told
