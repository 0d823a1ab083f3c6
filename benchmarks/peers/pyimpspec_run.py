"""Runs inside the environment of pyimpspec: reads spectra.json, writes pyimpspec.json."""

import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pyimpspec
from pyimpspec.analysis import fitting


def data_of(spectrum: dict) -> pyimpspec.DataSet:
    f = np.array(spectrum["frequency"])
    z = np.array(spectrum["real"]) + 1j * np.array(spectrum["imaginary"])
    order = np.argsort(-f)
    return pyimpspec.DataSet(frequencies=f[order], impedances=z[order])


def description(circuit: str, start: list[float]) -> str:
    """The circuit and its starting values in pyimpspec's own language."""
    left = iter(start)

    def element(match: re.Match) -> str:
        kind, number = match[1], match[2]
        if kind == "CPE":
            q, n = next(left), next(left)
            return f"Q{{Y={q!r}/0/inf,n={n!r}/0/1:c{number}}}"
        if kind == "W":
            return f"W{{Y={float(1.0 / (np.sqrt(2.0) * next(left)))!r}/0/inf:w{number}}}"
        return f"{kind}{{{kind}={next(left)!r}/0/inf:{kind.lower()}{number}}}"

    text = re.sub(r"(CPE|R|C|L|W)(\d+)", element, circuit)
    # parts of p(...) stand without the commas between them
    return (
        "["
        + re.sub(r"\},", "}", text.replace("p(", "(").replace("}-", "}").replace(")-", ")"))
        + "]"
    )


def ordinary_residual(params, circuit, f, z, weight, identifiers):
    """What pyimpspec's own residual is the square of, over abs(Z)."""
    fitting._from_lmfit(params, identifiers)
    rest = (circuit.get_impedances(f) - z) / np.abs(z)
    return np.array([rest.real, rest.imag])


def fit(spectrum: dict) -> dict:
    data = data_of(spectrum)
    circuit = pyimpspec.parse_cdc(description(spectrum["circuit"], spectrum["start"]))
    found = pyimpspec.fit_circuit(circuit, data, method="leastsq", weight="modulus", num_procs=1)
    values = []
    table = {name.split("_")[-1]: entry for name, entry in found.parameters.items()}
    for kind, number in re.findall(r"(CPE|R|C|L|W)(\d+)", spectrum["circuit"]):
        label = {"CPE": "c", "W": "w"}.get(kind, kind.lower()) + number
        entry = table[label]
        for name in {"CPE": ("Y", "n"), "W": ("Y",)}.get(kind, (kind,)):
            value = float(entry[name].value)
            if kind == "W":
                value = float(1.0 / (np.sqrt(2.0) * value))
            values.append(value)
    ours = pyimpspec.parse_cdc(description(spectrum["circuit"], spectrum["elements"]))
    there = ours.get_impedances(data.get_frequencies())
    return {"values": values, "real": there.real.tolist(), "imaginary": there.imag.tolist()}


def kramers_kronig(spectrum: dict) -> dict:
    """Residuals with the length that pyimpspec chooses, and with ours."""
    data, ours = data_of(spectrum), spectrum["relaxations"]
    own = pyimpspec.perform_kramers_kronig_test(data, test="complex", num_procs=1)
    same = pyimpspec.perform_kramers_kronig_test(
        data,
        test="complex",
        num_procs=1,
        num_RC=ours,
        admittance=False,
        log_F_ext=1.0,
        num_F_ext_evaluations=0,
    )
    return {"own": residuals(own), "same": residuals(same)}


def residuals(found: pyimpspec.KramersKronigResult) -> dict:
    _, real, imaginary = found.get_residuals_data()
    return {
        "relaxations": int(found.num_RC),
        "real": (np.asarray(real) / 100.0).tolist(),
        "imaginary": (np.asarray(imaginary) / 100.0).tolist(),
    }


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    # as delivered it squares before the least squares do, and so minimises fourth powers
    fitting._residual = ordinary_residual
    given = json.loads((folder / "spectra.json").read_text())
    found = {
        "version": pyimpspec.version.PACKAGE_VERSION,
        "fits": [fit(spectrum) for spectrum in given["fits"]],
        "tests": [kramers_kronig(spectrum) for spectrum in given["tests"]],
    }
    (folder / "pyimpspec.json").write_text(json.dumps(found))


main(Path(sys.argv[1]))
