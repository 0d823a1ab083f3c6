"""Licences of all that is installed with Mesolith, judged by metadata and by licence files.

What metadata cannot say, a person has read and written into reviewed_licences.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REVIEWED = tomllib.loads(
    (Path(__file__).parent / "reviewed_licences.toml").read_text(encoding="utf-8")
)
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CNRI-Python",
    "HPND",
    "ISC",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "OFL-1.1",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "Zlib",
}
BY_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
GPL_TEXT = re.compile(r"GNU\s+(?:AFFERO\s+)?GENERAL\s+PUBLIC\s+LICENSE", re.IGNORECASE)


def closure(extras: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Mesolith's dependencies, theirs, and so on, as they hold on this machine."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [("mesolith", extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        distribution = metadata.distribution(name)
        if name != "mesolith":
            found[name] = distribution
        for text in distribution.requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                next_name = canonicalize_name(wanted.name)
                waiting += [(next_name, more) for more in ("", *wanted.extras)]
    return found


def licences_of(distribution: metadata.Distribution) -> set[str]:
    """Licences a package states, as SPDX names; empty where it states none that can be read.

    Of alternatives (OR) one allowed licence is enough, so only that one is named.
    """
    stated = distribution.metadata
    expression = stated.get("License-Expression")
    if expression:
        needed = set()
        for term in re.split(r"\s+AND\s+", expression.replace("(", "").replace(")", "")):
            choices = re.split(r"\s+OR\s+", term)
            needed.add(next((choice for choice in choices if choice in ALLOWED), choices[0]))
        return needed
    classifiers = {
        line.rsplit(" :: ", 1)[1]
        for line in stated.get_all("Classifier") or ()
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    }
    if classifiers:
        return {BY_CLASSIFIER.get(name, name) for name in classifiers}
    short = (stated.get("License") or "").strip()
    return {short} if short in ALLOWED else set()


def licence_files(distribution: metadata.Distribution) -> list[Path]:
    names = re.compile(r"(licen[cs]e|copying|notice)[^/]*$|/licenses/", re.IGNORECASE)
    return [
        Path(str(distribution.locate_file(file)))
        for file in distribution.files or ()
        if ".dist-info" in str(file) and names.search(file.as_posix())
    ]


def gpl_texts(distribution: metadata.Distribution) -> list[str]:
    return [
        path.name
        for path in licence_files(distribution)
        if GPL_TEXT.search(path.read_text(encoding="utf-8", errors="replace"))
    ]


@pytest.mark.parametrize("extras", [(), ("all",)], ids=["core", "all"])
def test_every_licence_is_allowed(extras: tuple[str, ...]) -> None:
    problems = []
    for name, distribution in sorted(closure(extras).items()):
        stated = {REVIEWED["licence"][name]["is"]} if name in REVIEWED["licence"] else None
        for licence in stated or licences_of(distribution) or {"nothing that can be read"}:
            if licence not in ALLOWED:
                problems.append(f"{name} states {licence}")
    assert not problems, "; ".join(problems)


def test_gpl_inside_a_wheel_has_been_read_by_a_person() -> None:
    """Wheels carry libraries of others; a GPL text among their licences needs a reason."""
    unread = {
        name: texts
        for name, distribution in closure(("all",)).items()
        if (texts := gpl_texts(distribution)) and name not in REVIEWED["gpl_text"]
    }
    assert not unread


def test_the_closure_is_followed() -> None:
    core, every = closure(()), closure(("all",))
    assert {"numpy", "llvmlite", "pillow"} <= set(core)
    assert {"pandas", "distributed", "dask"} <= set(every) - set(core)


def test_reviewed_packages_are_still_needed() -> None:
    every = closure(("all",))
    named = {**REVIEWED["licence"], **REVIEWED["gpl_text"]}
    assert set(named) <= set(every)
    assert all(len(entry["reason"]) > 20 for entry in named.values())


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        ({"License-Expression": "MIT AND (GPL-3.0-only OR BSD-3-Clause)"}, {"MIT", "BSD-3-Clause"}),
        ({"License-Expression": "GPL-3.0-only"}, {"GPL-3.0-only"}),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, {"MIT"}),
        (
            {"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"},
            {"GNU General Public License v3 (GPLv3)"},
        ),
        ({"License": "Apache-2.0"}, {"Apache-2.0"}),
        ({"License": "see the file"}, set()),
    ],
)
def test_reading_of_metadata(fields: dict[str, str], licences: set[str], tmp_path: Path) -> None:
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.4", "Name: toy", "Version: 1.0"]
    lines += [f"{key}: {value}" for key, value in fields.items()]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert licences_of(metadata.Distribution.at(info)) == licences
