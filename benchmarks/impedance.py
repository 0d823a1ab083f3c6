"""Circuit elements, their errors and Kramers-Kronig verdicts against impedance.py and pyimpspec.

Measured spectra (MESOLITH_DATA points to them) and, for the verdicts, spectra made to be wrong.

Bar: where impedance.py, started from our elements times 1.1, ends in the same minimum, each element
within 0.05 of its standard error and each standard error (before we lengthen it for residuals
that hang together) within 5 %; it finds no lower minimum, and the same one in half of the fits.
pyimpspec squares before its least squares do, so it minimises fourth powers; given the plain
residual, the impedance of our elements is equal to 1e-9 and its elements to 0.05 standard errors;
its own made-up file gives its round values back to 1e-5; verdicts equal to those of
pyimpspec's residuals with a chain as long as ours, and with the length that it chooses itself
unless that exceeds half the points: a chain as long as the spectrum follows whatever was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _harness import HERE, fresh_seed, peer_python, write_result

from mesolith.axes import FloatArray
from mesolith.echem.circuit_fit import CircuitFit, fit_circuit
from mesolith.echem.circuits import ComplexArray, circuit_from_text
from mesolith.echem.kramers_kronig import KramersKronig, kramers_kronig_test
from mesolith.echem.sweeps import sweep_numbers
from mesolith.io.biologic_text import read_mpt
from mesolith.io.zplot import read_zplot

VALUE_BAR, ERROR_BAR, COST_BAR, ROUND_BAR = 0.05, 0.05, 1e-6, 1e-5
TOLERANCE = 0.005  # of the verdicts, ours and the peer's
ROUND_VALUES = [100.0, 200.0, 8e-7, 500.0, 4e-4, 0.5]
SAME_BAR, NEAR_BAR = 1e-9, 0.05
SHIFT = 1.1
PEERS = {"impedance-py": "impedance_py_run.py", "pyimpspec": "pyimpspec_run.py"}
Spectrum = tuple[FloatArray, ComplexArray]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sweeps of mb.mpt instead of 8")
    parser.add_argument("--family", type=int, help="seed instead of that of the commit")
    given = parser.parse_args()
    root = os.environ.get("MESOLITH_DATA")
    if not root:
        print("impedance: MESOLITH_DATA does not point to the measured files: NOT met")
        return 1
    seed = fresh_seed("impedance") if given.family is None else given.family
    spectra = measured_spectra(Path(root) / "echem", 2 if given.quick else 8)
    circuits = {name: circuit_of(name) for name in spectra if circuit_of(name)}
    fits = {n: fit_circuit(text, *spectra[n]) for n, text in circuits.items()}
    judged = spectra | made_wrong(np.random.default_rng(seed))
    tests = {name: kramers_kronig_test(*judged[name], tolerance=TOLERANCE) for name in judged}
    peers = run_peers(fits, tests, judged)
    lines, passed = compare_fits(fits, peers["impedance-py"]["fits"])
    near, close = compare_elements(fits, peers["pyimpspec"]["fits"])
    lines, passed = lines + near, passed and close
    more, agreed = compare_verdicts(tests, peers)
    worst = float(np.max(np.abs(fits["pyimpspec/data.z"].values / ROUND_VALUES - 1.0)))
    lines.append(f"pyimpspec/data.z: round values to {worst:.1e}, bar {ROUND_BAR:.0e}")
    passed = passed and agreed and worst <= ROUND_BAR
    write_result(
        "impedance",
        {
            "versions": {name: found["version"] for name, found in peers.items()},
            "lines": lines + more,
            "passed": passed,
        },
    )
    print("\n".join(lines + more))
    print(f"impedance: {'met' if passed else 'NOT met'}")
    return 0 if passed else 1


def measured_spectra(folder: Path, sweeps: int) -> dict[str, Spectrum]:
    """Spectra of the measured files by name; rows without impedance left out."""
    found: dict[str, Spectrum] = {}
    for name in (
        "pyimpspec/data.z",
        "impedance.py/exampleDataZPlot.z",
        "impedance.py/Circuit1_EIS_1.z",
        "impedance.py/Circuit2_EIS_1.z",
        "impedance.py/Circuit3_EIS_1.z",
    ):
        sweep = read_zplot(folder / name)
        found[name] = sweep.frequency, sweep.real + 1j * sweep.imaginary
    table = np.loadtxt(
        folder / "impedance.py" / "exampleData.csv", delimiter=",", encoding="utf-8-sig"
    )
    found["impedance.py/exampleData.csv"] = table[:, 0], table[:, 1] + 1j * table[:, 2]
    for name, last in (("yadg/mb.mpt", sweeps), ("yadg/geis.mpt", 2)):
        record = read_mpt(folder / name)
        rows = np.flatnonzero((record.frequency > 0.0) & np.isfinite(record.real))
        mark = record.cycle[rows] + 1e6 * record.step[rows]
        numbers = sweep_numbers(record.frequency[rows], rows, mark)
        for k in range(last):
            at = rows[numbers == k]
            z = record.real[at] + 1j * record.imaginary[at]
            found[f"{name} sweep {k}"] = record.frequency[at], z
    return found


def circuit_of(name: str) -> str | None:
    """A circuit whose elements the spectrum determines, none of them at a bound."""
    if name == "pyimpspec/data.z":
        return "R0-p(R1,C1)-p(R2,CPE2)"
    if name.endswith(".csv"):
        return "L0-R0-p(R1,CPE1)-p(R2,CPE2)-W1"
    if "mb.mpt" in name:
        return "p(R1,C1)-p(R2,CPE2)"
    return None if "geis" in name else "L0-R0-p(R1,CPE1)"


def made_wrong(rng: np.random.Generator) -> dict[str, Spectrum]:
    """A good spectrum, one whose cell changed in mid-sweep, and the parts of two cells."""
    f = np.geomspace(1e6, 0.1, 56)
    circuit = circuit_from_text("R0-p(R1,CPE1)-p(R2,CPE2)-W1")
    good = np.array([20.0, 300.0, 3e-9, 0.93, 150.0, 2e-5, 0.8, 30.0])
    worse = good * np.where([n.startswith("R") for n in circuit.names], 1.15, 1.0)
    slower = good * [1, 1, 3, 1, 1, 1, 1, 1]

    def noisy(values: FloatArray) -> ComplexArray:
        z = circuit.impedance(f, values)
        error = rng.standard_normal(len(f)) + 1j * rng.standard_normal(len(f))
        return z + 0.002 * np.abs(z) * error

    return {
        "made: one steady cell": (f, noisy(good)),
        "made: contact lost in mid-sweep": (f, np.where(f < 30.0, noisy(worse), noisy(good))),
        "made: parts of two cells": (f, noisy(good).real + 1j * noisy(slower).imag),
    }


def run_peers(
    fits: dict[str, CircuitFit],
    tests: dict[str, KramersKronig],
    judged: dict[str, Spectrum],
) -> dict[str, Any]:
    """What each peer makes of the same spectra, fits started beside our own minimum."""

    def plain(spectrum: Spectrum) -> dict[str, Any]:
        f, z = spectrum
        return {"frequency": f.tolist(), "real": z.real.tolist(), "imaginary": z.imag.tolist()}

    asked = {
        "fits": [
            plain(judged[name])
            | {
                "circuit": fit.circuit.text,
                "start": shifted(fit).tolist(),
                "elements": fit.values.tolist(),
            }
            for name, fit in fits.items()
        ],
        "tests": [
            plain(spectrum) | {"relaxations": tests[name].relaxations}
            for name, spectrum in judged.items()
        ],
    }
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "spectra.json").write_text(json.dumps(asked))
        for name, script in PEERS.items():
            command = [str(peer_python(name)), str(HERE / "peers" / script), str(folder)]
            subprocess.run(command, check=True)
            found[name] = json.loads((folder / f"{name}.json").read_text())
    return found


def shifted(fit: CircuitFit) -> FloatArray:
    """Our elements times 1.1; exponents kept below one."""
    exponent = np.array([p.kind == "exponent" for p in fit.circuit.parameters])
    return np.where(exponent, 0.95 * fit.values, SHIFT * fit.values)


def compare_fits(fits: dict[str, CircuitFit], peer: list[dict[str, Any]]) -> tuple[list[str], bool]:
    """One line a fit of impedance.py; a peer that stops above our minimum is no oracle there."""
    lines, passed, alike = [], True, 0
    for (name, fit), theirs in zip(fits.items(), peer, strict=True):
        cost = float(np.sum(np.abs(fit.residual) ** 2))
        label = f"{name} {fit.circuit.text}, impedance.py"
        floor = 1e-12 * len(fit.frequency)
        ratio = (theirs["cost"] + floor) / (cost + floor)
        if ratio > 1.0 + COST_BAR:
            lines.append(f"{label}: stops at {ratio:.4g} times our sum of squares")
            continue
        error = fit.standard_error / fit.inflation
        allowed = np.maximum(VALUE_BAR * error, ROUND_BAR * fit.values)
        away = float(np.max(np.abs(np.array(theirs["values"]) - fit.values) / allowed))
        longer = float(np.max(np.abs(np.array(theirs["errors"]) / error - 1.0)))
        if fit.noise < ROUND_BAR:
            longer = 0.0  # errors of a noiseless file are those of its last digit
        good = ratio > 1.0 - COST_BAR and away <= 1.0 and longer <= ERROR_BAR
        alike += good
        passed = passed and good
        lines.append(
            f"{label}: elements at {away:.1e} of what is allowed, errors within {longer:.2%} "
            f"{'ok' if good else 'FAILED'}"
        )
    lines.append(f"impedance.py: same minimum and errors in {alike} of {len(fits)} fits")
    return lines, passed and 2 * alike >= len(fits)


def compare_elements(
    fits: dict[str, CircuitFit], peer: list[dict[str, Any]]
) -> tuple[list[str], bool]:
    """One line a fit of pyimpspec: the same impedance, and elements near ours."""
    lines, passed = [], True
    for (name, fit), theirs in zip(fits.items(), peer, strict=True):
        ours = fit.circuit.impedance(fit.frequency, fit.values)
        there = np.array(theirs["real"]) + 1j * np.array(theirs["imaginary"])
        same = float(np.max(np.abs(there / ours - 1.0)))
        allowed = np.maximum(NEAR_BAR * fit.standard_error, ROUND_BAR * fit.values)
        away = float(np.max(np.abs(np.array(theirs["values"]) - fit.values) / allowed))
        good = same <= SAME_BAR and away <= 1.0
        passed = passed and good
        lines.append(
            f"{name} {fit.circuit.text}, pyimpspec: impedance to {same:.1e}, elements within "
            f"{NEAR_BAR * away:.1e} standard errors {'ok' if good else 'FAILED'}"
        )
    return lines, passed


def compare_verdicts(
    tests: dict[str, KramersKronig], peers: dict[str, Any]
) -> tuple[list[str], bool]:
    """One line a spectrum; whether all verdicts are those of pyimpspec's residuals."""
    lines, passed = [], True
    rows = zip(tests.items(), peers["pyimpspec"]["tests"], strict=True)
    others = peers["impedance-py"]["tests"]
    for ((name, ours), theirs), other in zip(rows, others, strict=True):
        same, size = peer_verdict(theirs["same"], ours.noise)
        own, own_size = peer_verdict(theirs["own"], ours.noise)
        length = theirs["own"]["relaxations"]
        counts = 2 * length <= len(ours.frequency)
        good = same == ours.verdict and (own == ours.verdict or not counts)
        passed = passed and good
        lines.append(
            f"{name}: {ours.verdict} (disagreement {ours.disagreement:.3%}, noise "
            f"{ours.noise:.3%}); pyimpspec {same} at our {ours.relaxations} relaxations (residual "
            f"{size:.3%}), {own} at its {length} of {len(ours.frequency)} points "
            f"({own_size:.3%}{'' if counts else ', does not count'}); impedance.py's residual "
            f"{peer_verdict(other, ours.noise)[1]:.3%} {'ok' if good else 'FAILED'}"
        )
    return lines, passed


def peer_verdict(theirs: dict[str, Any], noise: float) -> tuple[str, float]:
    """Verdict of a peer's residuals, and their size: both sum up to more than noise allows.

    The peers state residuals and no verdict. What their mean square holds beyond that of the
    noise must stay within the same tolerance.
    """
    residual = np.concatenate([theirs["real"], theirs["imaginary"]])
    size = float(np.sqrt(np.mean(residual**2)))
    beyond = np.sqrt(max(size**2 - noise**2, 0.0))
    return ("violated" if beyond > TOLERANCE else "valid"), size


if __name__ == "__main__":
    sys.exit(main())
