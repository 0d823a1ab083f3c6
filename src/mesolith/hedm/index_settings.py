"""What indexing must be told about the sample, and how bold it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mesolith.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Bounds within which grains are looked for.

    Lengths in um, angles in rad.

    ``sample_radius``: no grain is farther from the rotation axis. ``height``: grains lie within
    half of it above and below the origin; a beam that is known to be lower wins. ``strain``:
    largest relative difference of a lattice spacing from the reference's. ``pole``: spots whose
    azimuth is nearer to the rotation axis are neither used nor missed. ``intensity_spread``:
    scatter of the logarithm of mates' intensities beyond their stated errors. ``sigmas``: how
    many standard deviations mates may differ from half a turn and from each other. ``evidence``:
    log likelihood ratio against chance at which a grain is accepted. ``least_completeness``:
    found share of the expected reflections below which a grain is left out; 0 leaves the
    decision to the likelihood, 0.70 is Dixit 2022's criterion. ``least_spots``: fewest spots of
    a grain.
    """

    sample_radius: float = 850.0
    height: float = 120.0
    strain: float = 2.5e-3
    pole: float = math.radians(6.0)
    intensity_spread: float = 0.1
    sigmas: float = 4.0
    evidence: float = 30.0
    least_completeness: float = 0.0
    least_spots: int = 15

    def __post_init__(self) -> None:
        for name in ("sample_radius", "height", "strain", "pole", "sigmas"):
            if not getattr(self, name) > 0.0:
                raise InvalidValueError(f"{name} of indexing must be positive")
        if self.strain >= 0.05:
            raise InvalidValueError(
                f"a strain of {self.strain:g} lets rings overlap",
                remedy="Correct the reference lattice instead of widening the search.",
            )
