"""The plans of the cells that a command is about, as they were run last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesolith.workflow.plan import Plan


def plans_of(paths: Sequence[Path], store: Path | None) -> Iterator[Plan]:
    """Plan of each cell behind the paths, in its store or in the one given."""
    from mesolith.experiment import load_experiment
    from mesolith.experiment.finding import find_places_of_cells
    from mesolith.techniques import all_techniques
    from mesolith.workflow.plan import plan_of_last_run

    for place in find_places_of_cells(paths):
        experiment = load_experiment(place.file, all_techniques())
        yield plan_of_last_run(experiment, store=store or place.store)
