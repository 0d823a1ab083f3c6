"""A small cell built by hand from records: five states, a few hundred grains, a cycler."""

from __future__ import annotations

import numpy as np

from mesolith.axes import six_from_tensor
from mesolith.numerics.rotations import random_quaternions
from mesolith.records.cell import Cell, Handle, State
from mesolith.records.cycling import Cycling, HalfCycles, Impedance
from mesolith.records.field import CommonMode, Record
from mesolith.records.grains import GrainMap, Phases
from mesolith.records.history import History
from mesolith.records.spectra import ImpedanceFits
from mesolith.records.tracking import Tracking
from mesolith.records.truth import TrueGrains

from .extremes_and_stiffness import extremes_and_stiffness
from .statistics_cell import planted_records
from .synthetic_echem import fits_of_state, records_of_cell

STATES = ("pristine", "plating 1", "stripping 1", "plating 2", "stripping 2")
START = 1.7e9
HALF_CYCLE = 4500.0
FEWEST_FOLLOWED = 100  # fewer grains have no statistics
BULK_MODULUS = 102_800.0
SIGMA_STRAIN = 1e-4


def _deviators(rng: np.random.Generator, n: int) -> np.ndarray:
    tensor = rng.normal(size=(n, 3, 3))
    tensor = (tensor + np.swapaxes(tensor, 1, 2)) / 2.0
    trace = np.trace(tensor, axis1=1, axis2=2)
    return np.asarray(tensor - trace[:, None, None] * np.eye(3) / 3.0)


def _von_mises(stress: np.ndarray) -> np.ndarray:
    hydrostatic = np.trace(stress, axis1=1, axis2=2) / 3.0
    deviator = stress - hydrostatic[:, None, None] * np.eye(3)
    return np.asarray(np.sqrt(1.5 * np.sum(deviator**2, axis=(1, 2))))


def grains_of_states(n: int, seed: int) -> list[tuple[GrainMap, TrueGrains, np.ndarray]]:
    """Grain map, truth and true grain number of each row, for every state."""
    rng = np.random.default_rng(seed)
    angle, reach = rng.uniform(0, 2 * np.pi, n), 800.0 * np.sqrt(rng.uniform(0, 1, n))
    position = np.column_stack(
        [reach * np.cos(angle), reach * np.sin(angle), rng.uniform(-450, 450, n)]
    )
    radius = 27.0 * np.exp(0.2 * rng.normal(size=n))
    orientation = random_quaternions(rng, n)
    special = rng.uniform(size=n) < 0.03
    pull = np.where(special, rng.choice([-1.0, 1.0], n) * rng.uniform(120, 300, n), 0.0)
    quiet = rng.normal(scale=25.0, size=n)
    deviator = _deviators(rng, n) * np.where(special, 60.0, 18.0)[:, None, None]
    sigma_h, sigma_vm = 3.0 * BULK_MODULUS * SIGMA_STRAIN / np.sqrt(3.0), 14.0
    maps = []
    for k in range(len(STATES)):
        swing = 0.6 if k == 0 else (1.3 if k % 2 else 0.8)
        hydrostatic = quiet + swing * pull
        hydrostatic -= hydrostatic.mean() + 5.0 / 3.0
        stress = deviator * swing + hydrostatic[:, None, None] * np.eye(3)
        found = np.flatnonzero(rng.uniform(size=n) > 0.04)
        m = len(found)
        measured = stress[found] + _deviators(rng, m) * 6.0
        measured = measured + (sigma_h * rng.normal(size=m))[:, None, None] * np.eye(3)
        covariance = np.zeros((m, 12, 12))
        diagonal = [20.0**2] * 3 + [np.deg2rad(0.1) ** 2] * 3 + [SIGMA_STRAIN**2] * 6
        covariance[:] = np.diag(diagonal)
        strain = measured / (3.0 * BULK_MODULUS)
        shift = np.full(m, 3.0 * BULK_MODULUS)
        grain_map = GrainMap(
            grain_id=100 + rng.permutation(m),
            position=position[found] + rng.normal(scale=8.0, size=(m, 3)),
            orientation=orientation[found],
            lattice=np.tile([12.95, 12.95, 12.95, *[np.pi / 2] * 3], (m, 1)),
            radius=radius[found],
            completeness=rng.uniform(0.72, 1.0, m),
            phase=special[found].astype(np.int64),
            phases=Phases(
                name=("LLZTO-I-43d", "LLZTO-Ia-3d"),
                space_group=np.array([220, 230]),
                lattice=np.tile([12.95, 12.95, 12.95, *[np.pi / 2] * 3], (2, 1)),
            ),
            covariance=covariance,
            error_source="assumed",
            strain=strain,
            stress=measured,
            stress_covariance=np.tile(np.eye(6) * sigma_h**2, (m, 1, 1)),
            stress_hydrostatic=np.trace(measured, axis1=1, axis2=2) / 3.0,
            stress_hydrostatic_se=np.full(m, sigma_h),
            stress_von_mises=_von_mises(measured),
            stress_von_mises_se=np.full(m, sigma_vm),
            common_modes=(
                CommonMode(
                    name="reference lattice",
                    sigma=1.5e-5,
                    unit="1",
                    derivatives={
                        "stress_hydrostatic": -shift,
                        "stress": -shift[:, None, None] * np.eye(3),
                    },
                ),
                CommonMode(
                    name=f"stack pressure, {STATES[k]}",
                    sigma=1.0,
                    unit="MPa",
                    derivatives={"stress_hydrostatic": np.full(m, -1.0 / 3.0)},
                ),
            ),
        )
        truth = TrueGrains(
            grain_id=np.arange(n),
            found_id=_found_ids(n, found, grain_map.grain_id),
            position=position,
            radius=radius,
            stress_hydrostatic=hydrostatic,
            stress_von_mises=_von_mises(stress),
        )
        assert six_from_tensor(stress).shape == (n, 6)
        maps.append((grain_map, truth, found))
    return maps


def _found_ids(n: int, found: np.ndarray, ids: np.ndarray) -> np.ndarray:
    linked = np.full(n, -1)
    linked[found] = ids
    return linked


def tracking_between(before: np.ndarray, after: np.ndarray) -> Tracking:
    """Perfect tracking from the true grain numbers of the rows of two states."""
    common, first, second = np.intersect1d(before, after, return_indices=True)
    n = len(common)
    return Tracking(
        before=first,
        after=second,
        probability=np.where(np.arange(n) % 50 == 0, 0.8, 0.999),
        distance=np.full(n, 7.0),
        misorientation=np.full(n, 1e-3),
        lost=np.setdiff1d(np.arange(len(before)), first),
        new=np.setdiff1d(np.arange(len(after)), second),
        rotation=np.eye(3),
        translation=np.zeros(3),
        rule="optimal",
    )


def cycling_of_state(k: int, rows: int = 600) -> Cycling:
    """Galvanostatic half cycle that leads to state ``k``; the last one ends in a short."""
    rng = np.random.default_rng(k)
    start = START + (k - 1) * (HALF_CYCLE + 3600.0) if k else START - 1200.0
    if k == 0:
        empty = np.zeros(0)
        return Cycling(
            time=empty,
            current=empty,
            voltage=empty,
            step=empty.astype(np.int64),
            impedance=_impedance(start, 300.0),
        )
    sign = 1.0 if k % 2 else -1.0
    time = start + np.linspace(0, HALF_CYCLE, rows)
    part = np.linspace(0, 1, rows)
    current = np.full(rows, sign * 2e-4)
    voltage = sign * (0.055 + 0.004 * k + (0.006 + 0.012 * (k - 1)) * part**2)
    voltage = voltage + rng.normal(scale=3e-4, size=rows)
    if k == 4:
        voltage[part > 0.86] *= 0.06
    rest = slice(0, 10)
    current[rest], voltage[rest] = 0.0, 1e-4
    used = slice(10, rows)
    step = np.where(np.arange(rows) < 10, 0, 1)
    return Cycling(
        time=time,
        current=current,
        voltage=voltage,
        step=step,
        half_cycles=HalfCycles(
            step=np.array([1]),
            first_row=np.array([10]),
            rows=np.array([rows - 10]),
            start=np.array([time[10]]),
            duration=np.array([time[-1] - time[10]]),
            current=np.array([sign * 2e-4]),
            charge=np.array([sign * 2e-4 * (time[-1] - time[10])]),
            overpotential=np.array([voltage[used].mean()]),
            overpotential_se=np.array([voltage[used].std() / np.sqrt(rows / 8)]),
            overpotential_std=np.array([voltage[used].std()]),
        ),
        impedance=_impedance(time[-1] + 60.0, 40.0) if k == 4 else None,
        pressure=5.0 + sign * 0.04 * part + 0.002 * rng.normal(size=rows),
    )


def _impedance(time: float, resistance: float) -> Impedance:
    frequency = np.logspace(6, 0, 50)
    omega = 2 * np.pi * frequency
    bulk = resistance / (1 + (1j * omega * resistance * 2e-8) ** 0.9)
    interface = 0.5 * resistance / (1 + (1j * omega * resistance * 5e-6) ** 0.85)
    total = 0.05 * resistance + bulk + interface
    return Impedance(
        sweep=np.zeros(50, dtype=np.int64),
        time=time + np.arange(50.0),
        frequency=frequency,
        real=total.real,
        imaginary=total.imag,
    )


def history(cyclings: list[Cycling]) -> History:
    """Charges from the half cycles, over 2.011 mm2."""
    own = [0.0 if c.half_cycles is None else float(c.half_cycles.charge[0]) for c in cyclings]
    net, passed = np.cumsum(own), np.cumsum(np.abs(own))
    ends = np.array([c.time[-1] if len(c.time) else np.nan for c in cyclings])
    return History(
        state=STATES,
        half_cycles=np.arange(len(STATES)),
        net_charge=net,
        cumulative_charge=passed,
        net_areal_charge=net / 2.011e-6,
        cumulative_areal_charge=passed / 2.011e-6,
        source=("nothing", "files", "files", "files", "files"),
        record_start=ends - HALF_CYCLE,
        record_end=ends,
        measured_at=ends + 600.0,
    )


def _handle(record: Record) -> Handle:
    return lambda: record


def synthetic_cell(
    n: int = 400, seed: int = 7, *, rows: int = 600, name: str = "virtual <LLZTO> & co"
) -> Cell:
    """The cell, with everything the report can show."""
    maps = grains_of_states(n, seed)
    cyclings = [cycling_of_state(k, rows) for k in range(len(STATES))]
    fits = [fits_of_state(cycling) for cycling in cyclings]
    states = []
    for k, (grain_map, truth, _) in enumerate(maps):
        handles = {
            GrainMap: _handle(grain_map),
            TrueGrains: _handle(truth),
            Cycling: _handle(cyclings[k]),
            ImpedanceFits: _handle(fits[k]),
        }
        protocol = {} if k == 0 else {"half_cycles": 1, "current_ma_cm2": 0.1, "duration_h": 1.25}
        states.append(State(STATES[k], k, {"after": protocol} if protocol else {}, handles))
    pairs = {
        k: {Tracking: _handle(tracking_between(maps[k][2], maps[k + 1][2]))}
        for k in range(len(maps) - 1)
    }
    conditions = {
        "cell.name": name,
        "cell.stack": "Li|LLZO|Li",
        "cell.diameter_um": 1600.0,
        "cell.thickness_um": 900.0,
        "cell.area_mm2": 2.011,
        "conditions.stack_pressure_mpa": 5.0,
        "conditions.temperature_c": 50.0,
    }
    remarks = (
        ("assumed", "pristine, grains", "The files state no errors: 20 um, 0.1 deg, 1e-4 assumed."),
        ("warning", "stripping 2, cycling", "The voltage collapses while the current goes on."),
        ("gap", "plating 2, grains", "Layer 3 is missing <beam dump>."),
    )
    handles: dict[type[Record], Handle] = {History: _handle(history(cyclings))}
    handles |= extremes_and_stiffness(STATES, [grain_map for grain_map, _, _ in maps])
    handles |= {type(r): _handle(r) for r in records_of_cell(STATES, cyclings, fits)}
    if n >= FEWEST_FOLLOWED:
        planted = planted_records(STATES)
        handles |= {kind: _handle(record) for kind, record in planted.items()}
    return Cell(name, conditions, tuple(states), handles, pairs, remarks)
