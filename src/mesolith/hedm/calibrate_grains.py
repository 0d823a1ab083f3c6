"""Calibration from the spots of indexed grains: instrument, lattices and positions together.

Every grain keeps its nine numbers of lattice and three of position free; they are eliminated
grain by grain (Schur's complement), so that only the instrument's few parameters remain. The
grains' mean dilation is tied to the reference lattice, which alone tells the distance from a
common strain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray, IntArray
from mesolith.errors import InvalidValueError
from mesolith.instrument.calibration import (
    SCALE,
    Calibration,
    relative_units,
    scale_from_information,
)
from mesolith.instrument.instrument import Instrument
from mesolith.instrument.parameters import moved, spots_by_instrument
from mesolith.instrument.predict import Linearised, linearise_spots
from mesolith.instrument.scattering import reciprocal_from_lattice_vectors
from mesolith.records.spots import Spots

FROM_GRAINS = ("tilt_x", "wedge", "shift_y", "tilt_y", "tilt_z", "distance")
OMEGA_STEP = "omega_step"  # relative: how much farther a frame turned than its file states
# what every grain could follow, so that no spot can tell
UNSEEN = {
    "shift_z": "the height of all grains",
    "chi": "tilt_x: turning everything about the beam changes no spot",
}
_NO_INSTRUMENT = ("lattice", OMEGA_STEP)
_GRAIN = 12
_FEWEST_SPOTS = 20
_TAIL = 4.0  # degrees of freedom of Student's t, which weighs outliers down
_MEDIAN_OF_THREE = 2.366  # median of chi square of three degrees of freedom
_MOST_ROUNDS = 12
_CLOSE = 0.01  # of a standard error


@dataclass(frozen=True, slots=True)
class GrainSpots:
    """Whose spots are used: one row a match of a spot (row of `Spots`) to a grain's hkl.

    ``lattice_vectors`` (g, 3, 3), columns a, b, c in angstrom, and ``position`` (g, 3), um, on
    sample axes, are where each grain starts; ``reference_volume`` (g,) is the volume of its
    phase's unstrained cell, cubic angstrom. ``spot``, ``grain`` (m,) and ``hkl`` (m, 3) are rows
    of the spot, of the grain and the indices.
    """

    lattice_vectors: FloatArray
    position: FloatArray
    reference_volume: FloatArray
    spot: IntArray
    grain: IntArray
    hkl: IntArray


@dataclass(frozen=True, slots=True)
class GrainCalibration:
    """The calibration, and the grains as they lie and strain in the calibrated instrument."""

    calibration: Calibration
    lattice_vectors: FloatArray
    position: FloatArray


def best_matches(matches: GrainSpots, *, most: int = 300) -> GrainSpots:
    """The matches of the grains with most spots, spots that two grains share left out.

    A few hundred grains say all about an instrument; grains of fewer than 20 spots of their own
    are never taken.
    """
    _, first, counts = np.unique(matches.spot, return_inverse=True, return_counts=True)
    own = counts[first] == 1
    size = np.bincount(matches.grain[own], minlength=len(matches.lattice_vectors))
    order = np.argsort(-size, kind="stable")
    chosen = np.sort(order[: min(most, int(np.count_nonzero(size >= _FEWEST_SPOTS)))])
    number = np.full(len(size), -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    rows = own & (number[matches.grain] >= 0)
    return GrainSpots(
        matches.lattice_vectors[chosen],
        matches.position[chosen],
        matches.reference_volume[chosen],
        matches.spot[rows],
        number[matches.grain[rows]],
        matches.hkl[rows],
    )


def calibrate_from_grains(
    instrument: Instrument,
    spots: Spots,
    matches: GrainSpots,
    *,
    names: Sequence[str] = FROM_GRAINS,
    prior: Mapping[str, float] | None = None,
    dilation: float = 3e-4,
) -> GrainCalibration:
    """Fit the instrument's parameters and all grains to the grains' spots.

    Parameters
    ----------
    matches
        At least one grain of 20 spots; a few hundred grains determine everything but the
        distance to far below a spot's error.
    names
        Parameters of the instrument that are fitted, and "omega_step": the relative change of
        the turn of a frame, by which all angles are stretched about omega = 0.
    prior
        Standard errors of "lattice" (relative, of the reference), "distance" (um) and
        "wavelength" (angstrom) as known beforehand. What is not named is held where it stands,
        but for the distance, which is unknown when it is among ``names``.
    dilation
        Spread of the grains' hydrostatic strains about their common mean.

    Returns
    -------
    found
        The covariance is multiplied by the scatter of the residuals. Parameters with a prior are
        fitted and listed with the others. In ``scale`` the tie of the grains' dilations to the
        reference lattice counts as data, priors do not.

    Raises
    ------
    InvalidValueError
        A parameter that grains can follow (shift_z, chi), or too few spots.
    """
    names = _checked(names, matches)
    prior = dict(prior or {})
    unit = relative_units(instrument)
    fitted = [*names, *(name for name in SCALE if name in prior and name not in names)]
    everything = tuple(dict.fromkeys((*fitted, *SCALE)))
    free = [everything.index(name) for name in fitted]
    weights_of_prior = np.zeros(len(everything))
    for name, sigma in prior.items():
        if name not in SCALE or not sigma > 0.0:
            raise InvalidValueError(
                f"the prior of {name} is {sigma}",
                remedy=f"Positive errors of {', '.join(SCALE)} are taken.",
            )
        weights_of_prior[everything.index(name)] = (unit[name] / sigma) ** 2
    state = _State(
        instrument,
        np.array(matches.lattice_vectors, dtype=np.float64),
        np.array(matches.position, dtype=np.float64),
        dict.fromkeys(everything, 0.0),
    )
    order = np.argsort(matches.grain, kind="stable")
    system = _System(spots, matches, order, dilation)
    scatter, total = 1.0, np.zeros(len(everything))
    for _ in range(_MOST_ROUNDS):
        information, right, blocks, scatter, used = system.reduced(state, everything)
        # the information counts in stated errors, which are off by the scatter; a prior is not
        known = scatter * weights_of_prior
        damped = information + np.diag(known)
        covariance = np.linalg.pinv(damped[np.ix_(free, free)], hermitian=True, rcond=1e-13)
        step = np.zeros(len(everything))
        step[free] = covariance @ (right - known * total)[free]
        state = system.advanced(state, blocks, step, everything)
        total += step
        if np.abs(step[free] / np.sqrt(np.diagonal(covariance))).max() < _CLOSE * np.sqrt(scatter):
            break
    size = np.array([unit.get(name, 1.0) for name in everything])
    calibration = Calibration(
        state.instrument,
        tuple(fitted),
        np.asarray(total[free] * size[free], dtype=np.float64),
        np.asarray(scatter * covariance * np.outer(size[free], size[free]), dtype=np.float64),
        scatter,
        used,
        scale_from_information(
            information / scatter / np.outer(size, size), everything, instrument
        ),
    )
    return GrainCalibration(calibration, state.lattice_vectors, state.position)


@dataclass(frozen=True, slots=True)
class _State:
    instrument: Instrument
    lattice_vectors: FloatArray
    position: FloatArray
    change: dict[str, float]  # in relative units for the scale


@dataclass(frozen=True, slots=True)
class _Blocks:
    """What eliminating the grains leaves: per grain inverse (g, 12, 12), cross and right side."""

    inverse: FloatArray
    across: FloatArray
    right: FloatArray


class _System:
    """Normal equations of all spots, grain by grain."""

    def __init__(self, spots: Spots, matches: GrainSpots, order: IntArray, dilation: float) -> None:
        self.grain = matches.grain[order]
        self.hkl = matches.hkl[order].astype(np.float64)
        row = matches.spot[order]
        self.panel = spots.panel[row]
        self.measured = np.column_stack([spots.fast[row], spots.slow[row], spots.omega[row]])
        # L^T with covariance^-1 = L L^T turns a residual into standard errors
        self.whiten = np.linalg.cholesky(np.linalg.inv(spots.covariance[row])).swapaxes(1, 2)
        self.present, self.begin = np.unique(self.grain, return_index=True)
        self.volume = np.asarray(matches.reference_volume)[self.present]
        self.dilation = dilation

    def reduced(
        self, state: _State, names: Sequence[str]
    ) -> tuple[FloatArray, FloatArray, _Blocks, float, int]:
        """Information and right side of the named parameters with the grains eliminated."""
        measured = self.measured * [1.0, 1.0, 1.0 + state.change.get(OMEGA_STEP, 0.0)]
        reciprocal = reciprocal_from_lattice_vectors(state.lattice_vectors)[self.grain]
        g = np.einsum("nij,nj->ni", reciprocal, self.hkl)
        position = state.position[self.grain]
        spots = linearise_spots(
            state.instrument, g, position, near_omega=measured[:, 2], panel=self.panel
        )
        off = np.einsum("nij,nj->ni", self.whiten, measured - spots.value)
        square = np.sum(off**2, axis=1)
        seen = np.isfinite(square)
        scatter = float(np.median(square[seen])) / _MEDIAN_OF_THREE
        weight = np.zeros(len(off))
        weight[seen] = (_TAIL + 3.0) / (_TAIL + square[seen] / scatter)
        weight[~(weight > 0.05)] = 0.0
        root = np.sqrt(weight)[:, None]
        off = np.where(root > 0.0, off * root, 0.0)
        own = np.empty((len(off), 3, _GRAIN))
        # A -> (1 + E) A moves g by -E^T g
        own[:, :, :9] = (-g[:, None, :, None] * spots.by_g[:, :, None, :]).reshape(-1, 3, 9)
        own[:, :, 9:] = spots.by_position
        common = self._common(state, names, g, position, spots)
        own = np.where(root[..., None] > 0.0, (self.whiten @ own) * root[..., None], 0.0)
        common = np.where(root[..., None] > 0.0, (self.whiten @ common) * root[..., None], 0.0)

        def summed(a: FloatArray, b: FloatArray) -> FloatArray:
            total: FloatArray = np.add.reduceat(a.swapaxes(1, 2) @ b, self.begin, axis=0)
            return total

        normal, across = summed(own, own), summed(own, common)
        right = summed(own, off[..., None])[..., 0]
        information = np.einsum("nia,nib->ab", common, common)
        target = np.einsum("nia,ni->a", common, off)
        self._tie_dilation(state, names, scatter, normal, across, right, information, target)
        inverse = _inverses(normal)
        information -= np.einsum("gka,gkl,glb->ab", across, inverse, across)
        target -= np.einsum("gka,gkl,gl->a", across, inverse, right)
        blocks = _Blocks(inverse, across, right)
        return information, target, blocks, scatter, int(np.count_nonzero(weight))

    def _common(
        self,
        state: _State,
        names: Sequence[str],
        g: FloatArray,
        position: FloatArray,
        spots: Linearised,
    ) -> FloatArray:
        """Derivatives (n, 3, p) by the parameters; the reference lattice moves no spot."""
        of_instrument = [name for name in names if name not in _NO_INSTRUMENT]
        slopes = spots_by_instrument(
            state.instrument,
            of_instrument,
            g=g,
            position=position,
            panel=self.panel,
            spots=spots,
        )
        unit = relative_units(state.instrument)
        common = np.zeros((len(g), 3, len(names)))
        for k, name in enumerate(of_instrument):
            common[:, :, names.index(name)] = slopes[:, :, k] * unit.get(name, 1.0)
        if OMEGA_STEP in names:
            # stretching what was measured is shrinking what is predicted
            common[:, 2, list(names).index(OMEGA_STEP)] = -self.measured[:, 2]
        return common

    def _tie_dilation(
        self,
        state: _State,
        names: Sequence[str],
        scatter: float,
        normal: FloatArray,
        across: FloatArray,
        right: FloatArray,
        information: FloatArray,
        target: FloatArray,
    ) -> None:
        """One equation a grain: its dilation is the reference's change, give or take.

        Residuals are counted in units of the spots' scatter, so is this one.
        """
        k = list(names).index("lattice")
        size = np.abs(np.linalg.det(state.lattice_vectors[self.present]))
        now = np.cbrt(size / self.volume) - 1.0
        weight = scatter / self.dilation**2
        off = state.change["lattice"] - now
        trace = np.zeros(_GRAIN)
        trace[[0, 4, 8]] = 1.0 / 3.0
        normal += weight * np.outer(trace, trace)
        across[:, :, k] -= weight * trace
        right += weight * trace * off[:, None]
        information[k, k] += weight * len(off)
        target[k] -= weight * float(off.sum())

    def advanced(
        self, state: _State, blocks: _Blocks, step: FloatArray, names: Sequence[str]
    ) -> _State:
        """The state after a step of the common parameters, every grain following its best."""
        own = np.einsum("gkl,gl->gk", blocks.inverse, blocks.right - blocks.across @ step)
        lattice, position = state.lattice_vectors.copy(), state.position.copy()
        strain = own[:, :9].reshape(-1, 3, 3)
        lattice[self.present] = lattice[self.present] + strain @ lattice[self.present]
        position[self.present] += own[:, 9:]
        unit = relative_units(state.instrument)
        moves = {
            name: float(step[k]) * unit.get(name, 1.0)
            for k, name in enumerate(names)
            if name not in _NO_INSTRUMENT
        }
        change = {name: state.change[name] + float(step[k]) for k, name in enumerate(names)}
        return _State(moved(state.instrument, moves), lattice, position, change)


def _inverses(normal: FloatArray) -> FloatArray:
    """Inverses of the grains' blocks (g, 12, 12), brought to one size of diagonal first."""
    size = np.sqrt(np.diagonal(normal, axis1=1, axis2=2))
    size = np.where(size > 0.0, size, 1.0)
    scale = size[:, :, None] * size[:, None, :]
    inverse: FloatArray = np.linalg.pinv(normal / scale, hermitian=True, rcond=1e-13) / scale
    return inverse


def _checked(names: Sequence[str], matches: GrainSpots) -> list[str]:
    for name in names:
        if name in UNSEEN:
            raise InvalidValueError(
                f"{name} cannot be fitted to grains", remedy=f"It looks like {UNSEEN[name]}."
            )
    counts = np.bincount(matches.grain, minlength=len(matches.lattice_vectors))
    poor = (counts > 0) & (counts < _FEWEST_SPOTS)
    if not counts.any() or poor.any():
        raise InvalidValueError(
            f"{int(poor.sum())} of {int(np.count_nonzero(counts))} grains have fewer than "
            f"{_FEWEST_SPOTS} spots",
            remedy="Calibrate with the grains that have most of their spots.",
        )
    return list(names)
