"""The 3-D view: what is packed reads back, and a headless browser draws it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesolith.axes import FloatArray
from mesolith.numerics.rotations import quaternion_from_rotation_vector
from mesolith.records.cell import Cell
from mesolith.records.grains import GrainMap
from mesolith.records.lives import life_numbers
from mesolith.records.tracking import Tracking
from mesolith.report.page import write_report
from mesolith.report.viewer.viewer import _changes, ipf_colours, viewer_html

from .synthetic_cell import STATES

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--window-size=1000,3000",
    "--virtual-time-budget=5000",
)


def unpacked(html: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    words = re.search(r'class="viewer-words">(.*?)</script>', html, re.DOTALL)
    assert words is not None
    arrays = re.findall(r'data-array="(\w+)">(.*?)</script>', html, re.DOTALL)
    return json.loads(words[1]), {name: base64.b64decode(text) for name, text in arrays}


def test_packed_numbers_read_back(cell: Cell) -> None:
    html = viewer_html(cell)
    assert html is not None
    words, arrays = unpacked(html)
    assert tuple(words["states"]) == STATES
    maps = [grains for _, grains in cell.having(GrainMap)]
    assert words["counts"] == [len(grains) for grains in maps]
    position = np.frombuffer(arrays["position"], "<u2").reshape(-1, 3)
    low, high = np.array(words["low"]), np.array(words["high"])
    decoded: FloatArray = low + position / 65534.0 * (high - low)
    planted = np.concatenate([grains.position for grains in maps])
    assert np.max(np.abs(decoded - planted)) < 0.02
    field = words["fields"][0]
    assert (field["key"], field["unit"], field["diverging"]) == (
        "stress_hydrostatic",
        "MPa",
        True,
    )
    stress = np.frombuffer(arrays["value0"], "<u2") / 65534.0
    stress = field["low"] + stress * (field["high"] - field["low"])
    told = np.concatenate([np.asarray(grains.stress_hydrostatic) for grains in maps])
    assert np.max(np.abs(stress - told)) < 0.01
    numbered = {state.index: grains for state, grains in cell.having(GrainMap)}
    lives = np.concatenate(list(life_numbers(cell, numbered).values()))
    assert np.array_equal(np.frombuffer(arrays["life"], "<i4"), lives)


def test_labels_come_from_the_declarations(cell: Cell) -> None:
    words, _ = unpacked(str(viewer_html(cell)))
    labels = [field["label"] for field in words["fields"]]
    assert labels[:2] == ["hydrostatic stress", "von Mises stress"]
    assert "found share of the expected reflections" in labels
    assert not any("error" in label for label in labels)


@pytest.mark.parametrize(
    ("axis", "angle", "colour"),
    [
        ((1.0, 0.0, 0.0), 0.0, (255, 0, 0)),
        ((1.0, 0.0, 0.0), np.pi / 2, (255, 0, 0)),
        ((1.0, 0.0, 0.0), np.pi / 4, (0, 255, 0)),
        ((1.0, -1.0, 0.0), np.arccos(1.0 / np.sqrt(3.0)), (0, 0, 255)),
    ],
)
def test_pole_figure_colours_at_the_corners(
    axis: tuple[float, float, float], angle: float, colour: tuple[int, int, int]
) -> None:
    direction = np.array(axis) / np.linalg.norm(axis)
    orientation = quaternion_from_rotation_vector(direction[None, :] * angle)
    assert np.all(np.abs(ipf_colours(orientation, np.eye(3))[0].astype(int) - colour) <= 2)


PROBE = """<script>
const problems = [];
addEventListener("error", (event) => problems.push(String(event.message)));
const complain = console.error;
console.error = (...words) => { problems.push(words.join(" ")); complain(...words); };
</script>"""
CHECK = """<script>
addEventListener("load", () => setTimeout(() => {
  const canvas = document.querySelector("#viewer canvas");
  const pixels = () => {
    const copy = document.createElement("canvas");
    copy.width = canvas.width; copy.height = canvas.height;
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0);
    return context.getImageData(0, 0, copy.width, copy.height).data;
  };
  const inked = (data) => {
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] + data[i + 1] + data[i + 2] < 600) count++;
    return count;
  };
  const differ = (a, b) => {
    let count = 0;
    for (let i = 0; i < a.length; i += 4) if (Math.abs(a[i] - b[i]) > 24) count++;
    return count;
  };
  const set = (name, value) => {
    const control = document.querySelector(`#viewer [name="${name}"]`);
    if (control.type === "checkbox") control.checked = value; else control.value = value;
    control.dispatchEvent(new Event("input"));
    control.dispatchEvent(new Event("change"));
  };
  const found = { states: document.querySelector('[name="state"]').max };
  const data = document.getElementById("viewer").dataset;
  const opening = pixels();
  found.inked = inked(opening);
  found.solid = Number(data.solid);
  set("state", 0);
  found.afterState = differ(opening, pixels());
  set("threshold", 0);
  found.allSolid = Number(data.solid);
  found.afterThreshold = inked(pixels());
  set("axis", "2");
  found.clipped = Number(data.solid);
  const before = pixels();
  set("colour", "ipf");
  found.afterColour = differ(before, pixels());
  const box = canvas.getBoundingClientRect();
  const life = document.querySelector(".viewer-life");
  for (let k = 0; k < 400 && !life.textContent.includes("Grain "); k++) {
    const [x, y] = [0.3 + 0.02 * (k % 20), 0.3 + 0.02 * Math.floor(k / 20)];
    for (const kind of ["pointerdown", "pointerup"]) {
      canvas.dispatchEvent(new PointerEvent(kind, {
        clientX: box.left + box.width * x, clientY: box.top + box.height * y, bubbles: true }));
    }
  }
  found.life = life.textContent;
  found.problems = problems.filter((text) => !text.includes("setPointerCapture"));
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
}, 300));
</script></body>"""


@pytest.fixture(scope="module")
def found(
    chromium: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """What a headless browser says of the page after a few clicks."""
    cell: Cell = request.getfixturevalue("cell")
    folder = tmp_path_factory.mktemp("browser")
    page = folder / "report.html"
    write_report(page, cell=cell, pictures=[])
    html = page.read_text(encoding="utf-8")
    html = html.replace("<head>", f"<head>{PROBE}").replace("</body>", CHECK)
    page.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [str(chromium), *FLAGS, f"--user-data-dir={folder}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told is not None, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(told[1].replace("&amp;", "&").replace("&lt;", "<"))
    return answer


def test_page_opens_without_errors(found: dict[str, Any]) -> None:
    assert found["problems"] == []
    assert found["states"] == "4"


def test_it_opens_on_a_few_extreme_grains(found: dict[str, Any]) -> None:
    assert 20 <= found["solid"] <= 80
    assert found["inked"] > 500


def test_controls_change_the_picture(found: dict[str, Any], cell: Cell) -> None:
    assert found["afterState"] > 300
    assert found["allSolid"] == len(cell.states[0][GrainMap])
    assert found["afterThreshold"] > 2 * found["inked"]
    assert 0.3 < found["clipped"] / found["allSolid"] < 0.7
    assert found["afterColour"] > 1000


def test_a_click_shows_the_life_of_a_grain(found: dict[str, Any]) -> None:
    assert "Grain " in found["life"]
    for state in STATES:
        assert state in found["life"]


def test_without_webgl_the_page_says_so(chromium: Path, cell: Cell, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    write_report(page, cell=cell, pictures=[])
    flags = [flag for flag in FLAGS if "swiftshader" not in flag]
    done = subprocess.run(
        [
            str(chromium),
            *flags,
            "--disable-3d-apis",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert re.search(r'<p class="viewer-missing">This browser has no WebGL2', done.stdout)
    assert '<div class="viewer-body" hidden=""' in done.stdout


def test_change_since_the_first_state_follows_the_grain(cell: Cell) -> None:
    maps = {state.index: grains for state, grains in cell.having(GrainMap)}
    lives = life_numbers(cell, maps)
    (change,) = _changes(list(maps.values()), list(lives.values()))
    tracking = cell.pair(0, Tracking)
    assert tracking is not None
    before, after = (np.asarray(maps[k].stress_hydrostatic) for k in (0, 1))
    expected = after[tracking.after] - before[tracking.before]
    assert np.allclose(change.values[1][tracking.after], expected)
    assert np.isnan(change.values[1]).sum() == len(maps[1]) - len(tracking.after)
    assert np.all(change.values[0] == 0.0)
