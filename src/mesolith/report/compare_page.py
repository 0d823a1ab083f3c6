"""compare.html: cells side by side on one self-contained page, with tests of what differs."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from mesolith.link.differences import DIFFER, INDICATED, UNTOLD, Difference
from mesolith.pipeline.technique import Figure
from mesolith.records.cell import Cell
from mesolith.records.findings import Findings
from mesolith.report.cell_facts import CONDITIONS, facts
from mesolith.report.condition_words import value_in_words, words_of_key
from mesolith.report.page import figure_html, page_html
from mesolith.report.picture import Picture

COMPARISONS: tuple[Figure, ...] = (
    Figure(
        "compare_stress",
        "Stress by state",
        "after Dixit 2022, Figs. 1c, S4, S5",
        "mesolith.report.compare_stress:draw",
    ),
    Figure(
        "compare_distribution",
        "Distribution of the grains' stresses",
        "after Dixit 2022, Figs. 2, S19",
        "mesolith.report.compare_distribution:draw",
    ),
    Figure(
        "compare_spots",
        "Hot and cold spots",
        "after Dixit 2022, Figs. 5, S10-S16",
        "mesolith.report.compare_spots:draw",
    ),
    Figure(
        "compare_transitions",
        "Stress before and after each transition",
        "after Dixit 2022, Fig. 7b-c",
        "mesolith.report.compare_transitions:draw",
    ),
    Figure(
        "compare_cycling",
        "Plated capacity and critical current",
        "",
        "mesolith.report.compare_cycling:draw",
    ),
)
_DASH = "–"
_FEW = 12
_WORDS = {DIFFER: "differ", INDICATED: "indicated"}


def comparison_html(
    cells: Sequence[Cell],
    found: Sequence[Difference],
    pictures: Sequence[Picture],
    tables: Mapping[str, bytes],
) -> str:
    """The page; ``tables`` holds the CSV of each figure by its name, as bytes.

    The cells have names of their own. Every text from a user is escaped.
    """
    sections = [
        ("glance", "At a glance", _glance(cells, found)),
        ("conditions", "Conditions", _conditions(cells)),
        ("figures", "Figures", _figures(pictures, tables)),
        ("differences", "What differs", _differences(found)),
        ("findings", "Findings of each cell", _findings(cells)),
    ]
    kept = [section for section in sections if section[2]]
    return page_html(
        title=escape(" and ".join(cell.name for cell in cells)),
        kind="comparison",
        subtitle=f"{len(cells)} cells side by side, the first one in front of each difference",
        links=[(place, heading) for place, heading, _ in kept],
        sections="\n".join(
            f'<section id="{place}"><h2>{heading}</h2>{text}</section>'
            for place, heading, text in kept
        ),
        footer="Made by Mesolith from each cell's own cell.nxs.",
        style=_OWN_STYLE,
    )


def _glance(cells: Sequence[Cell], found: Sequence[Difference]) -> str:
    sentences = [_verdict_sentence(found)] if found else []
    sentences.append(
        "A difference here is one between these pellets. Whether conditions, powder or chance from "
        "pellet to pellet made it, so few cells cannot tell."
    )
    lead = "".join(f"<p>{escape(text)}</p>" for text in sentences)
    rows = [facts(cell) for cell in cells]
    body = []
    for own in zip(*rows, strict=True):
        if own[0].column != "cell" and any(fact.text not in ("", _DASH) for fact in own):
            texts = "".join(f"<td>{escape(fact.text)}</td>" for fact in own)
            body.append(f'<tr><th scope="row">{escape(own[0].label)}</th>{texts}</tr>')
    note = "± one standard error (68 %); in brackets 68 % intervals."
    return f"{lead}{_unlike(cells)}{_table(['', *_names(cells)], body, 'Each cell', note)}"


def _verdict_sentence(found: Sequence[Difference]) -> str:
    counts = Counter(d.verdict for d in found)
    differ = [d for d in found if d.verdict == DIFFER]
    told = f"Of {len(found)} quantities that are known of both cells of a pair, "
    told += f"{counts[DIFFER] or 'none'} differ{'s' if counts[DIFFER] == 1 else ''} after "
    told += f"correction for their number (5 %), {counts[INDICATED] or 'none'} more are indicated "
    told += f"within their subject, and {counts[UNTOLD] or 'none'} cannot be told."
    if differ:
        strongest = min(differ, key=lambda d: d.p_page)
        told += (
            f" The clearest: {strongest.subject}, {strongest.question}: "
            f"{_around(strongest)} {_unit(strongest)}, {strongest.other} less {strongest.first}."
        )
    return told


def _unlike(cells: Sequence[Cell]) -> str:
    """Conditions that differ or that somebody did not give, in the colour of a warning."""
    items = []
    for key, values in _condition_values(cells).items():
        without = [cell.name for cell, value in zip(cells, values, strict=True) if value is None]
        if without and (key in CONDITIONS or len(without) < len(cells)):
            items.append(f"<b>{escape(words_of_key(key))}</b>: not given for {_listed(without)}")
        elif len({_shown(value) for value in values}) > 1:
            told = ", ".join(
                f"{escape(_shown(value))} ({escape(cell.name)})"
                for cell, value in zip(cells, values, strict=True)
            )
            items.append(f"<b>{escape(words_of_key(key))}</b>: {told}")
    if not items:
        return "<p>All conditions that cell.toml knows are given and the same.</p>"
    listed = "".join(f"<li>{item}</li>" for item in items)
    return (
        '<div class="remarks missing"><h3>Conditions that differ or that nobody gave</h3>'
        "<p>Results of different cells compare only where these are known.</p>"
        f"<ul>{listed}</ul></div>"
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(escape(name) for name in names)


def _condition_values(cells: Sequence[Cell]) -> dict[str, list[object]]:
    """Every condition that a cell gives or misses, the ones that decide most first."""
    missing = [key for cell in cells for level, key, _ in cell.remarks if level == "missing"]
    given = [key for cell in cells for key in cell.conditions]
    keys = [
        key
        for key in dict.fromkeys((*CONDITIONS, *given, *missing))
        if not key.startswith("clock.") and key != "cell.name"
    ]
    return {key: [cell.conditions.get(key) for cell in cells] for key in keys}


def _shown(value: object) -> str:
    return _DASH if value is None else value_in_words(value)


def _conditions(cells: Sequence[Cell]) -> str:
    body = []
    for key, values in _condition_values(cells).items():
        texts = [_shown(value) for value in values]
        mark = ' class="unlike"' if len(set(texts)) > 1 or _DASH in texts else ""
        row = "".join(f"<td>{escape(text)}</td>" for text in texts)
        body.append(
            f'<tr{mark}><th scope="row">{escape(words_of_key(key))} '
            f"<span class=key>{escape(key)}</span></th>{row}</tr>"
        )
    return _table(
        ["", *_names(cells)], body, "What cell.toml says", "Marked: not the same, or not given."
    )


def _figures(pictures: Sequence[Picture], tables: Mapping[str, bytes]) -> str:
    drawn = []
    for number, picture in enumerate(pictures, start=1):
        name = f"{picture.name}.csv"
        data = base64.b64encode(tables[picture.name]).decode("ascii")
        line = f'Numbers: <a download="{name}" href="data:text/csv;base64,{data}">{name}</a>'
        drawn.append(figure_html(picture, number, line))
    return "".join(drawn)


def _differences(found: Sequence[Difference]) -> str:
    if not found:
        return "<p>No quantity is known of two of these cells, so nothing is tested.</p>"
    how = (
        "<p>Each quantity as a sample: its error holds the noise, and that another pellet of the "
        "same kind has other grains (blocks of grains, not grains, count as independent; the "
        "largest of many scatters by 1.28 mean excesses). p-values are Welch's, two-sided, "
        "corrected by Holm within each subject and over this whole table. “Cannot be told”: an "
        "error is not known, or numbers of grains are too unlike (10 %) for extremes to "
        "compare.</p>"
    )
    boxes = []
    groups = dict.fromkeys((d.first, d.other, d.subject) for d in found)
    for first, other, subject in groups:
        own = [d for d in found if (d.first, d.other, d.subject) == (first, other, subject)]
        head = ["", first, other, "difference", "grains", "p", "p, corrected", "verdict"]
        body = [_difference_row(d) for d in own]
        counts = Counter(d.verdict for d in own)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        opened = " open" if counts[DIFFER] or counts[INDICATED] or len(own) <= _FEW else ""
        title = f"{subject}: {other} less {first}"
        boxes.append(
            f"<details{opened}><summary>{escape(title)} ({escape(told)})</summary>"
            f"{_table(head, body, '', '68 % intervals in brackets.')}</details>"
        )
    return how + "".join(boxes)


def _difference_row(d: Difference) -> str:
    few = _DASH if not d.of_first.grains else f"{d.of_first.grains:,} / {d.of_other.grains:,}"
    digits = _digits(d)
    texts = [
        _rounded(d.of_first.value, digits),
        _rounded(d.of_other.value, digits),
        _around(d),
        few,
        _p(d.p),
        _p(d.p_page),
        d.verdict,
    ]
    cells = "".join(f"<td class=whole>{escape(text)}</td>" for text in texts)
    mark = f' class="{_WORDS[d.verdict]}"' if d.verdict in _WORDS else ""
    unit = _unit(d)
    question = f"{d.question}{f' ({unit})' if unit else ''}"
    return f'<tr{mark}><th scope="row">{escape(question)}</th>{cells}</tr>'


def _around(d: Difference) -> str:
    digits = _digits(d)
    text, low, high = (_rounded(value, digits) for value in (d.difference, d.low, d.high))
    return text if _DASH in (low, high) else f"{text} ({low} to {high})"


def _digits(d: Difference) -> int:
    """Decimals that show two digits of the interval, of the difference where there is none."""
    size = d.high - d.low if d.high > d.low else abs(d.difference)
    return int(np.clip(2 - np.ceil(np.log10(size)), 0, 6)) if size > 0.0 else 2


def _rounded(value: float, digits: int) -> str:
    if not np.isfinite(value):
        return _DASH
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0.0 else text.replace("-", "−")


def _unit(d: Difference) -> str:
    return "" if d.of_first.unit == "1" else d.of_first.unit


def _number(value: float) -> str:
    if not np.isfinite(value):
        return _DASH
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1e3 else f"{value:,.0f}"


def _p(p: float) -> str:
    return _DASH if p != p else "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _findings(cells: Sequence[Cell]) -> str:
    """Verdicts side by side, one row a question."""
    records = [_held(cell) for cell in cells]
    if all(record is None for record in records):
        return ""
    asked: dict[tuple[str, str], None] = {}
    for record in records:
        if record is not None:
            asked.update(dict.fromkeys(zip(record.subject, record.question, strict=True)))
    boxes = []
    for subject in dict.fromkeys(own for own, _ in asked):
        body = []
        for own, question in asked:
            if own == subject:
                texts = "".join(
                    f"<td>{escape(_finding(record, own, question))}</td>" for record in records
                )
                body.append(f'<tr><th scope="row">{escape(question)}</th>{texts}</tr>')
        note = "Estimate (68 % interval), grains, corrected p, verdict."
        boxes.append(
            f"<details><summary>{escape(subject)} ({len(body)} questions)</summary>"
            f"{_table(['', *_names(cells)], body, subject, note)}</details>"
        )
    return (
        "<p>As in each cell's own report: corrected there for all questions of that cell.</p>"
        + "".join(boxes)
    )


def _held(cell: Cell) -> Findings | None:
    if Findings not in cell:
        return None
    return cell[Findings]


def _finding(record: Findings | None, subject: str, question: str) -> str:
    if record is None:
        return "not asked"
    for k in record.rows(subject):
        if record.question[k] == question:
            low, high = _number(float(record.low[k])), _number(float(record.high[k]))
            around = "" if _DASH in (low, high) else f" ({low} to {high})"
            unit = "" if record.unit[k] == "1" else f" {record.unit[k]}"
            return (
                f"{_number(float(record.estimate[k]))}{around}{unit}, n = {record.grains[k]:,}, "
                f"p {_p(float(record.p_report[k]))}: {record.verdict[k]}"
            )
    return "not asked"


def _names(cells: Sequence[Cell]) -> list[str]:
    return [cell.name for cell in cells]


def _table(head: Sequence[str], body: Sequence[str], caption: str, note: str) -> str:
    top = "".join(f'<th scope="col">{escape(word)}</th>' for word in head)
    title = f"{escape(caption)}. " if caption else ""
    return (
        f'<div class="wide"><table class="compare"><caption>{title}'
        f'<span class="key">{escape(note)}</span></caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


_OWN_STYLE = """
table.compare th[scope=row] { text-align: left; font-weight: 400; }
table.compare tr.unlike td, table.compare tr.differ td:last-child { color: var(--warn); }
table.compare tr.differ td:last-child { font-weight: 650; }
"""
