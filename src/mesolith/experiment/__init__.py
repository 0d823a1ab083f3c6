"""cell.toml, the one file a user writes: read, checked, and asked for its values."""

from mesolith.experiment.experiment import Experiment, ExperimentState
from mesolith.experiment.finding import find_cells
from mesolith.experiment.mistakes import CellFileError, Mistake
from mesolith.experiment.reading import load_experiment

__all__ = [
    "CellFileError",
    "Experiment",
    "ExperimentState",
    "Mistake",
    "find_cells",
    "load_experiment",
]
