"""Nested values of the provenance as plain HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_LONG = 8


def provenance_html(values: Mapping[str, Any]) -> str:
    """Headings for keys, tables for lists of mappings, one line for plain values."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping | list)}
    parts = [_pairs(plain)] if plain else []
    for key, value in values.items():
        if key in plain:
            continue
        body = _body(value)
        length = len(value)
        heading = escape(key.replace("_", " "))
        if length > _LONG:
            parts.append(f"<details><summary>{heading} ({length})</summary>{body}</details>")
        else:
            parts.append(f"<h3>{heading}</h3>{body}")
    return "\n".join(parts)


def _body(value: Any) -> str:
    if isinstance(value, Mapping):
        return _pairs(value)
    if value and all(isinstance(row, Mapping) for row in value):
        return _rows(value)
    return "<ul>" + "".join(f"<li>{_text(item)}</li>" for item in value) + "</ul>"


def _pairs(values: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{_text(value)}</td></tr>"
        for key, value in values.items()
    )
    return f'<table class="plain pairs"><tbody>{rows}</tbody></table>'


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(row.get(name, ''))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table class="plain"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(f"{escape(str(k))} = {_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    text = escape(str(value))
    return f'<span class="hash">{text}</span>' if re.fullmatch(r"[0-9a-f]{16,}", text) else text
