"""Runs inside the environment of impedance.py: reads spectra.json, writes impedance-py.json."""

import json
import sys
import warnings
from pathlib import Path

import impedance
import numpy as np
from impedance.models.circuits import CustomCircuit
from impedance.validation import linKK


def fit(spectrum: dict) -> dict:
    f, z = np.array(spectrum["frequency"]), np.array(spectrum["real"], dtype=complex)
    z += 1j * np.array(spectrum["imaginary"])
    circuit = CustomCircuit(spectrum["circuit"], initial_guess=spectrum["start"])
    # without bounds SciPy takes MINPACK, which reaches the minimum where its bounded method stops
    free = np.full(len(spectrum["start"]), np.inf)
    circuit.fit(f, z, weight_by_modulus=True, bounds=(-free, free), maxfev=100000, xtol=1e-13)
    rest = (circuit.predict(f) - z) / np.abs(z)
    return {
        "values": list(circuit.parameters_),
        "errors": list(circuit.conf_),
        "cost": float(np.sum(np.abs(rest) ** 2)),
    }


def kramers_kronig(spectrum: dict) -> dict:
    f, z = np.array(spectrum["frequency"]), np.array(spectrum["real"], dtype=complex)
    z += 1j * np.array(spectrum["imaginary"])
    order = np.argsort(-f)
    count, mu, _, real, imaginary = linKK(
        f[order], z[order], c=0.85, max_M=min(50, len(f) - 2), fit_type="complex", add_cap=True
    )
    return {
        "relaxations": int(count),
        "mu": float(mu),
        "real": np.asarray(real).tolist(),
        "imaginary": np.asarray(imaginary).tolist(),
    }


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    given = json.loads((folder / "spectra.json").read_text())
    found = {
        "version": impedance.__version__,
        "fits": [fit(spectrum) for spectrum in given["fits"]],
        "tests": [kramers_kronig(spectrum) for spectrum in given["tests"]],
    }
    (folder / "impedance-py.json").write_text(json.dumps(found))


main(Path(sys.argv[1]))
