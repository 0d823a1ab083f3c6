"""Read every file once, as a run would, before anything is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mesolith.errors import InputError, MesolithError
from mesolith.experiment import Experiment
from mesolith.experiment.mistakes import Mistake
from mesolith.experiment.sections import STATE
from mesolith.pipeline.fingerprint import Fingerprint, Fingerprints, signature_of
from mesolith.pipeline.graph import Graph, PartSpec, RawInput
from mesolith.pipeline.store import Store
from mesolith.pipeline.technique import load
from mesolith.pipeline.work import Remark, Source, Work, read_remarks
from mesolith.techniques import all_techniques
from mesolith.workflow.plan import steps_of
from mesolith.workflow.planning import RAW, Planner

COMPARED = "link.history"  # sets the charge of the files against the protocol


class _Looks(Fingerprints):
    """Fingerprints by name and looks: a trial keeps nothing, so no content needs to be hashed."""

    def of(self, path: Path) -> Fingerprint:
        try:
            looks = signature_of(path)
        except OSError as error:
            raise InputError(
                f"the file cannot be read ({error.strerror or error})",
                where=str(path),
                remedy="Correct the path in cell.toml, or put it back.",
            ) from error
        return Fingerprint(f"{path} {looks}", looks)


def trial(experiment: Experiment) -> tuple[list[Mistake], list[Remark]]:
    """What the readers, and the comparison of charge and protocol, say of a cell without mistakes.

    Everything is computed in a temporary folder that goes with the call.
    """
    with TemporaryDirectory(prefix="mesolith-check-") as folder:
        store = Store.open(Path(folder) / "store")
        store.fingerprints = _Looks(Path(folder) / "looks.jsonl")
        planner = Planner(experiment, store, allow_partial=False)
        planner.add_steps(*steps_of(experiment, all_techniques()))
        return _tried(experiment, planner.graph, Path(folder))


def _tried(
    experiment: Experiment, graph: Graph, folder: Path
) -> tuple[list[Mistake], list[Remark]]:
    readers = {
        step.name: technique.key
        for technique in all_techniques()
        for step in technique.steps
        if RAW in {name.removesuffix("?") for name in step.inputs}
    }
    quick = {
        step.name: step.trial
        for technique in all_techniques()
        for step in technique.steps
        if step.trial is not None
    }
    mistakes: list[Mistake] = []
    remarks: list[Remark] = []
    done: dict[str, Path] = {}
    tried: dict[str, Path] = {}  # their folders hold nothing
    for number, part in enumerate(graph):
        key = readers.get(part.step)
        if key is None and part.step != COMPARED and part.step not in quick:
            continue
        ready = done | tried if part.step in quick else done
        if any(source.key not in ready for source in part.part_inputs):
            continue
        here = folder / str(number)
        here.mkdir()
        try:
            load(quick.get(part.step, part.compute))(_work(part, here, ready))
        except MesolithError as error:
            mistakes.append(_mistake(experiment, error, part, key))
            continue
        (tried if part.step in quick else done)[part.key] = here
        remarks += read_remarks(here)
    return mistakes, remarks


def _work(part: PartSpec, folder: Path, done: Mapping[str, Path]) -> Work:
    return Work(
        step=part.step,
        label=part.label,
        settings=part.settings,
        inputs={
            name: tuple(
                Source(source.label, source.path)
                if isinstance(source, RawInput)
                else Source(source.label, done[source.key])
                for source in found
            )
            for name, found in part.inputs.items()
        },
        folder=folder,
        selector=part.selector,
        seed=part.seed,
    )


def _mistake(
    experiment: Experiment, error: MesolithError, part: PartSpec, key: str | None
) -> Mistake:
    """The error at the place in cell.toml that names the file or the state it is about."""
    where = error.where or part.title
    path: tuple[str | int, ...] = (STATE,)
    for state in experiment.states:
        if key is not None and state.name == part.label:
            path = (STATE, state.index, key, "files", *_entry(experiment, state.index, key, where))
        elif key is None and repr(state.name) in where:
            path = (STATE, state.index, "after" if state.after is not None else "name")
    folder = f"{experiment.folder}/"
    text = f"{where}: {error.what}".replace(folder, "")
    return Mistake(experiment.places.value(path), text, error.remedy, type(error), in_file=True)


def _entry(experiment: Experiment, index: int, key: str, where: str) -> Iterator[int]:
    """Entry of the list of files whose file the error names."""
    state = experiment.states[index]
    files: Sequence[Path] = state.files[key]
    for file, entry in zip(files, state.entries[key], strict=True):
        if where.startswith(str(file)):
            yield entry
            return
