"""What indexing may be told."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Settings of `index_pattern`.

    ``most_grains``
        A search ends with that many grains in a pattern.
    ``strain_limit``
        Largest strain expected, which sets how far angles between peaks may be off.
    ``strain_sigma``
        Standard deviation about 0 that each component of the deviatoric strain is believed to
        have before the pattern is seen. A grain of many peaks does not feel it; one of ten peaks
        is drawn towards no strain, and its covariance says by how much it may be off. Infinity:
        no belief.
    ``position_error_px``
        Standard error of a coordinate where the list of peaks states none.
    ``families``, ``bright``
        Pairs of the ``bright`` strongest free peaks are compared with pairs of directions of the
        ``families`` strongest families.
    ``least_spots``, ``least_completeness``, ``false_probability``
        A grain has at least that many spots of its own, and that share of the predicted strong
        spots; and it is less likely than this to be made of random peaks.
    """

    most_grains: int = 4
    strain_limit: float = 1e-3
    strain_sigma: float = 4e-4
    position_error_px: float = 0.15
    families: int = 30
    bright: int = 40
    least_spots: int = 8
    least_completeness: float = 0.15
    false_probability: float = 1e-6

    def __post_init__(self) -> None:
        wrong = [
            name
            for name in (
                *("most_grains", "strain_limit", "strain_sigma"),
                *("position_error_px", "false_probability"),
            )
            if not getattr(self, name) > 0.0
        ]
        if wrong or self.families < 2 or self.bright < 2 or self.least_spots < 5:
            raise InvalidValueError(
                f"these settings cannot index a pattern: {self}",
                remedy="Limits are positive, families and bright at least 2, least_spots 5.",
            )
