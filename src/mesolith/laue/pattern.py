"""One pattern prepared for indexing: peaks on the ideal panel, ranked, and who owns them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesolith.axes import FloatArray, IntArray
from mesolith.laue._kernels_match import cells_of
from mesolith.laue._kernels_search import FREE, TAKEN, paint
from mesolith.laue.geometry import (
    LaueGeometry,
    check_peaks_on_panel,
    ideal_pixels,
    scattering_directions,
)
from mesolith.records.laue import LauePeaks

CELL = 32.0
PICTURE_CELL = 4.0


@dataclass(slots=True)
class Pattern:
    """Peaks (n,), strongest first.

    ``row`` are their rows in the list; ``place`` (n, 2) is ideal, px; ``variance`` that of a
    coordinate, px^2; ``q`` (n, 3) unit scattering vectors of rays from a middling depth.
    ``owner`` (n,) is the grain that claimed a peak, -1 while none has.
    """

    row: IntArray
    place: FloatArray
    fast: FloatArray
    slow: FloatArray
    strength: FloatArray
    variance: FloatArray
    q: FloatArray
    owner: IntArray
    head: IntArray
    after: IntArray
    picture: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which peaks nobody claimed."""
        return self.owner < 0

    def repaint(self, radius: float) -> float:
        """Draw free and taken peaks anew; the share of the panel near a free one."""
        self.picture[:] = 0
        free = self.free
        paint(self.fast[~free], self.slow[~free], TAKEN, radius, PICTURE_CELL, self.picture)
        paint(self.fast[free], self.slow[free], FREE, radius, PICTURE_CELL, self.picture)
        return float(np.count_nonzero(self.picture == FREE)) / self.picture.size


def prepared(peaks: LauePeaks, geometry: LaueGeometry, *, depth: float, sigma_px: float) -> Pattern:
    """Pattern of a list; ``sigma_px`` stands where the list states no errors, depth in um.

    Raises ``ContradictionError`` where peaks lie beyond the panel.
    """
    check_peaks_on_panel(geometry, peaks.fast, peaks.slow)
    row = np.argsort(-peaks.strength, kind="stable")
    place = ideal_pixels(geometry, peaks.fast[row], peaks.slow[row])
    variance = 0.5 * np.trace(peaks.covariance[row], axis1=1, axis2=2)
    fast, slow = np.ascontiguousarray(place[:, 0]), np.ascontiguousarray(place[:, 1])
    columns, rows = (int(size / CELL) + 1 for size in geometry.row[17:19])
    head, after = cells_of(fast, slow, CELL, columns, rows)
    return Pattern(
        row=row,
        place=place,
        fast=fast,
        slow=slow,
        strength=peaks.strength[row],
        variance=np.where(np.isfinite(variance), variance, sigma_px**2),
        q=scattering_directions(geometry.row, fast, slow, np.full(len(row), depth)),
        owner=np.full(len(row), -1, dtype=np.int64),
        head=head,
        after=after,
        picture=np.zeros([int(size / PICTURE_CELL) + 1 for size in geometry.row[17:19]], np.uint8),
    )
