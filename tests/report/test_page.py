"""report.html: self-contained, escaped, deterministic, and its provenance can be cut out."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from mesolith.errors import FileFormatError
from mesolith.records.cell import Cell, Handle, State
from mesolith.records.field import Record
from mesolith.report.page import with_provenance, without_provenance, write_report
from mesolith.report.picture import Picture
from mesolith.report.viewer.viewer import viewer_html

from .conftest import ALL
from .synthetic_cell import synthetic_cell

PROVENANCE = {
    "made": "now",
    "software": {"mesolith": "0.1.0"},
    "raw": [{"file": "raw/<odd> & name.csv", "sha256": "0f" * 32}],
    "steps": [{"step": "a.b", "settings": {"x": [1, 2]}}] * 9,
}


@pytest.fixture(scope="module")
def page(cell: Cell, pictures: dict[str, Picture], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, cell=cell, pictures=list(pictures.values()))
    return path.read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Elements with their attributes; complains about tags that do not match."""

    VOID = frozenset({"meta", "link", "img", "br", "input", "line", "circle", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    for tag, attributes in outline(page).seen:
        for name in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(name)
            if value is not None:
                assert value.startswith(("data:", "#")), (tag, name, value[:80])
    style = page[: page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_names_are_escaped(page: str) -> None:
    assert "virtual &lt;LLZTO&gt; &amp; co" in page
    assert "<LLZTO>" not in page
    assert "&lt;beam dump&gt;" in page


def test_a_hostile_state_cannot_leave_its_place(
    pictures: dict[str, Picture], tmp_path: Path
) -> None:
    cell = synthetic_cell(n=30)
    hostile = "</script><script>alert(1)</script>"
    states = (dataclasses.replace(cell.states[0], name=hostile), *cell.states[1:])
    odd = dataclasses.replace(cell, states=states, name=hostile)
    write_report(tmp_path / "report.html", cell=odd, pictures=list(pictures.values()))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    outline(page)


def test_same_cell_same_page(page: str, pictures: dict[str, Picture], tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", cell=synthetic_cell(), pictures=list(pictures.values()))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


def test_provenance_goes_in_and_out(page: str) -> None:
    filled = with_provenance(page, PROVENANCE)
    assert "raw/&lt;odd&gt; &amp; name.csv" in filled
    assert "0f" * 32 in filled
    assert filled != page
    assert without_provenance(filled) == without_provenance(page)
    assert with_provenance(filled, PROVENANCE) == filled
    outline(filled)
    with pytest.raises(FileFormatError, match="no provenance block"):
        with_provenance("<html></html>", PROVENANCE)


def test_every_picture_has_words_for_those_who_do_not_see_it(page: str) -> None:
    images = [attributes for tag, attributes in outline(page).seen if tag == "img"]
    assert len(images) == len(ALL)
    assert all(len(image["alt"] or "") > 60 for image in images)


def test_headings_step_down_one_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in outline(page).seen if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_figures_say_how_and_where_the_numbers_are(page: str) -> None:
    assert page.count("How this was computed.") == len(ALL)
    assert "Numbers: tables/stress_by_state.csv" in page
    assert "Nature Materials 21, 1298 (2022)" in page
    order = [page.index(f'id="figure-{figure.name}"') for figure in ALL]
    assert order == sorted(order)


def test_missing_conditions_stand_on_the_first_page(
    pictures: dict[str, Picture], tmp_path: Path
) -> None:
    cell = synthetic_cell(n=30)
    remarks = (*cell.remarks, ("missing", "conditions.forming_pressure_mpa", "Pressure <of> it."))
    odd = dataclasses.replace(cell, remarks=remarks)
    write_report(tmp_path / "report.html", cell=odd, pictures=list(pictures.values()))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    first = page[page.index('id="story"') : page.index('id="figure-story"')]
    assert "forming pressure (MPa)" in first
    assert "Pressure &lt;of&gt; it." in first
    assert "Gaps: data left out" in first
    assert "Warnings" in first


def test_cell_without_grains_has_a_page_without_a_view(tmp_path: Path) -> None:
    bare = Cell("bare", {}, ())
    assert viewer_html(bare) is None
    write_report(tmp_path / "report.html", cell=bare, pictures=[])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="grains"' not in page
    outline(page)


def test_each_record_is_read_once(cell: Cell, tmp_path: Path) -> None:
    reads: list[tuple[str, type]] = []

    def counted(state: State, kind: type, handle: Handle) -> Handle:
        def read() -> Record:
            reads.append((state.name, kind))
            return handle()

        return read

    states = tuple(
        dataclasses.replace(
            state, handles={kind: counted(state, kind, h) for kind, h in state.handles.items()}
        )
        for state in cell.states
    )
    watched = dataclasses.replace(cell, states=states)
    write_report(tmp_path / "report.html", cell=watched, pictures=[])
    assert reads
    assert len(reads) == len(set(reads))


def test_the_same_remark_of_many_states_is_one_line(cell: Cell, tmp_path: Path) -> None:
    text = "The files state no errors: 20 um and -105 ppm assumed."
    remarks = tuple(("assumed", state.name, text) for state in cell.states)
    path = tmp_path / "report.html"
    write_report(path, cell=dataclasses.replace(cell, remarks=remarks), pictures=[])
    page = path.read_text(encoding="utf-8")
    assert page.count("The files state no errors: 20 µm and −105 ppm assumed.") == 1
    assert "pristine, plating 1, stripping 1, plating 2, stripping 2:" in page


def test_without_a_failure_the_page_says_so_calmly(cell: Cell, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    healthy = dataclasses.replace(cell, states=cell.states[:4])
    write_report(path, cell=healthy, pictures=[])
    assert '<div class="failed calm"><h3>No failure seen</h3>' in path.read_text(encoding="utf-8")
    write_report(path, cell=cell, pictures=[])
    assert '<div class="failed"><h3>When it failed</h3>' in path.read_text(encoding="utf-8")
