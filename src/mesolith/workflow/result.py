"""The parts that make the result folder: figures, tables, cell.nxs, and the page.

Each is a part like any other: keyed, kept in the store, computed again only when something
changes. They hold no time and no place; those enter the page when it is published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesolith.pipeline.engine import Outcome
from mesolith.pipeline.graph import PartInput, PartSpec
from mesolith.pipeline.publish import replacing
from mesolith.pipeline.technique import Figure, Technique, load
from mesolith.pipeline.work import Cost, Work
from mesolith.workflow.assembly import PARTS, assemble, record_inputs
from mesolith.workflow.planning import Planner
from mesolith.workflow.versions import software_versions

if TYPE_CHECKING:
    from mesolith.experiment import Experiment
    from mesolith.records.cell import Cell
    from mesolith.records.drawing import Drawing
    from mesolith.workflow.plan import Plan

FIGURE, TABLES, NEXUS, PAGE = "result.figure", "result.tables", "result.nexus", "result.page"
RESULT_STEPS = (FIGURE, TABLES, NEXUS, PAGE)
_VERSIONS = {FIGURE: 1, TABLES: 1, NEXUS: 1, PAGE: 1}
_WORDS = "drawn.json"
_TABLE = "drawn.csv"


def add_result_parts(planner: Planner, techniques: Sequence[Technique]) -> None:
    """Add the parts of the result folder behind those of the steps."""
    from mesolith.report import FIGURES

    told = cell_settings(planner.experiment)
    records = record_inputs(planner.records())
    parts = tuple(PartInput(part.label, part.key) for part in planner.graph)
    inputs = {**records, PARTS: parts}
    figures = [figure for technique in techniques for figure in technique.figures]
    drawn = [
        planner.graph.add(
            PartSpec(
                step=FIGURE,
                version=_VERSIONS[FIGURE],
                label=figure.name,
                compute="mesolith.workflow.result:compute_figure",
                settings=_figure_settings(planner.experiment, told, figure),
                inputs=inputs,
                cost=Cost(seconds=1.5),
                group=planner.experiment.name,
            )
        )
        for figure in (*FIGURES, *figures)
    ]
    pictures = tuple(PartInput(part.label, part.key) for part in drawn)
    keys = {technique.record: technique.key for technique in techniques}
    for step, settings, more in (
        (TABLES, {"keys": keys}, {}),
        (NEXUS, {"provenance": provenance(planner)}, {"figures": pictures}),
        (PAGE, {"keys": keys}, {"figures": pictures}),
    ):
        planner.graph.add(
            PartSpec(
                step=step,
                version=_VERSIONS[step],
                label="cell",
                compute=f"mesolith.workflow.result:compute_{step.partition('.')[2]}",
                settings={"cell": told, **settings},
                inputs={**inputs, **more},
                cost=Cost(seconds=2.0),
                group=planner.experiment.name,
            )
        )


def _figure_settings(
    experiment: Experiment, told: Mapping[str, Any], figure: Figure
) -> dict[str, Any]:
    """What a figure's part works with: the cell, with the keys that the figure asks for."""
    values = {key: experiment.setting(key) for key in figure.settings}
    words = asdict(figure)
    del words["settings"]
    cell = {**told, "conditions": {**told["conditions"], **values}} if values else told
    return {"cell": cell, "figure": words}


def cell_settings(experiment: Experiment) -> dict[str, Any]:
    """What the result says of the cell itself, as plain values."""
    conditions = {
        f"{table}.{key}": value
        for table in ("cell", "conditions", "electrolyte", "clock")
        for key, value in experiment.setting(table).items()
        if value is not None and key not in ("truth", "name")
    }
    help_of = {entry.key: entry.setting.help for entry in experiment.catalogue.entries()}
    remarks = [["missing", key, help_of[key]] for key in experiment.missing_conditions()]
    states = [
        {
            "name": state.name,
            "protocol": {
                key: value
                for key in ("after", "measured_at")
                if (value := experiment.state_setting(state.index, key)) is not None
            },
        }
        for state in experiment.states
    ]
    return {
        "name": experiment.name,
        "conditions": conditions,
        "states": states,
        "remarks": remarks,
    }


def provenance(planner: Planner) -> dict[str, Any]:
    """Where every number comes from: raw files by content, settings, versions."""
    folder = planner.experiment.folder
    raw = [
        {
            "file": path.relative_to(folder).as_posix()
            if path.is_relative_to(folder)
            else path.name,
            "sha256": fingerprint.sha256,
        }
        for path, fingerprint in planner.graph.raw_files().items()
    ]
    steps = [
        {"step": part.step, "of": part.label, "key": part.key, "settings": dict(part.settings)}
        for part in planner.graph
        if part.step not in RESULT_STEPS
    ]
    return {"software": software_versions(), "raw": raw, "steps": steps}


def compute_figure(work: Work) -> None:
    """Step result.figure: draw one figure, or leave an empty folder where the cell lacks it."""
    from mesolith.io.tables import write_table
    from mesolith.report.picture import picture_from_drawing

    figure = Figure(**work.settings["figure"])
    drawing: Drawing | None = load(figure.draw)(assemble(work))
    words: dict[str, Any] = {"drawn": drawing is not None, "plot": None}
    if drawing is not None:
        picture_from_drawing(figure.name, figure.title, figure.number, drawing).save(work.folder)
        words["plot"] = drawing.plot
        if drawing.table:
            write_table(work.folder / _TABLE, drawing.table)
    (work.folder / _WORDS).write_text(json.dumps(words) + "\n", encoding="utf-8")


def compute_tables(work: Work) -> None:
    """Step result.tables: every record of the cell as CSV."""
    write_cell_tables(assemble(work), work.folder, work.settings["keys"])


def write_cell_tables(cell: Cell, folder: Path, keys: Mapping[str, str]) -> list[Path]:
    """Every record of a cell as CSV; ``keys`` names a record's table by its dotted type."""
    from mesolith.io.tables import file_stem, write_record_tables

    written = []
    for state in cell.states:
        for kind, handle in state.handles.items():
            name = f"{state.index}_{file_stem(state.name)}_{_key_of(kind, keys)}"
            written += write_record_tables(folder, handle(), name)
    for index, handles in cell.pairs.items():
        for kind, handle in handles.items():
            name = f"{index}_to_next_{_key_of(kind, keys)}"
            written += write_record_tables(folder, handle(), name)
    for kind, handle in cell.handles.items():
        written += write_record_tables(folder, handle(), f"cell_{_key_of(kind, keys)}")
    return written


def compute_nexus(work: Work) -> None:
    """Step result.nexus: cell.nxs."""
    from mesolith.io.nexus import write_cell

    figures = [
        (source.label, drawing)
        for source in work.inputs["figures"]
        if (drawing := _drawing(source.path, source.label)) is not None
    ]
    write_cell(
        work.folder / "cell.nxs",
        assemble(work),
        figures=figures,
        provenance=work.settings["provenance"],
    )


def compute_page(work: Work) -> None:
    """Step result.page: report.html without its provenance block."""
    from mesolith.report.page import write_report
    from mesolith.report.picture import load_picture

    pictures = [
        load_picture(source.path, source.label)
        for source in work.inputs["figures"]
        if _words(source.path)["drawn"]
    ]
    write_report(work.folder / "report.html", cell=assemble(work), pictures=pictures)


def publish_result(plan: Plan, outcome: Outcome, place: Path) -> None:
    """Put report.html, cell.nxs and tables/ in place of the old result."""
    from mesolith.pipeline.store import Store
    from mesolith.report.page import with_provenance

    store: Store = plan.store
    folders = {
        (part.step, part.label): store.folder(part.key)
        for part in plan.graph
        if part.step in RESULT_STEPS
    }
    with replacing(place) as new:
        page = (folders[PAGE, "cell"] / "report.html").read_text(encoding="utf-8")
        told = with_provenance(page, _page_provenance(plan))
        (new / "report.html").write_text(told, encoding="utf-8", newline="\n")
        _copy(folders[NEXUS, "cell"] / "cell.nxs", new / "cell.nxs")
        (new / "tables").mkdir()
        for table in sorted(folders[TABLES, "cell"].glob("*.csv")):
            _copy(table, new / "tables" / table.name)
        for (step, label), folder in folders.items():
            if step == FIGURE and (folder / _TABLE).is_file():
                _copy(folder / _TABLE, new / "tables" / f"{label}.csv")


def _page_provenance(plan: Plan) -> dict[str, Any]:
    """What only the published page says: when and with what it was made."""
    from datetime import UTC, datetime

    (nexus,) = (part for part in plan.graph if part.step == NEXUS)
    found = dict(nexus.settings["provenance"])
    found["made"] = datetime.now(UTC).isoformat(timespec="seconds")
    return found


def _copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copyfile(source, target)


def _key_of(kind: type, keys: Mapping[str, str]) -> str:
    """Word for a record's table: the technique's key, or the record's name in small letters."""
    return keys.get(f"{kind.__module__}:{kind.__qualname__}", kind.__qualname__.lower())


def _words(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / _WORDS).read_text(encoding="utf-8"))
    return found


def _drawing(folder: Path, name: str) -> Drawing | None:
    """Numbers and words of a stored figure, without its picture; None where none was drawn."""
    from mesolith.io.tables import read_table
    from mesolith.records.drawing import Drawing
    from mesolith.report.picture import load_picture

    words = _words(folder)
    if not words["drawn"] or not (folder / _TABLE).is_file():
        return None
    picture = load_picture(folder, name)
    return Drawing(
        figure=None,
        caption=picture.caption,
        how=picture.how,
        cite=picture.cite,
        table=read_table(folder / _TABLE),
        plot=None if words["plot"] is None else tuple(words["plot"]),
    )
