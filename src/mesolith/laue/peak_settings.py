"""How peaks of white-beam patterns are searched for."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.errors import SettingsError


@dataclass(frozen=True, slots=True)
class LauePeakSearch:
    """Thresholds and habits of `find_laue_peaks`.

    ``sigmas``
        A peak's smoothed top stands so many standard deviations of the smoothed noise above the
        background. Chance alone passes 5 about once in three million pixels.
    ``least_height``
        A peak's top is at least so many counts above the background.
    ``block``
        Background and noise are measured in squares of so many pixels; larger than the peaks.
    ``reach``
        Pixels that a peak may stretch to either side.
    ``narrowest``
        Smallest standard deviation of a peak along its short axis, px: what is narrower is a hit
        of the detector by something else.
    ``saturation``
        Counts from which on a pixel is saturated; None: the largest number that the type holds.
    ``gain``
        Variance of one more count where known (1 for photons); None: measured in the background.
    """

    sigmas: float = 6.0
    least_height: float = 0.0
    block: int = 32
    reach: int = 24
    narrowest: float = 0.35
    saturation: float | None = None
    gain: float | None = None

    def __post_init__(self) -> None:
        if not (self.sigmas >= 3.0 and self.block >= 16 and self.reach >= 4):
            raise SettingsError(
                f"these settings search for no peaks: {self}",
                remedy="Let sigmas be at least 3, block at least 16 and reach at least 4.",
            )
        if self.block % 4 or (self.gain is not None and not self.gain >= 0.0):
            raise SettingsError(
                f"block is {self.block} and gain {self.gain}",
                remedy="block is a multiple of 4, gain is not negative.",
            )
