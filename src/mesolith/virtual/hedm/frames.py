"""Frames of a turn, made on the fly in blocks: memory does not grow with their number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import FloatArray, IntArray
from mesolith.virtual.hedm._kernels_frames import draw_frame, paint_spots
from mesolith.virtual.hedm.backdrop import PowderRings, attenuated, diffuse, powder_counts
from mesolith.virtual.hedm.exposure import Exposure, PanelSpots
from mesolith.virtual.hedm.noise import NoiseTables, noise_tables
from mesolith.virtual.hedm.station import Station

_SIGMAS = 4.0
_TURN = 2.0 * math.pi


@dataclass(frozen=True, eq=False)
class VirtualFrames:
    """The frames of one scan; frame k is the same bytes however it is asked for."""

    station: Station
    exposure: Exposure
    spots: PanelSpots
    seed: int
    rings: Sequence[PowderRings] = ()
    dark: NDArray[np.uint16] = field(init=False)
    noise: NoiseTables = field(init=False)

    def __post_init__(self) -> None:
        station, exposure = self.station, self.exposure
        counts = diffuse(station, exposure.background, fluorescence=exposure.fluorescence)
        for rings in self.rings:
            counts = counts + powder_counts(station, rings)
        counts = attenuated(station, counts, exposure.filter_um, exposure.filter_share)
        rng = np.random.default_rng([self.seed, 0xDA4C])
        pattern = exposure.dark + exposure.dark_pattern * rng.standard_normal(station.shape)
        object.__setattr__(self, "dark", np.maximum(np.rint(pattern), 0.0).astype(np.uint16))
        object.__setattr__(self, "noise", noise_tables(counts, exposure.read_noise))

    @property
    def omega(self) -> FloatArray:
        """Start of each frame and the end of the last, rad, (frames + 1,)."""
        station = self.station
        return station.omega_start + station.omega_step * np.arange(station.frames + 1)

    def expected(self, frame: int) -> FloatArray:
        """Expected counts of spots alone in one frame, (slow, fast)."""
        signal = np.zeros(self.station.shape)
        self._paint(frame, self._active(frame, frame + 1)[0], signal)
        return signal

    def blocks(
        self, *, first: int = 0, last: int | None = None, size: int = 20
    ) -> Iterator[tuple[int, NDArray[np.uint16]]]:
        """Blocks of frames as (number of the first, counts (frames, slow, fast)).

        The array of a block is written over by the next one.
        """
        last = self.station.frames if last is None else last
        if not 0 <= first < last <= self.station.frames:
            raise InvalidValueError(
                f"frames {first} to {last} of a scan that has {self.station.frames}"
            )
        signal = np.zeros(self.station.shape)
        block = np.empty((min(size, last - first), *self.station.shape), dtype=np.uint16)
        for start in range(first, last, size):
            stop = min(start + size, last)
            for k, active in zip(range(start, stop), self._active(start, stop), strict=True):
                self._paint(k, active, signal)
                draw_frame(
                    signal,
                    self.noise.level,
                    self.noise.table,
                    self.noise.cumulative,
                    self.noise.lowest,
                    self.dark,
                    self.exposure.ceiling,
                    self._seed_of(k),
                    block[k - start],
                )
            yield start, block[: stop - start]

    def dark_frame(self, exposures: int = 10) -> NDArray[np.uint16]:
        """Mean of some frames without light, as a beamline records them."""
        rng = np.random.default_rng([self.seed, 0xDA4D])
        noise = self.exposure.read_noise / math.sqrt(exposures)
        counts = self.dark + noise * rng.standard_normal(self.dark.shape)
        return np.clip(np.rint(counts), 0, self.exposure.ceiling).astype(np.uint16)

    def _seed_of(self, frame: int) -> np.uint64:
        return np.random.SeedSequence([self.seed, 0xF7A3, frame]).generate_state(1, np.uint64)[0]

    def _paint(self, frame: int, active: IntArray, signal: FloatArray) -> None:
        begin = self.station.omega_start + frame * self.station.omega_step
        for turn in (-1, 0, 1):
            # spots at one end of a whole turn reach over to the other
            paint_spots(
                active[_near(self.spots, active, begin + turn * _TURN, self.station.omega_step)]
                if turn
                else active,
                self.spots.fast,
                self.spots.slow,
                self.spots.omega,
                self.spots.counts,
                self.spots.covariance,
                begin + turn * _TURN,
                begin + turn * _TURN + self.station.omega_step,
                self.exposure.tail_share,
                self.exposure.tail_scale,
                signal,
            )
