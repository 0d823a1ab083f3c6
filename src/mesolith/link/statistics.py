"""Steps that put the statistical questions to the grains followed through all states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesolith.errors import InputError, InvalidValueError
from mesolith.io.record_file import read_record, write_record
from mesolith.link.hotspots import Chosen, Neighbourhood, SpotKind, spot_changes, spot_history
from mesolith.link.pathways import PathRule, stress_pathways
from mesolith.link.space import (
    Independence,
    independence_of,
    spatial_pattern,
    stress_clusters,
)
from mesolith.link.transitions import direction_separation
from mesolith.pipeline.work import Remark, Work, write_remarks
from mesolith.records.field import Record
from mesolith.records.followed import FollowedGrains, StressKind
from mesolith.records.hotspots import HotSpots
from mesolith.records.pathways import Pathways
from mesolith.records.space import SpatialStatistics
from mesolith.records.transitions import Transitions

STRESSES: tuple[StressKind, ...] = ("hydrostatic", "von_mises")
_KINDS: tuple[SpotKind, ...] = ("hot", "cold")
# a von Mises stress is a length: the smallest ones are noise, and tell of no change
_JUDGED: dict[StressKind, tuple[SpotKind, ...]] = {"hydrostatic": _KINDS, "von_mises": ("hot",)}
_WAYS: tuple[Chosen, ...] = ("fixed", "anew")
_RULES: tuple[PathRule, ...] = ("grain", "cluster")
_SEED = 20_221_031  # the same questions get the same random numbers in every cell


def compute_space(work: Work) -> None:
    """Step link.space: SpatialStatistics of the cell."""
    followed, remarks = _followed(work)
    settings = work.settings
    clusters, patterns = [], []
    if len(followed) > settings["hedm.clusters"]:
        clusters.append(
            stress_clusters(
                followed,
                clusters=settings["hedm.clusters"],
                scaling=settings["hedm.cluster_scaling"],
                seed=_SEED,
            )
        )
    try:
        for quantity, apart in _independence(followed).items():
            patterns.append(
                spatial_pattern(
                    followed,
                    kind=quantity,
                    permutations=settings["hedm.permutations"],
                    independence=apart,
                    seed=_SEED,
                )
            )
    except InvalidValueError as error:
        remarks.append(Remark("note", "spatial statistics", str(error.what)))
    _write(work, SpatialStatistics(tuple(clusters), tuple(patterns)), remarks)


def compute_hotspots(work: Work) -> None:
    """Step link.hotspots: HotSpots of the cell, by every way of choosing them."""
    followed, remarks = _followed(work)
    count = spots_among(len(followed), work.settings)
    state = _choosing_state(followed, work.settings["hedm.spots_from"])
    near: Neighbourhood = work.settings["hedm.neighbourhood"]
    histories, changes = [], []
    if len(followed) >= 2 * count:
        for quantity, apart in _independence(followed).items():
            for chosen in _WAYS:
                # the paper's other neighbourhood stands beside the one that is asked for
                for rule in dict.fromkeys((near, "70 um")) if chosen == "fixed" else (near,):
                    histories += [
                        spot_history(
                            followed,
                            kind=kind,
                            count=count,
                            chosen=chosen,
                            state=state,
                            neighbourhood=rule,
                            quantity=quantity,
                            independence=apart,
                        )
                        for kind in _KINDS
                    ]
                try:
                    changes.append(
                        spot_changes(
                            followed,
                            kinds=_JUDGED[quantity],
                            count=count,
                            neighbourhood=near,
                            quantity=quantity,
                            chosen=chosen,
                            state=state,
                            independence=apart,
                            seed=_SEED,
                        )
                    )
                except InvalidValueError as error:
                    where = f"hot spots ({error.where or quantity})"
                    remarks.append(Remark("note", where, str(error.what)))
    elif len(followed):
        text = f"{len(followed)} followed grains are too few for {count} hot and {count} cold spots"
        remarks.append(Remark("note", "hot spots", text))
    _write(work, HotSpots(tuple(histories), tuple(changes)), remarks)


def compute_pathways(work: Work) -> None:
    """Step link.pathways: Pathways of the cell by both rules."""
    followed, remarks = _followed(work)
    rules = []
    try:
        apart = independence_of(followed) if len(followed) else None
        for rule in _RULES if len(followed) else ():
            rules.append(
                stress_pathways(
                    followed,
                    rule=rule,
                    paths=work.settings["hedm.paths"],
                    permutations=work.settings["hedm.permutations"],
                    independence=apart,
                    seed=_SEED,
                )
            )
    except InvalidValueError as error:
        remarks.append(Remark("note", "pathways", str(error.what)))
    _write(work, Pathways(tuple(rules)), remarks)


def compute_transitions(work: Work) -> None:
    """Step link.transitions: whether stress changes with the direction of the current."""
    followed, remarks = _followed(work)
    count = spots_among(len(followed), work.settings)
    found = []
    if len(followed) >= 2 * count:
        try:
            found.append(
                direction_separation(
                    followed,
                    count=count,
                    neighbourhood=work.settings["hedm.neighbourhood"],
                    seed=_SEED,
                )
            )
        except InvalidValueError as error:
            remarks.append(Remark("note", "direction of the current", str(error.what)))
    _write(work, Transitions(tuple(found)), remarks)


def spots_among(grains: int, settings: Mapping[str, Any]) -> int:
    """How many grains are spots of one kind: hedm.spot_share of all if given, else hedm.spots."""
    share = settings["hedm.spot_share"]
    if share is None:
        return int(settings["hedm.spots"])
    return max(1, round(float(share) * grains))


def _independence(followed: FollowedGrains) -> dict[StressKind, Independence]:
    """What counts as independent for each kind of stress; nothing without grains."""
    found: dict[StressKind, Independence] = {}
    model = None
    for quantity in STRESSES if len(followed) else ():
        found[quantity] = independence_of(followed, quantity, model)
        model = found[quantity].alike or model
    return found


def _choosing_state(followed: FollowedGrains, name: str | None) -> int:
    if name is None:
        return 0
    if name not in followed.state:
        raise InputError(
            f"no state {name!r} with grains, so no spots can be chosen from it",
            where="hedm.spots_from",
            remedy=f"States with grains: {', '.join(followed.state)}.",
        )
    return followed.state.index(name)


def _followed(work: Work) -> tuple[FollowedGrains, list[Remark]]:
    return read_record(work.source("link.follow").record_file, FollowedGrains), []


def _write(work: Work, record: Record, remarks: list[Remark]) -> None:
    write_record(work.folder / "record.h5", record)
    write_remarks(work.folder, remarks)
