"""How far the clocks of cycler and beamline can be apart, told by the record itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray


@dataclass(frozen=True, slots=True)
class ClockEvidence:
    """Range of offsets (s, added to the beamline's times) that put each scan into its rest.

    ``earliest`` above ``latest``: no single offset does. ``scans`` is their number.
    """

    earliest: float
    latest: float
    scans: int

    @property
    def agrees(self) -> bool:
        """Whether the clocks agree as they are."""
        return self.earliest <= 0.0 <= self.latest

    @property
    def possible(self) -> bool:
        """Whether one offset explains all scans."""
        return self.earliest <= self.latest

    @property
    def smallest(self) -> float:
        """The offset nearest to zero that does."""
        return float(np.clip(0.0, self.earliest, self.latest))


def clock_evidence(
    measured_at: FloatArray, last_current: FloatArray, next_current: FloatArray
) -> ClockEvidence | None:
    """Evidence on the beamline's clock against the cycler's; None without any.

    A state is measured while no current flows: after its own last half cycle and before the next
    one. ``measured_at``, ``last_current`` (end of the last half cycle up to the state) and
    ``next_current`` (start of the next one) are seconds since 1970, NaN where unknown, shape (n,).
    """
    known = np.isfinite(measured_at)
    after = last_current[known] - measured_at[known]
    before = next_current[known] - measured_at[known]
    if not (np.isfinite(after).any() or np.isfinite(before).any()):
        return None
    earliest = float(np.nanmax(after)) if np.isfinite(after).any() else -np.inf
    latest = float(np.nanmin(before)) if np.isfinite(before).any() else np.inf
    return ClockEvidence(earliest, latest, int(known.sum()))
