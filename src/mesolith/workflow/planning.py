"""Which parts a cell needs: the steps of the techniques and links, state by state, as a graph.

Nothing in here names a technique or a step; it reads what the techniques declare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import SettingsError
from mesolith.pipeline.graph import Graph, PartInput, PartSpec, RawInput, raw_inputs
from mesolith.pipeline.technique import Step, Technique, load
from mesolith.pipeline.work import Cost, Source, Work
from mesolith.workflow.truth import TRUTH, truth_file

if TYPE_CHECKING:
    from mesolith.experiment import Experiment
    from mesolith.pipeline.store import Store

RAW = "raw"
PARTIAL = "run.allow_partial"
WHOLE_CELL = -1
Inputs = dict[str, tuple[RawInput | PartInput, ...]]


@dataclass(frozen=True, slots=True)
class Made:
    """The parts of one step for one instance: a state, a pair (its earlier state) or the cell."""

    step: Step
    instance: int
    parts: tuple[PartSpec, ...]


@dataclass(slots=True)
class Planner:
    """Expands steps over the states of one cell, each step after those that it needs."""

    experiment: Experiment
    store: Store
    allow_partial: bool
    graph: Graph = field(default_factory=Graph)
    made: dict[str, dict[int, Made]] = field(default_factory=dict)

    def add_steps(self, techniques: Sequence[Technique], links: Sequence[Step]) -> None:
        """Add every step that finds its inputs; steps whose inputs do not exist are left out."""
        owner = {step.name: technique for technique in techniques for step in technique.steps}
        steps = [step for technique in techniques for step in technique.steps] + list(links)
        for step in _in_order(steps):
            self.made[step.name] = {}
            for instance in self._instances(step, owner.get(step.name)):
                self._add(step, instance, owner.get(step.name))

    def _instances(self, step: Step, technique: Technique | None) -> list[int]:
        if step.of is not None:
            return [WHOLE_CELL] if self._having(step, technique) else []
        if step.per == "cell":
            wanted = [name for name in step.inputs if not name.endswith("?")]
            found = all(self._exists(name, technique) for name in wanted)
            return [WHOLE_CELL] if found else []
        needed = [name for name in step.inputs if not name.endswith("?")]
        # of inputs that may all be absent one must be there
        enough = all if needed else any
        asked = needed or [name.removesuffix("?") for name in step.inputs]
        having = [
            index
            for index in range(len(self.experiment.states))
            if enough(self._has(name, index, technique) for name in asked)
        ]
        return having if step.per == "state" else having[:-1]

    def _having(self, step: Step, technique: Technique | None) -> list[int]:
        """States that have all that a step needs."""
        needed = [name for name in step.inputs if not name.endswith("?")]
        return [
            index
            for index in range(len(self.experiment.states))
            if all(self._has(name, index, technique) for name in needed)
        ]

    def _only_state(self, step: Step, technique: Technique | None) -> int:
        """The one state of a step that works on one: the named one, or the first that can."""
        assert step.of is not None
        having = self._having(step, technique)
        name = self.experiment.setting(step.of)
        if name is None:
            return having[0]
        index = self.experiment.state(str(name)).index
        if index not in having:
            known = ", ".join(repr(self.experiment.states[row].name) for row in having)
            raise SettingsError(
                f"{step.of} names state {name!r}, which lacks what {step.name} needs",
                where=self.experiment.path.name,
                remedy=f"Name one of {known}.",
            )
        return index

    def _exists(self, name: str, technique: Technique | None) -> bool:
        if name == RAW:
            states = range(len(self.experiment.states))
            return any(self._has(RAW, index, technique) for index in states)
        return bool(self.made.get(name))

    def _has(self, name: str, index: int, technique: Technique | None) -> bool:
        if name == RAW:
            return technique is not None and bool(self._files(technique, index))
        instances = self.made.get(name, {})
        return index in instances or WHOLE_CELL in instances

    def _add(self, step: Step, instance: int, technique: Technique | None) -> None:
        states = self._states_of(step, instance, technique)
        inputs: Inputs = {}
        for declared in step.inputs:
            name = declared.removesuffix("?")
            whole = step.per == "cell" and step.of is None
            inputs[name] = self._sources(name, states, technique, whole=whole)
        settings = {key: self._value(step, key, states) for key in step.settings}
        if self.allow_partial and RAW in inputs:
            settings[PARTIAL] = True
        for key in step.settings:
            self._add_material(key, settings, inputs)
        label = self._label(step, states)
        work = _preview(step, label, settings, inputs, self.store)
        selectors = [{}] if step.parts is None else load(step.parts)(work)
        cost = Cost() if step.cost is None else load(step.cost)(work)
        parts = tuple(
            self.graph.add(
                PartSpec(
                    step=step.name,
                    version=step.version,
                    label=label,
                    compute=step.compute,
                    settings=settings,
                    inputs=inputs,
                    selector=selector,
                    cost=cost,
                    all_cores=step.all_cores,
                    group=self.experiment.name,
                )
            )
            for selector in selectors
        )
        self.made[step.name][instance] = Made(step, instance, parts)

    def _states_of(self, step: Step, instance: int, technique: Technique | None) -> list[int]:
        if step.of is not None:
            return [self._only_state(step, technique)]
        if step.per == "cell":
            return list(range(len(self.experiment.states)))
        if step.per == "state":
            return [instance]
        partners = [name.removesuffix("?") for name in step.inputs if name != RAW]
        later = [
            index
            for index in range(instance + 1, len(self.experiment.states))
            if all(self._has(name, index, None) for name in partners)
        ]
        return [instance, later[0]]

    def _sources(
        self, name: str, states: list[int], technique: Technique | None, *, whole: bool
    ) -> tuple[RawInput | PartInput, ...]:
        if name == RAW:
            if technique is None:
                raise SettingsError("a link step cannot read raw files")
            return tuple(
                source
                for index in states
                for source in raw_inputs(
                    self.store.fingerprints,
                    self.experiment.states[index].name,
                    self._files(technique, index),
                )
            )
        instances = self.made.get(name, {})
        if WHOLE_CELL in instances:
            wanted = [WHOLE_CELL]
        else:
            wanted = sorted(instances) if whole else states
        return tuple(
            PartInput(part.label, part.key)
            for index in wanted
            if index in instances
            for part in instances[index].parts
        )

    def _files(self, technique: Technique, index: int) -> tuple[Path, ...]:
        if technique.key == TRUTH.key:
            path = truth_file(self.experiment, index)
            return () if path is None else (path,)
        return self.experiment.states[index].files.get(technique.key, ())

    def _value(self, step: Step, key: str, states: list[int]) -> Any:
        if not key.startswith("state."):
            return self.experiment.setting(key)
        values = [
            {
                "state": self.experiment.states[index].name,
                "value": self.experiment.state_setting(index, key.removeprefix("state.")),
            }
            for index in states
        ]
        return values[0]["value"] if step.per == "state" or step.of is not None else values

    def _add_material(self, key: str, settings: dict[str, Any], inputs: Inputs) -> None:
        """A CIF of the user's is a raw file: its content counts, not its place.

        The files of a library material are inputs as well, since a later release may correct them.
        """
        for name, path in self.experiment.files_behind(key).items():
            inputs[name] = raw_inputs(self.store.fingerprints, path.name, [path])
            if isinstance(settings[key], Mapping):
                settings[key] = {**settings[key], name.rpartition(".")[2]: path.name}
            else:
                settings[key] = path.name
        for name, paths in self.experiment.library_files_behind(key).items():
            inputs[f"{name} (library)"] = raw_inputs(self.store.fingerprints, name, paths)

    def _label(self, step: Step, states: list[int]) -> str:
        if step.per == "cell" and step.of is None:
            return "cell"
        return " -> ".join(self.experiment.states[index].name for index in states)

    def records(self) -> dict[tuple[str, int, str], PartSpec]:
        """Part that holds each record: (per, instance, record type) -> the last step's part."""
        found: dict[tuple[str, int, str], PartSpec] = {}
        for instances in self.made.values():
            for made in instances.values():
                if made.step.record is not None and len(made.parts) == 1:
                    found[made.step.per, made.instance, made.step.record] = made.parts[0]
        return found


def _in_order(steps: list[Step]) -> list[Step]:
    """Steps so that each comes after those it names, otherwise as listed."""
    by_name = {step.name: step for step in steps}
    ordered: dict[str, Step] = {}

    def visit(step: Step, waiting: tuple[str, ...]) -> None:
        if step.name in ordered:
            return
        if step.name in waiting:
            raise SettingsError(f"steps wait for each other: {' -> '.join((*waiting, step.name))}")
        for declared in step.inputs:
            name = declared.removesuffix("?")
            if name in by_name:
                visit(by_name[name], (*waiting, step.name))
            elif name != RAW and not declared.endswith("?"):
                raise SettingsError(f"step {step.name} needs {name}, which no technique offers")
        ordered[step.name] = step

    for step in steps:
        visit(step, ())
    return list(ordered.values())


def _preview(
    step: Step, label: str, settings: Mapping[str, Any], inputs: Inputs, store: Store
) -> Work:
    """Work as ``parts`` and ``cost`` see it: raw files are there, results are not yet."""
    return Work(
        step=step.name,
        label=label,
        settings=settings,
        inputs={
            name: tuple(
                Source(source.label, source.path)
                if isinstance(source, RawInput)
                else Source(source.label, Path())
                for source in found
            )
            for name, found in inputs.items()
        },
        folder=store.temporary,
    )
