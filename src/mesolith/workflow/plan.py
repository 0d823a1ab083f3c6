"""The whole plan of one cell: its steps, and the parts that make the result folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.errors import SettingsError
from mesolith.pipeline.graph import Graph, PartSpec
from mesolith.pipeline.place import refuse_inside
from mesolith.pipeline.store import Store
from mesolith.pipeline.technique import Technique
from mesolith.techniques import all_techniques
from mesolith.workflow.planning import PARTIAL, Planner
from mesolith.workflow.result import RESULT_STEPS, add_result_parts

if TYPE_CHECKING:
    from mesolith.experiment import Experiment

STORE_FOLDER = ".mesolith"
RESULT_FOLDER = "result"


@dataclass(frozen=True, slots=True)
class Plan:
    """All parts of one cell; ``wanted`` is the part of the graph that a run was asked for."""

    experiment: Experiment
    store: Store
    graph: Graph
    wanted: Graph
    renewed: tuple[PartSpec, ...]
    allow_partial: bool = False

    @property
    def whole(self) -> bool:
        """The run makes the result folder."""
        return len(self.wanted) == len(self.graph)


def make_plan(
    experiment: Experiment,
    *,
    store: Path | None = None,
    states: Sequence[str] = (),
    only: Sequence[str] = (),
    from_: Sequence[str] = (),
    allow_partial: bool = False,
) -> Plan:
    """Plan a cell; hashes raw files that the store has not seen yet.

    Parameters
    ----------
    store
        Folder of the store; None: ``.mesolith`` beside cell.toml.
    states, only
        Names of states and steps to which the run is limited; what they need comes along, and
        the result folder is left as it is.
    from_
        Names of steps that are computed anew, with all that hangs on them.
    allow_partial
        Readers go on where a file is damaged and mark the gap.

    Raises
    ------
    SettingsError
        A state or step of that name does not exist, or the cell has nothing to compute.
    OutputPlaceError
        The store lies among raw data.
    """
    place = store_place(experiment, store)
    opened = Store.open(place)
    techniques = all_techniques()
    planner = Planner(experiment, opened, allow_partial)
    planner.add_steps(*steps_of(experiment, techniques))
    if not len(planner.graph):
        raise SettingsError(
            "there is nothing to compute: no state has files",
            where=experiment.path.name,
            remedy="List files in a [[state]], such as grains = { files = [...] }.",
        )
    add_result_parts(planner, techniques)
    for name in states:
        experiment.state(name)
    known = [*planner.made, *RESULT_STEPS]
    for name in (*only, *from_):
        if name not in known:
            raise SettingsError(
                f"this cell has no step {name!r}", remedy=f"Its steps: {', '.join(known)}."
            )
    wanted = planner.graph
    if states or only:
        wanted = planner.graph.upstream(_chosen(planner, states, only))
    anew = [part.key for part in planner.graph if part.step in from_]
    renewed = [part for part in planner.graph if part.key in anew]
    renewed += planner.graph.all_dependents(anew)
    return Plan(experiment, opened, planner.graph, wanted, tuple(renewed), allow_partial)


def plan_of_last_run(experiment: Experiment, *, store: Path | None = None) -> Plan:
    """The whole plan, with damaged files allowed where the last run allowed them."""
    from mesolith.pipeline.plans import read_plan

    known = read_plan(Store.open(store_place(experiment, store)), experiment.path).parts
    partial = any(part.get("settings", {}).get(PARTIAL) for part in known.values())
    return make_plan(experiment, store=store, allow_partial=partial)


def store_place(experiment: Experiment, store: Path | None) -> Path:
    """Folder of the store; refused where it lies among raw data."""
    place = experiment.folder / STORE_FOLDER if store is None else store
    refuse_inside(place, experiment.raw_files(), project=experiment.folder)
    return place


def result_place(experiment: Experiment, result: Path | None) -> Path:
    """Folder of the result; refused where it lies among raw data."""
    place = experiment.folder / RESULT_FOLDER if result is None else result
    refuse_inside(place, experiment.raw_files(), project=experiment.folder)
    return place


def steps_of(
    experiment: Experiment, techniques: Sequence[Technique]
) -> tuple[list[Technique], list[Any]]:
    """Techniques and link steps that a cell may use, the truth of a virtual cell included."""
    from mesolith.link import STEPS
    from mesolith.workflow.truth import TRUTH

    known = list(techniques)
    if experiment.setting("cell.truth") is not None:
        known.append(TRUTH)
    return known, list(STEPS)


def _chosen(planner: Planner, states: Sequence[str], only: Sequence[str]) -> Iterable[str]:
    """Keys of the parts of those states and steps; the parts of the result are not among them
    unless a step of theirs is named."""
    numbers = {state.index for state in planner.experiment.states if state.name in states}
    for name, instances in planner.made.items():
        for made in instances.values():
            if (not only or name in only) and (not states or made.instance in numbers):
                yield from (part.key for part in made.parts)
    for part in planner.graph:
        if part.step in RESULT_STEPS and part.step in only:
            yield part.key
