"""A zip file for a bug report: no data, no names."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesolith.cli.doctor import stores_at

JOURNAL_EVENTS = 2_000
# A path keeps its last word's suffix: it says the format, and nothing of the place.
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][^\\/:'\"\s,;)]+)+")
_PRIVATE = ("host", "pid", "worker_host", "worker_pid", "run")


def write_bundle(file: Path, path: Path, findings: list[str]) -> list[str]:
    """Write the bundle; returns the names of what is in it.

    Held: what `doctor` prints, each cell.toml with its texts and file names replaced by their
    lengths, and the last events of each store's journal without hosts and with paths cut to their
    suffix and state names replaced by numbers.
    """
    folder = path if path.is_dir() else path.parent
    names = {str(folder.resolve()): "CELL", str(Path.home()): "HOME"}
    contents = {"doctor.txt": "\n".join(findings) + "\n"}
    cells = [folder / "cell.toml", *sorted(folder.glob("*/cell.toml"))]
    for number, cell in enumerate((cell for cell in cells if cell.is_file()), start=1):
        contents[f"cell_{number}.json"] = _cell(cell, names)
    for number, store in enumerate(stores_at(folder), start=1):
        contents[f"journal_{number}.jsonl"] = _journal(store / "journal.jsonl", names)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in contents.items():
            archive.writestr(name, scrubbed(text, names))
    return list(contents)


def scrubbed(text: str, names: Mapping[str, str]) -> str:
    """The text without the names given, user, machine, and with paths cut to their suffix."""
    private = {socket.gethostname(): "HOST", _user(): "USER", **names}
    for name, word in sorted(private.items(), key=lambda pair: -len(pair[0])):
        if len(name) > 1:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", word, text)
    return _PATH.sub(lambda found: f"FILE{Path(found[0].replace(chr(92), '/')).suffix}", text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return os.environ.get("USERNAME", "")


def _cell(file: Path, names: dict[str, str]) -> str:
    """Keys, numbers and the lengths of texts; the names of states are noted for the journal."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        return json.dumps({"cannot be read": type(error).__name__})
    states = raw.get("state", [])
    for number, state in enumerate(states if isinstance(states, list) else [], start=1):
        if isinstance(state, Mapping) and isinstance(state.get("name"), str):
            names.setdefault(state["name"], f"STATE{number}")
            for listed in map(Path, _files(state)):
                names.setdefault(listed.as_posix(), f"FILE{listed.suffix}")
                names.setdefault(listed.name, f"FILE{listed.suffix}")
    return json.dumps(_anonymous(raw), indent=1)


def _files(state: Mapping[str, Any]) -> list[str]:
    listed = [t["files"] for t in state.values() if isinstance(t, Mapping) and "files" in t]
    return [str(name) for names in listed if isinstance(names, list) for name in names]


def _anonymous(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _anonymous(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_anonymous(item) for item in value]
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return f"text of {len(text)} letters{Path(text).suffix if '.' in text else ''}"


def _journal(file: Path, names: Mapping[str, str]) -> str:
    if not file.is_file():
        return ""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-JOURNAL_EVENTS:]
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        kept = {key: value for key, value in event.items() if key not in _PRIVATE}
        events.append(json.dumps(_scrub(kept, names), ensure_ascii=False))
    return "\n".join(events) + "\n"


def _scrub(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return scrubbed(value, names)
    if isinstance(value, Mapping):
        return {key: _scrub(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrub(item, names) for item in value]
    return value
