"""Step hedm.read: the grain map of one state from its files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mesolith.errors import (
    ContradictionError,
    DuplicateError,
    EmptyFileError,
    UnknownFormatError,
)
from mesolith.hedm import TECHNIQUE
from mesolith.hedm.beside import BESIDE, phases_beside, radius_beside
from mesolith.hedm.file_layers import at_height, beam_height, heights_of_files, stitched_maps
from mesolith.hedm.frames_layers import STATION, files_by_layer
from mesolith.hedm.frames_stitch import FINDS, account
from mesolith.hedm.indexed import grain_map_from_indexed
from mesolith.hedm.settings import Settings
from mesolith.instrument.station import StationCalibration, station_modes
from mesolith.io.finding import Finding
from mesolith.io.grain_file import GrainErrors, GrainFile
from mesolith.io.hexrd import grain_map_from_hexrd, read_hexrd
from mesolith.io.imaged11 import grain_map_from_ubi, read_grains_h5, read_ubi
from mesolith.io.midas import read_midas
from mesolith.io.midas_h5 import read_midas_h5
from mesolith.io.recognise import recognise
from mesolith.io.record_file import read_record, write_record
from mesolith.pipeline.technique import load
from mesolith.pipeline.work import Cost, Remark, Work, write_remarks
from mesolith.records.grains import GrainMap
from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds
from mesolith.records.phase_odds import PhaseOdds

_ROWS = (
    *("grain_id", "position", "orientation", "lattice", "radius", "completeness", "phase"),
    "covariance",
)
_ROWS_OF_TWO_PHASES = ("phase_probability", "phase_decided")
_SIGMAS = ("sigma_position_um", "sigma_orientation_deg", "sigma_strain")


def cost(work: Work) -> Cost:
    """One second and 300 MB for 30,000 grains, by the size of the files."""
    size = sum(source.path.stat().st_size for source in work.inputs.get("raw", ()))
    return Cost(
        seconds=0.3 + size / 1.3e7, memory_bytes=150_000_000 + 20 * size, disk_bytes=size + 10_000
    )


def compute(work: Work) -> None:
    """One `GrainMap` (strain None) of a state from its files or its frames, with remarks."""
    files = [source.path for source in work.inputs.get("raw", ())]
    stitched = work.inputs.get("frames.stitch", ())
    if files and stitched:
        raise ContradictionError(
            "the state lists both grains and the frames that they would come from",
            where=work.label,
            remedy="Take one of the two out of the state: its grains are used once.",
        )
    findings: list[Finding] = []
    if stitched:
        grain_map = grain_map_of_frames(work)
    else:
        grain_map, findings = grain_map_of_files(work, files)
    grain_map, left_out = above_completeness(
        grain_map, float(work.settings["hedm.minimum_completeness"]), work.label
    )
    findings += left_out
    if grain_map.error_source == "assumed":
        findings.append(_assumed(work))
    write_record(work.folder / "record.h5", grain_map)
    write_remarks(work.folder, [Remark(*finding) for finding in findings])


def trial(work: Work) -> None:
    """All that is read, but layers are only shared out and not stitched."""
    heights = heights_of_files(work.settings.get("state.grains") or {})
    files = [source.path for source in work.inputs.get("raw", ())]
    if len(heights) < 2 or not files:
        if files:
            compute(work)
        return
    layers = files_by_layer(files, heights, work.label)
    read = {path: read_grains(path, work.settings) for path in files}
    for own in layers:
        joined(own, [read[path] for path in own])
    for path in files[1:]:
        _check_phases(files[0], read[files[0]], path, read[path])
    findings = [finding for one in read.values() for finding in one.findings]
    write_remarks(work.folder, [Remark(*finding) for finding in findings])


def parts_of_finds(work: Work) -> list[dict[str, int]]:
    """One part where the grain files are those of several layers, else none."""
    heights = heights_of_files(work.settings.get("state.grains") or {})
    return [{}] if len(heights) > 1 else []


def compute_finds(work: Work) -> None:
    """What the files of each layer list, as a record."""
    source = work.source("hedm.read")
    write_record(work.folder / "record.h5", read_record(source.path / FINDS, LayerFinds))


def grain_map_of_files(work: Work, files: list[Path]) -> tuple[GrainMap, list[Finding]]:
    """The grains that files of a state list; those of several layers stitched, with their finds."""
    options = work.settings.get("state.grains") or {}
    read = {path: read_grains(path, work.settings) for path in files}
    findings = [finding for one in read.values() for finding in one.findings]
    heights = heights_of_files(options)
    if not heights:
        if len(files) > 1:
            text = (
                f"{len(files)} files of grains are put side by side: a grain that two of them "
                "list counts twice. Files of layers are stitched with layer_z_um beside them"
            )
            findings.append(Finding("warning", work.label, text))
        return joined(files, list(read.values())), findings
    layers = files_by_layer(files, heights, work.label)
    maps = [joined(own, [read[path] for path in own]) for own in layers]
    for path, other in zip(files[1:], list(read.values())[1:], strict=True):
        _check_phases(files[0], read[files[0]], path, other)
    if len(heights) == 1:
        return at_height(maps[0], heights[0]), findings
    stitched = stitched_maps(maps, heights, beam=beam_height(options, heights, work.label))
    write_record(work.folder / FINDS, stitched.finds)
    findings += [Finding("note", work.label, text) for text in account(stitched.finds)]
    return stitched.grain_map, findings


def grain_map_of_frames(work: Work) -> GrainMap:
    """The grains that the frames of a state showed, those of all its layers in one map."""
    folder = work.source("frames.stitch")
    finds = read_record(folder.path / FINDS, LayerFinds)
    grains = read_record(folder.record_file, IndexedGrains)
    grain_map = grain_map_from_indexed(grains, volume=finds.grain_volume)
    if work.inputs.get("frames.phase"):
        odds = read_record(work.source("frames.phase").record_file, PhaseOdds)
        grain_map = with_phases(grain_map, odds)
    station = read_record(folder.path / STATION, StationCalibration)
    return replace(grain_map, common_modes=station_modes(station, grain_map.lattice))


def with_phases(grain_map: GrainMap, odds: PhaseOdds) -> GrainMap:
    """The map with the likelier phase of each grain and how sure that is; same grains."""
    return replace(
        grain_map,
        phase=odds.phase,
        phases=odds.phases,
        phase_probability=odds.probability,
        phase_decided=odds.decided,
    )


def read_grains(path: Path, settings: Mapping[str, Any]) -> GrainFile:
    """One file in its stated format, or in the one its content has."""
    options = settings.get("state.grains") or {}
    name = options.get("format") or _recognised(path)
    errors = GrainErrors(
        position=float(settings["hedm.sigma_position_um"]),
        orientation=math.radians(float(settings["hedm.sigma_orientation_deg"])),
        strain=float(settings["hedm.sigma_strain"]),
        source="assumed" if _at_default(settings) else "given",
    )
    partial = bool(settings.get("run.allow_partial", False))
    check = settings["hedm.strain_columns"] == "check"
    if name == "midas":
        read = read_midas(
            path,
            sigma_position=errors.position,
            sigma_orientation=errors.orientation,
            sigma_strain=errors.strain,
            error_source=errors.source,
            check_strain=check,
            allow_partial=partial,
        )
        unused = _unused(options, BESIDE, path)
        return GrainFile(read.grain_map, (*read.findings, *unused), read.global_position)
    if name == "midas-h5":
        phases = phases_beside(options, path) if options.get("lattice") is not None else None
        found = read_midas_h5(
            path, errors=errors, check_strain=check, phases=phases, allow_partial=partial
        )
        return replace(found, findings=(*found.findings, *_unused(options, BESIDE[2:], path)))
    phases, radius = phases_beside(options, path), radius_beside(options, path)
    if name == "hexrd":
        return grain_map_from_hexrd(
            read_hexrd(path), path, phases=phases, radius=radius, errors=errors
        )
    grains = read_grains_h5(path) if name == "ubi-h5" else read_ubi(path)
    return grain_map_from_ubi(
        grains, path, phases=phases, radius=radius, errors=errors, allow_partial=partial
    )


def _recognised(path: Path) -> str:
    known = [load(dotted) for dotted in TECHNIQUE.formats]
    found = recognise(path, known)
    if found:
        return str(found[0][0].name)
    if path.stat().st_size == 0:
        raise EmptyFileError(
            "the file is empty", where=str(path), remedy="Export the grains again."
        )
    raise UnknownFormatError(
        "no reader of grain maps knows this content",
        where=str(path),
        remedy=f"Known: {', '.join(form.title for form in known)}.",
    )


def _unused(options: Mapping[str, Any], keys: tuple[str, ...], path: Path) -> list[Finding]:
    """What is said beside a file that says it itself."""
    given = [key for key in keys if options.get(key) is not None]
    text = "beside the files is not used: the file states its own"
    return [Finding("note", path.name, f"{', '.join(given)} {text}")] if given else []


def joined(paths: list[Path], maps: list[GrainFile]) -> GrainMap:
    """One map of the files of one state, in their order.

    Raises
    ------
    ContradictionError
        The files differ in phases, or state different global positions: whether their Z is
        relative to the layer or to the sample cannot be told from the files.
    DuplicateError
        Two files share a grain id.
    """
    first = maps[0].grain_map
    if len(maps) == 1:
        return first
    for path, other in zip(paths[1:], maps[1:], strict=True):
        _check_phases(paths[0], maps[0], path, other)
        if other.global_position != maps[0].global_position:
            raise ContradictionError(
                f"its %GlobalPosition is {other.global_position:g}, that of {paths[0].name} "
                f"{maps[0].global_position:g}: are their Z those of the layers or of the sample?",
                where=str(path),
                remedy="Say where the layers lie, layer_z_um = [...] beside the files, if Z is "
                "that of the layers; set all %GlobalPosition to 0 if it is that of the sample.",
            )
    ids = np.concatenate([read.grain_map.grain_id for read in maps])
    unique, counts = np.unique(ids, return_counts=True)
    if np.any(counts > 1):
        raise DuplicateError(
            f"{int((counts > 1).sum())} grain ids occur in several files, such as "
            f"{int(unique[counts > 1][0])}",
            where=", ".join(str(path) for path in paths),
            remedy="Files of layers are stitched where layer_z_um = [...] beside them says how "
            "high each lies; files of one map need ids of their own.",
        )
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(read.grain_map, name) for read in maps]) for name in _ROWS
    }
    return replace(first, **columns)


def _check_phases(path: Path, read: GrainFile, other_path: Path, other: GrainFile) -> None:
    own, phases = read.grain_map.phases, other.grain_map.phases
    same = np.array_equal(phases.space_group, own.space_group)
    if not same or not np.allclose(phases.lattice, own.lattice):
        raise ContradictionError(
            f"its phases are not those of {path.name}",
            where=str(other_path),
            remedy="Reduce all files of one state with the same space groups and lattices.",
        )


def above_completeness(
    grain_map: GrainMap, minimum: float, where: str
) -> tuple[GrainMap, list[Finding]]:
    """Grains of at least that completeness, and a finding on those left out."""
    good = grain_map.completeness >= minimum
    if good.all():
        return grain_map, []
    if not good.any():
        raise EmptyFileError(
            f"no grain reaches a completeness of {minimum:g}; the best has "
            f"{grain_map.completeness.max():.3f}",
            where=where,
            remedy="Lower hedm.minimum_completeness.",
        )
    kept: dict[str, Any] = {name: getattr(grain_map, name)[good] for name in _ROWS}
    for name in _ROWS_OF_TWO_PHASES:
        column = getattr(grain_map, name)
        kept[name] = None if column is None else column[good]
    text = (
        f"{int((~good).sum())} of {len(good)} grains have a completeness below {minimum:g} and "
        "are left out"
    )
    return replace(grain_map, **kept), [Finding("note", where, text)]


def _at_default(settings: Mapping[str, Any]) -> list[str]:
    """Names of the standard errors that nobody gave; with one of them a map's are assumed."""
    default = Settings()
    return [n for n in _SIGMAS if float(settings[f"hedm.{n}"]) == getattr(default, n)]


def _assumed(work: Work) -> Finding:
    words = [
        f"{name.split('_')[1]} {float(work.settings[f'hedm.{name}']):g} {unit}".rstrip()
        for name, unit in zip(_SIGMAS, ("um", "deg", ""), strict=True)
        if name in _at_default(work.settings)
    ]
    text = (
        f"the file states no standard errors; assumed are {', '.join(words)} "
        "(RMSErrorStrain is a residual)"
    )
    return Finding("assumed", work.label, text)
