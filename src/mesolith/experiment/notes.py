"""What no file can contradict, and what is missing: said before a run, not after."""

from __future__ import annotations

from mesolith.experiment.experiment import Experiment
from mesolith.experiment.inspection import Described

SIGN = "cell.plates_under_positive_current"


def notes(experiment: Experiment, files: tuple[Described, ...]) -> list[str]:
    """Sentences for `mesolith check`: first what is missing, then what only the user knows."""
    found = [
        f"{key} is not given; the report names it on its first page."
        for key in experiment.missing_conditions()
    ]
    for state in experiment.states:
        if not state.files:
            found.append(f"State {state.name!r} lists no files.")
        if state.after is None and state.index > 0:
            found.append(
                f"State {state.name!r} does not say what it follows (after): its charge is known "
                "from cycler files alone."
            )
    return found + _questions(experiment, files)


def _questions(experiment: Experiment, files: tuple[Described, ...]) -> list[str]:
    """Values that the data cannot contradict, each with its value."""
    asked = []
    cell, conditions = experiment.cell, experiment.conditions
    if cell.area_mm2 is None:
        asked.append("cell.area_mm2 is not given: nothing is said per area.")
    else:
        asked.append(f"Is {cell.area_mm2:g} mm2 the area that lithium covers? No file says so.")
    if cell.plates_under_positive_current is not None:
        asked.append(
            f"Does lithium plate on the {cell.plates_under_positive_current} electrode under "
            "positive current? The other answer turns plating into stripping."
        )
    elif any(SIGN in step.settings for found in files for step in found.technique.steps):
        asked.append(
            f"{SIGN} is not given: each file format's own convention is taken, and the report "
            "says so."
        )
    if not experiment.given("conditions.lateral"):
        asked.append("conditions.lateral is not given: the sides are taken as free.")
    elif conditions.lateral == "free":
        asked.append("Are the sides of the pellet free? A die would hide a radial stress.")
    timed = {found.technique.key for found in files if found.description.start is not None}
    for key in dict.fromkeys(found.technique.key for found in files):
        states = {found.state.index for found in files if found.technique.key == key}
        if key not in timed and len(states) > 1:
            asked.append(f"Are the files of {key} in the right states? No file says so.")
    undated = _undated(experiment, files)
    if len(undated) > 1:
        names = ", ".join(undated)
        asked.append(f"No time says in which order these were measured: {names}. Is it this one?")
    if cell.truth is not None:
        asked.append("cell.truth is given: this is a virtual cell, and the report says so.")
    return asked


def _undated(experiment: Experiment, files: tuple[Described, ...]) -> list[str]:
    dated = {found.state.name for found in files if found.description.start is not None}
    return [
        state.name
        for state in experiment.states
        if state.measured_at is None and state.name not in dated
    ]
