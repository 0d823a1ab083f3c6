"""Which spectrum tells the ohmic resistance of which half cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.records.spectra import ImpedanceFits


@dataclass(frozen=True, slots=True)
class Ohmic:
    """Ohmic resistance of each half cycle (ohm, NaN without a spectrum), and where it is from."""

    resistance: FloatArray
    standard_error: FloatArray
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Spectrum:
    state: int
    time: float
    resistance: float
    error: float
    words: str


def ohmic_of_half_cycles(
    spectra: Sequence[tuple[str, ImpedanceFits]],
    *,
    order: Sequence[str],
    states: Sequence[str],
    start: FloatArray,
) -> Ohmic:
    """Ohmic resistance of each half cycle: of the last spectrum before it, else the first after.

    Parameters
    ----------
    spectra
        Fits of each state that has sweeps, by its name. A sweep counts where a circuit was
        fitted, its ohmic part is known to better than its value, and Kramers-Kronig does not
        speak against it.
    order
        Names of the states in the order of the cell.
    states, start
        State and start (s) of each half cycle, shape (n,).

    Sweeps without a time count by their state: measured at its end.
    """
    known = [
        spectrum for name, fits in spectra for spectrum in _usable(name, fits, order.index(name))
    ]
    values, errors, words = [], [], []
    for name, moment in zip(states, start, strict=True):
        chosen = _nearest(known, order.index(name), float(moment))
        values.append(np.nan if chosen is None else chosen.resistance)
        errors.append(np.nan if chosen is None else chosen.error)
        words.append("" if chosen is None else chosen.words)
    return Ohmic(np.array(values, dtype=float), np.array(errors, dtype=float), tuple(words))


def _usable(name: str, fits: ImpedanceFits, state: int) -> list[_Spectrum]:
    found = []
    for k, number in enumerate(fits.sweep):
        value, error = float(fits.ohmic[k]), float(fits.ohmic_se[k])
        if not (fits.fitted[k] and fits.verdict[k] != "violated" and error < value):
            continue
        roles = dict.fromkeys(
            role
            for sweep, role in zip(fits.arc_sweep, fits.arc_role, strict=True)
            if sweep == number and role in ("series", "bulk", "grain boundary")
        )
        words = f"{' + '.join(roles)}, sweep {int(number) + 1} of {name}"
        found.append(_Spectrum(state, float(fits.time[k]), value, error, words))
    return found


def _nearest(known: list[_Spectrum], state: int, moment: float) -> _Spectrum | None:
    """The last before the half cycle, else the first after it."""

    def before(spectrum: _Spectrum) -> bool:
        if np.isfinite(spectrum.time):
            return spectrum.time <= moment
        return spectrum.state < state

    earlier = [spectrum for spectrum in known if before(spectrum)]
    later = [spectrum for spectrum in known if not before(spectrum)]
    if earlier:
        return max(earlier, key=lambda s: (s.state, np.nan_to_num(s.time, nan=np.inf)))
    if later:
        return min(later, key=lambda s: (s.state, np.nan_to_num(s.time, nan=np.inf)))
    return None
