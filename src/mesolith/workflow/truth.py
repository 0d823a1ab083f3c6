"""True values of a virtual cell: read like any technique's files, from the folder cell.truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesolith.pipeline.technique import Step, Technique
from mesolith.pipeline.work import Work

if TYPE_CHECKING:
    from mesolith.experiment import Experiment

TRUTH = Technique(
    name="truth",
    key="truth",
    record="mesolith.records.truth:TrueGrains",
    settings="",
    steps=(
        Step(
            name="truth.read",
            version=1,
            compute="mesolith.workflow.truth:compute",
            per="state",
            inputs=("raw",),
            record="mesolith.records.truth:TrueGrains",
        ),
    ),
)


def truth_file(experiment: Experiment, index: int) -> Path | None:
    """Table of the true grains of one state, or None."""
    folder = experiment.setting("cell.truth")
    if folder is None:
        return None
    path = experiment.folder / folder / f"grains_{experiment.states[index].name}.csv"
    return path if path.is_file() else None


def compute(work: Work) -> None:
    """Step truth.read."""
    from mesolith.io.record_file import write_record
    from mesolith.io.truth_table import read_truth

    write_record(work.folder / "record.h5", read_truth(work.source("raw").path))
