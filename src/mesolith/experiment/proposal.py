"""From a folder of raw files to the cell.toml that a user then completes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mesolith.errors import InputError, MesolithError
from mesolith.experiment.catalogue import Catalogue, catalogue, formats_of
from mesolith.experiment.files import natural
from mesolith.experiment.sections import SECTIONS
from mesolith.pipeline.technique import Description, Format, Technique, load


@dataclass(frozen=True, slots=True)
class Found:
    """A raw file that a technique can read."""

    file: Path
    technique: Technique
    format: Format
    description: Description

    @property
    def start(self) -> datetime | None:
        """When it begins, as far as its header says."""
        text = self.description.start
        try:
            return None if text is None else datetime.fromisoformat(text)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class ProposedState:
    """Files that seem to belong to one state; ``doubt`` says what a user must confirm."""

    name: str
    files: tuple[Found, ...]
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """States in order, why in this order, and the files that no reader knows."""

    states: tuple[ProposedState, ...]
    order: str
    unknown: tuple[Path, ...]


def propose(raw: Path, techniques: tuple[Technique, ...]) -> Proposal:
    """States for the files below a folder, recognised by their content.

    Files of one folder make a state; a file beside the folders joins the one that has its name.
    States are ordered by the times in the files where every state has one, else by name. Raises
    ``InputError`` where no file is recognised.
    """
    found, unknown = _recognise_all(raw, techniques)
    if not found:
        raise InputError(
            f"no reader knows any of the {len(unknown)} files here",
            where=str(raw),
            remedy="`mesolith explain format` lists the formats.",
        )
    groups: dict[str, list[Found]] = {}
    names: dict[str, str] = {}
    for one in found:
        name = _group_name(one.file, raw)
        word = re.sub(r"[\W_]+", "", name).casefold()
        groups.setdefault(word, []).append(one)
        names.setdefault(word, name)
    states = [ProposedState(names[word], tuple(files)) for word, files in groups.items()]
    states, order = _ordered(states)
    return Proposal(tuple(_paired(states)), order, tuple(unknown))


def cell_text(
    proposal: Proposal, *, name: str, folder: Path, techniques: tuple[Technique, ...]
) -> str:
    """Text of the cell.toml that belongs into ``folder``; what is not known is a ``# ?`` line."""
    keys = catalogue(techniques)
    lines = [
        "# Written by `mesolith new`. Each line that begins with # ? waits for you: put the value",
        "# of your cell behind the = and take the mark away, or delete the line. The comments say",
        "# examples, not proposals. Then run `mesolith check`.",
        "",
    ]
    for section in SECTIONS:
        lines.append(f"[{section}]")
        if section == "cell":
            lines.append(f"name = {_quoted(name)}")
        lines += _open_keys(keys, section)
        lines.append("")
    lines.append(f"# States are in the order of {proposal.order}")
    for index, state in enumerate(proposal.states):
        lines += _state_lines(state, index, folder, keys)
    return "\n".join(lines) + "\n"


def _recognise_all(raw: Path, techniques: tuple[Technique, ...]) -> tuple[list[Found], list[Path]]:
    from mesolith.io.recognise import recognise

    owners = {id(known): technique for technique in techniques for known in _formats(technique)}
    every = [known for technique in techniques for known in _formats(technique)]
    found, unknown = [], []
    files = (path for path in raw.rglob("*") if path.is_file() and not _hidden(path, raw))
    for file in sorted(files, key=lambda path: natural(path.relative_to(raw).as_posix())):
        scored = recognise(file, every)
        if not scored:
            unknown.append(file)
            continue
        known = scored[0][0]
        try:
            described: Description = load(known.describe)(file)
        except MesolithError as error:
            described = Description(known.name, problems=(error.what,))
        found.append(Found(file, owners[id(known)], known, described))
    return found, unknown


def _formats(technique: Technique) -> Sequence[Format]:
    return list(formats_of(technique).values())


def _hidden(path: Path, raw: Path) -> bool:
    return any(word.startswith(".") for word in path.relative_to(raw).parts)


def _group_name(file: Path, raw: Path) -> str:
    inside = file.relative_to(raw).parts
    return "/".join(inside[:-1]) if len(inside) > 1 else file.stem


def _ordered(states: list[ProposedState]) -> tuple[list[ProposedState], str]:
    starts = {}
    for state in states:
        times = [found.start for found in state.files if found.start is not None]
        if times and len({time.tzinfo is None for time in times}) == 1:
            starts[state.name] = min(times)
    alike = len({time.tzinfo is None for time in starts.values()}) == 1
    if len(starts) == len(states) and alike:
        return sorted(states, key=lambda state: starts[state.name]), "the times in their files."
    return sorted(states, key=lambda state: natural(state.name)), "their names: is it that of time?"


def _paired(states: list[ProposedState]) -> list[ProposedState]:
    """Where two techniques share no state but have equally many, pair them in order."""
    kinds = [frozenset(found.technique.key for found in state.files) for state in states]
    if any(len(kind) != 1 for kind in kinds) or len(set(kinds)) != 2:
        return states
    first, second = dict.fromkeys(kinds)
    ones = [state for state, kind in zip(states, kinds, strict=True) if kind == first]
    others = [state for state, kind in zip(states, kinds, strict=True) if kind == second]
    if len(ones) != len(others):
        return states
    return [
        replace(
            one,
            files=one.files + other.files,
            doubt=f"{one.name} and {other.name} were put together by their order alone",
        )
        for one, other in zip(ones, others, strict=True)
    ]


def _open_keys(keys: Catalogue, section: str) -> list[str]:
    """The keys of a section that nothing but the user can know, each with its meaning."""
    lines = []
    for key, declared in keys.tables[section].settings.items():
        if declared.required or key == "truth":
            continue
        words = _first_sentence(declared.help)
        if key == "plates_under_positive_current":
            words += ' ("working" or "counter"; EC-Lab counts oxidation positive: "counter" there)'
        elif declared.choices:
            words += f" ({', '.join(_quoted(choice) for choice in declared.choices)})"
        elif declared.example:
            words += f" (such as {declared.example})"
        lines.append(f"# ? {key} =    # {words}")
    return lines


def _first_sentence(text: str) -> str:
    return re.split(r"[.;:] ", text, maxsplit=1)[0].rstrip(".")


def _state_lines(state: ProposedState, index: int, folder: Path, keys: Catalogue) -> list[str]:
    lines = ["", "[[state]]", f"name = {_quoted(state.name)}"]
    if state.doubt is not None:
        lines.append(f"# ? {state.doubt}")
    settings = keys.state.settings
    if index > 0:
        lines.append(f"# ? after =    # such as {settings['after'].example}")
    lines.append(f"# ? measured_at =    # such as {settings['measured_at'].example}")
    by_key: dict[str, list[Found]] = {}
    for found in state.files:
        by_key.setdefault(found.technique.key, []).append(found)
    for key, files in by_key.items():
        lines += _file_lines(key, files, folder)
    return lines


def _file_lines(key: str, files: list[Found], folder: Path) -> list[str]:
    lines = []
    needs: Mapping[str, str] = {
        need: f"{found.file.name}: {why}"
        for found in files
        for need, why in found.description.needs
    }
    lines += [f"# ? {key} needs {need} ({why})" for need, why in needs.items()]
    for found in files:
        lines += [f"# ? {found.file.name}: {problem}" for problem in found.description.problems]
    names = ", ".join(_quoted(_relative(found.file, folder)) for found in files)
    formats = {found.format.name for found in files}
    stated = f", format = {_quoted(formats.pop())}" if len(formats) == 1 else ""
    return [*lines, f"{key} = {{ files = [{names}]{stated} }}"]


def _relative(file: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return file.resolve().as_posix()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", "?", escaped) + '"'
