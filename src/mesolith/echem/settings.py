"""Keys of [echem] and of a state's cycling in cell.toml."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mesolith.pipeline.settings import setting


@dataclass(frozen=True, slots=True)
class Settings:
    """[echem]: how half cycles are cut and spectra are fitted."""

    current_share: float = setting(
        "number",
        "Rows with less than this share of the set current are switch-over points and are left "
        "out of a half cycle's statistics.",
        default=0.9,
        minimum=0.0,
        maximum=1.0,
        example="0.9",
    )
    current_gain_se: float = setting(
        "number",
        "Relative standard error of the cycler's current: it scales all charges and current "
        "densities together.",
        default=0.0,
        minimum=0.0,
        maximum=0.5,
        example="0.001",
    )
    circuit: str = setting(
        "text",
        'Equivalent circuit of the spectra, such as "R0-p(R1,CPE1)-p(R2,CPE2)-W1": elements R C L '
        'CPE W Ws Wo in series with "-", in parallel with p(...,...). "auto": for each state the '
        "simplest circuit that its sweeps ask for - a resistance in series, no to three depressed "
        "arcs, diffusion - by Schwarz's information criterion.",
        default="auto",
        example='"auto"',
        reads="mesolith.echem.circuits:check_circuit",
    )
    weighting: str = setting(
        "choice",
        "Errors of a spectrum: in proportion to its modulus, or the same everywhere (unit).",
        default="modulus",
        choices=("modulus", "unit"),
        example='"modulus"',
    )
    kramers_kronig_tolerance: float = setting(
        "number",
        "Disagreement of real and imaginary part, relative to the modulus, below which a spectrum "
        "passes the Kramers-Kronig test even where the disagreement is significant.",
        default=0.005,
        minimum=0.0,
        maximum=0.2,
        example="0.005",
    )


@dataclass(frozen=True, slots=True)
class Options:
    """Further keys of a state's cycling."""

    date_order: str | None = setting(
        "choice",
        "Order of day and month in the files' dates, where a date such as 01/10/2024 leaves it "
        "open.",
        default=None,
        choices=("month-first", "day-first"),
        example='"month-first"',
    )
    started: datetime | None = setting(
        "time",
        "Start of the files' times, with its offset from UTC, where the files state none.",
        default=None,
        example="2024-05-03T12:00:00+02:00",
    )
