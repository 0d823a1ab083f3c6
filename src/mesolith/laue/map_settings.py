"""What making a map may be told."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class MapSettings:
    """Settings of `map_of_scan`.

    ``grain_threshold_rad``
        Neighbours that are misoriented by less are of one grain.
    ``fewest_points``
        Groups of fewer points are no grains.
    ``faint_pattern``
        A point without a grain whose list has less than this share of the usual number of peaks
        has no pattern of the phase; one with more has a pattern that nothing explains.
    """

    grain_threshold_rad: float = 0.0349
    fewest_points: int = 10
    faint_pattern: float = 0.25

    def __post_init__(self) -> None:
        if (
            not 0.0 < self.grain_threshold_rad < 1.0
            or self.fewest_points < 1
            or not 0.0 <= self.faint_pattern <= 1.0
        ):
            raise InvalidValueError(
                f"no map can be made with {self}",
                remedy="The threshold is within 0 to 1 rad, at least one point makes a grain.",
            )
