"""How peaks are searched for."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.errors import SettingsError


@dataclass(frozen=True, slots=True)
class PeakSearch:
    """Thresholds and habits of the peak search.

    Parameters
    ----------
    seed_sigmas
        A spot needs a voxel whose smoothed counts stand so many standard deviations of the
        smoothed noise above background. Chance alone passes 5 about once in a million voxels.
    grow_sigmas
        From there it grows over neighbours that stand so many above.
    split_sigmas, split_depth
        A patch is cut where the lower of two maxima rises above the saddle between them by so
        many standard deviations, and by this share of its height.
    one_voxel
        What has more than this share of its counts in one voxel is a hit of the detector by
        something else, or its noise; 1 keeps it, as a detector needs whose pixels are larger
        than the spots.
    profile
        Fit a Gaussian profile to each spot; otherwise centre and sum are moments of the counts.
    gain
        Variance of one more count where known (1 for photons); None: measured.
    """

    seed_sigmas: float = 5.0
    grow_sigmas: float = 4.0
    split_sigmas: float = 3.0
    split_depth: float = 0.05
    one_voxel: float = 0.85
    profile: bool = True
    gain: float | None = None

    def __post_init__(self) -> None:
        if not 1.0 <= self.grow_sigmas <= self.seed_sigmas:
            raise SettingsError(
                f"spots grow down to {self.grow_sigmas:g} sigma and begin at {self.seed_sigmas:g}",
                remedy="Let grow_sigmas be at least 1 and at most seed_sigmas.",
            )
