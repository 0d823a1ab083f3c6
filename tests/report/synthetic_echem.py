"""What the electrochemical steps find in the synthetic cell, computed once."""

from __future__ import annotations

from functools import cache

from mesolith.echem.capacity import plated_capacity
from mesolith.echem.critical_current import critical_current
from mesolith.echem.impedance import Geometry, fits_of_impedance
from mesolith.echem.ohmic import ohmic_of_half_cycles
from mesolith.echem.resistance import resistance_of_half_cycles
from mesolith.echem.whole_cell import cycling_of_states
from mesolith.records.cycling import Cycling, Impedance
from mesolith.records.field import Record
from mesolith.records.spectra import ImpedanceFits

AREA_M2, AREA_SE_M2 = 2.011e-6, 0.04e-6


@cache
def _fits(real: bytes, imaginary: bytes, frequency: bytes, time: float) -> ImpedanceFits:
    import numpy as np

    f = np.frombuffer(frequency)
    spectra = Impedance(
        sweep=np.zeros(len(f), dtype=np.int64),
        time=time + np.arange(len(f)),
        frequency=f,
        real=np.frombuffer(real),
        imaginary=np.frombuffer(imaginary),
    )
    return fits_of_impedance(
        spectra,
        geometry=Geometry(900.0, 2.011),
        area_m2=AREA_M2,
        area_se_m2=AREA_SE_M2,
    )


def fits_of_state(cycling: Cycling) -> ImpedanceFits:
    """Fits of the state's sweep; no rows where it has none."""
    z = cycling.impedance
    if z is None:
        return fits_of_impedance(None)
    return _fits(z.real.tobytes(), z.imaginary.tobytes(), z.frequency.tobytes(), float(z.time[0]))


def records_of_cell(
    names: tuple[str, ...], cyclings: list[Cycling], fits: list[ImpedanceFits]
) -> list[Record]:
    """Resistance, capacity and critical current of the whole cell."""
    whole = cycling_of_states(list(zip(names, cyclings, strict=True)))
    half = whole.cycling.half_cycles
    assert half is not None
    ohmic = ohmic_of_half_cycles(
        list(zip(names, fits, strict=True)), order=names, states=whole.state, start=half.start
    )
    size = {"area_m2": AREA_M2, "area_se_m2": AREA_SE_M2, "states": whole.state}
    failure = critical_current(whole.cycling, **size)
    return [
        resistance_of_half_cycles(
            whole.cycling,
            ohmic=ohmic.resistance,
            ohmic_se=ohmic.standard_error,
            ohmic_source=ohmic.source,
            **size,
        ),
        plated_capacity(half, lithium_thickness_um=60.0, failure=failure, **size),
        failure,
    ]
