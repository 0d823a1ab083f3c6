"""report.html: one self-contained page, the story first, then the figures, then where from."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from mesolith.errors import FileFormatError
from mesolith.records.cell import Cell
from mesolith.report.condition_words import value_in_words, words_of_key
from mesolith.report.memory import remembering
from mesolith.report.picture import Picture
from mesolith.report.provenance import provenance_html
from mesolith.report.state_table import state_table
from mesolith.report.story import failed, failure, story
from mesolith.report.viewer.viewer import viewer_html

STORY = "story"
_FOOTER = "Made by Mesolith. Numbers stand in tables/, all of it in cell.nxs beside this page."
START, END = "<!-- provenance -->", "<!-- /provenance -->"
_URGENT = (("gap", "Gaps: data left out"), ("warning", "Warnings"))
_CALM = (("assumed", "Assumed: values nobody gave"), ("note", "Notes"))


def write_report(path: Path, *, cell: Cell, pictures: Sequence[Picture]) -> None:
    """Write the page; where everything comes from enters later by `with_provenance`.

    The figure called "story" stands on the first page, the others follow in their order. Every
    text from a user is escaped. The same cell and pictures give the same bytes.
    """
    cell = remembering(cell)
    first = [picture for picture in pictures if picture.name == STORY]
    rest = [picture for picture in pictures if picture.name != STORY]
    viewer = viewer_html(cell)
    sections = [
        _story(cell, first),
        ""
        if viewer is None
        else f'<section id="grains"><h2>The grains in 3-D</h2>{viewer}</section>',
        _figures(rest, 1 + len(first)),
        f'<section id="provenance"><h2>Where this comes from</h2>\n{START}\n{END}\n</section>',
    ]
    links = [("story", "Story")]
    links += [] if viewer is None else [("grains", "3-D view")]
    links += [("figures", "Figures")] if rest else []
    links += [("provenance", "Provenance")]
    html = page_html(
        title=escape(cell.name),
        kind="report",
        subtitle=_subtitle(cell),
        links=links,
        sections="\n".join(section for section in sections if section),
        footer=_FOOTER,
    )
    path.write_text(html, encoding="utf-8", newline="\n")


def page_html(
    *,
    title: str,
    kind: str,
    subtitle: str,
    links: Sequence[tuple[str, str]],
    sections: str,
    footer: str,
    style: str = "",
) -> str:
    """A whole page in the house's look; ``links`` are (place, word), all texts are escaped."""
    return _TEMPLATE.format(
        title=title,
        kind=kind,
        style=style_of_page() + style,
        subtitle=subtitle,
        links="".join(f'<a href="#{place}">{word}</a>' for place, word in links),
        sections=sections,
        footer=footer,
    )


def with_provenance(page: str, provenance: Mapping[str, Any]) -> str:
    """The page with its provenance block filled; what stood there before is replaced.

    Raises ``FileFormatError`` where the page has no such block.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise FileFormatError("the page has no provenance block", where="report.html")
    return f"{before}{START}\n{provenance_html(provenance)}\n{END}{after}"


def without_provenance(page: str) -> str:
    """The page with an empty provenance block: what a byte comparison compares."""
    return re.sub(f"{START}.*?{END}", f"{START}\n{END}", page, count=1, flags=re.DOTALL)


def style_of_page() -> str:
    """The style sheets of a page."""
    folder = files("mesolith.report")
    sheets = (folder / "page.css", folder / "viewer" / "viewer.css")
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)


def _subtitle(cell: Cell) -> str:
    parts = [cell.conditions.get("cell.stack"), cell.conditions.get("electrolyte.material")]
    count = len(cell.states)
    parts.append(f"{count} state{'' if count == 1 else 's'}")
    return " · ".join(escape(str(part)) for part in parts if part)


def _story(cell: Cell, pictures: Sequence[Picture]) -> str:
    sentences = story(cell)
    lead = "".join(
        f"<p{' class=lead' if k == 0 else ''}>{escape(text)}</p>"
        for k, text in enumerate(sentences)
    )
    return (
        '<section id="story" class="story"><h2>The story</h2>'
        f"{lead}{_failed(cell)}"
        f"{_missing(cell)}{_remarks(cell, _URGENT)}"
        f"{''.join(figure_html(picture, 1) for picture in pictures)}"
        f"{state_table(cell)}"
        f"{_remarks(cell, _calm(cell))}"
        f"{_conditions(cell)}"
        "</section>"
    )


def _failed(cell: Cell) -> str:
    """When the cell failed, in the colour of a warning only where it did."""
    found = failed(cell)
    heading = "When it failed" if found else "No failure seen"
    sentences = "".join(f"<p>{escape(text)}</p>" for text in failure(cell))
    return f'<div class="failed{"" if found else " calm"}"><h3>{heading}</h3>{sentences}</div>'


def _missing(cell: Cell) -> str:
    missing = [(where, text) for level, where, text in cell.remarks if level == "missing"]
    if not missing:
        return ""
    items = "".join(
        f"<li><b>{escape(words_of_key(key))}</b> <span class=where>({escape(key)})</span>: "
        f"{escape(text)}</li>"
        for key, text in missing
    )
    return (
        '<div class="remarks missing"><h3>Operating conditions that nobody gave</h3>'
        "<p>Results of different cells compare only where these are known.</p>"
        f"<ul>{items}</ul></div>"
    )


def _calm(cell: Cell) -> list[tuple[str, str]]:
    """Assumptions and notes, and whatever else a technique calls its remarks."""
    known = {level for level, _ in (*_URGENT, *_CALM)} | {"missing"}
    others = dict.fromkeys(level for level, _, _ in cell.remarks if level not in known)
    return [*_CALM, *((level, level) for level in others)]


def _remarks(cell: Cell, levels: Sequence[tuple[str, str]]) -> str:
    boxes = []
    for level, heading in levels:
        items = [
            f"<li><span class=where>{escape(', '.join(places))}:</span> {escape(text)}</li>"
            for text, places in _gathered(cell, level).items()
        ]
        if items:
            boxes.append(f"<h3>{escape(heading)}</h3><ul>{''.join(items)}</ul>")
    return f'<div class="remarks">{"".join(boxes)}</div>' if boxes else ""


def _gathered(cell: Cell, level: str) -> dict[str, list[str]]:
    """Texts of one level, each once with all its places, in the page's typography."""
    gathered: dict[str, list[str]] = {}
    for found, where, text in cell.remarks:
        if found == level:
            gathered.setdefault(_typeset(text), []).append(where)
    return gathered


def _typeset(text: str) -> str:
    """The micro sign for "um" after a number, and a minus sign before one."""
    text = re.sub(r"(?<=\d) um\b", " µm", text)
    return re.sub(r"(?<![\w.-])-(?=\d)", "−", text)


def _conditions(cell: Cell) -> str:
    rows = [
        f"<tr><td>{escape(words_of_key(key))} <span class=key>{escape(key)}</span></td>"
        f"<td>{escape(value_in_words(value))}</td></tr>"
        for key, value in cell.conditions.items()
        if value is not None and not key.startswith("clock.")
    ]
    if not rows:
        return ""
    return (
        "<details><summary>What cell.toml says of the cell</summary>"
        f'<table class="plain"><tbody>{"".join(rows)}</tbody></table></details>'
    )


def _figures(pictures: Sequence[Picture], first: int) -> str:
    if not pictures:
        return ""
    drawn = "".join(figure_html(picture, first + k) for k, picture in enumerate(pictures))
    return f'<section id="figures"><h2>Figures</h2>{drawn}</section>'


def figure_html(picture: Picture, number: int, data_line: str | None = None) -> str:
    """A figure with its words; ``data_line`` says where its numbers are, None: in tables/."""
    mime = "image/svg+xml" if picture.kind == "svg" else "image/png"
    data = base64.b64encode(picture.image).decode("ascii")
    origin = f" ({escape(picture.number)})" if picture.number else ""
    cite = "".join(f'<p class="cite">{escape(text)}</p>' for text in picture.cite)
    if data_line is None:
        data_line = f"Numbers: tables/{escape(picture.name)}.csv" if picture.has_table else ""
    table = f'<p class="data">{data_line}</p>' if data_line else ""
    return (
        f'<figure class="figure" id="figure-{escape(picture.name)}">'
        f'<img style="width:{100.0 * picture.share:.1f}%" src="data:{mime};base64,{data}" '
        f'alt="{escape(f"{picture.title}. {picture.caption}")}">'
        f'<figcaption><p><span class="label">Figure {number}. {escape(picture.title)}{origin}.'
        f"</span> {escape(picture.caption)}</p>"
        f'<p class="how"><b>How this was computed.</b> {escape(picture.how)}</p>'
        f"{cite}{table}</figcaption></figure>\n"
    )


_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {kind}</title>
<link rel="icon" href="data:,">
<style>
{style}
</style>
</head>
<body>
<header class="top"><h1>{title}</h1><p>{subtitle}</p></header>
<nav class="contents" aria-label="Contents">{links}</nav>
<main>
{sections}
</main>
<footer>{footer}</footer>
</body>
</html>
"""
