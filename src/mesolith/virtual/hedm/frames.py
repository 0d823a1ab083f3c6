"""Frames of a turn, made on the fly in blocks: memory does not grow with their number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mesolith.errors import InvalidValueError
from mesolith.virtual.arrays import BoolArray, FloatArray, IntArray
from mesolith.virtual.hedm._kernels_frames import STRIP, draw_frame, paint_spots
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
    reach: _Reach = field(init=False)

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
        object.__setattr__(self, "reach", _reach_of(self.spots, station))

    @property
    def omega(self) -> FloatArray:
        """Start of each frame and the end of the last, rad, (frames + 1,)."""
        station = self.station
        edge = np.arange(station.frames + 1, dtype=np.float64)
        return station.omega_start + station.omega_step * edge

    def expected(self, frame: int) -> NDArray[np.float32]:
        """Expected counts of spots alone in one frame, (slow, fast)."""
        signal, touched = self._canvas()
        self._paint(frame, signal, touched)
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
        signal, touched = self._canvas()
        block = np.empty((min(size, last - first), *self.station.shape), dtype=np.uint16)
        for start in range(first, last, size):
            stop = min(start + size, last)
            for k in range(start, stop):
                self._paint(k, signal, touched)
                draw_frame(
                    signal,
                    touched,
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

    def _canvas(self) -> tuple[NDArray[np.float32], BoolArray]:
        rows, columns = self.station.shape
        touched = np.zeros((rows, math.ceil(columns / STRIP)), dtype=bool)
        return np.zeros((rows, columns), dtype=np.float32), touched

    def _paint(self, frame: int, signal: NDArray[np.float32], touched: BoolArray) -> None:
        station, spots, reach = self.station, self.spots, self.reach
        begin = station.omega_start + frame * station.omega_step
        start, stop = np.searchsorted(reach.first, [frame - reach.longest, frame + 1])
        paint_spots(
            reach.spot[start:stop],
            reach.last[start:stop],
            frame,
            spots.fast,
            spots.slow,
            spots.omega,
            spots.counts,
            spots.covariance,
            begin,
            begin + station.omega_step,
            self.exposure.tail_share,
            self.exposure.tail_scale,
            signal,
            touched,
        )


@dataclass(frozen=True, slots=True)
class _Reach:
    """Frames that each spot reaches, in the order of the first; a spot may stand here twice.

    ``longest`` is the most frames that one of them reaches.
    """

    spot: IntArray
    first: IntArray
    last: IntArray
    longest: int


def _reach_of(spots: PanelSpots, station: Station) -> _Reach:
    """Spots near one end of a turn reach frames at the other end, too."""
    half = _SIGMAS * np.sqrt(spots.covariance[:, 2])
    place = (spots.omega - station.omega_start) / station.omega_step
    half = half / station.omega_step
    first = np.floor(place - half).astype(np.int64)
    last = np.floor(place + half).astype(np.int64)
    turn = round(_TURN / station.omega_step)
    row = np.arange(len(spots))
    early, late = np.flatnonzero(first < 0), np.flatnonzero(last >= turn)
    row = np.concatenate([row, early, late])
    first = np.concatenate([first, first[early] + turn, first[late] - turn])
    last = np.concatenate([last, last[early] + turn, last[late] - turn])
    seen = (last >= 0) & (first < station.frames)
    row, first, last = row[seen], first[seen], last[seen]
    order = np.argsort(first, kind="stable")
    longest = int((last - first).max(initial=0)) + 1
    return _Reach(row[order], first[order], last[order], longest)
