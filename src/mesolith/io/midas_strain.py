"""The strain columns of a Grains.csv against the strain that the lattice columns give."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.errors import OrientationError, UnitError
from mesolith.io.finding import Finding

# what columns in another unit would hold, relative to microstrain
_UNITS = {1e-6: "fractions", 1e-4: "percent", 1e-3: "per mille"}
_FLOOR = 2.0  # microstrain: lattice angles with six decimals are good to 0.02


def strain_from_columns(
    lattice: FloatArray, reference: FloatArray, matrices: FloatArray
) -> FloatArray:
    """Lattice strain (n, 3, 3) turned by ``matrices``: (F + F^T)/2 - I of each row."""
    gradient = basis_from_lattice(lattice) @ np.linalg.inv(basis_from_lattice(reference))
    crystal = 0.5 * (gradient + gradient.swapaxes(1, 2)) - np.eye(3)
    turned: FloatArray = matrices @ crystal @ matrices.swapaxes(1, 2)
    return turned


def check_strain_columns(
    columns: FloatArray,
    lattice: FloatArray,
    reference: FloatArray,
    matrices: FloatArray,
    path: Path,
) -> list[Finding]:
    """Compare eFab and eKen (n, 2, 3, 3) with the lattice's strain; findings, in words.

    The strain used is always that of the lattice. Columns that contradict it are named.

    Raises
    ------
    UnitError
        The columns agree with the lattice in another unit than microstrain.
    OrientationError
        They agree only if O maps sample to crystal: the matrices are transposed.
    """
    expected = 1e6 * strain_from_columns(lattice, reference, matrices)
    size = _size(expected)
    findings: list[Finding] = []
    for kind, values in (("eFab", columns[:, 0]), ("eKen", columns[:, 1])):
        good = np.isfinite(values).all(axis=(1, 2))
        if not good.any() or not np.any(values[good]):
            if size > _FLOOR:
                text = (
                    f"the {kind} columns are all zero or empty, the lattice says {size:.0f} "
                    "microstrain (RMS); strain is taken from the lattice"
                )
                findings.append(Finding("note", path.name, text))
            continue
        found, wanted = values[good], expected[good]
        if size > _FLOOR:
            _check_unit(found, wanted, kind, path)
        # eKen comes from d-spacings and may differ by the noise of the fit
        allowed = max(_FLOOR, (0.02 if kind == "eFab" else 0.5) * max(size, _size(found)))
        off = _size(found - wanted)
        if off <= allowed:
            continue
        if kind == "eFab":
            _check_transposed(found, lattice[good], reference[good], matrices[good], path)
        asymmetry = float(np.abs(found - found.swapaxes(1, 2)).max())
        words = "are no symmetric tensors and " if asymmetry > allowed else ""
        text = (
            f"the {kind} columns {words}contradict the lattice: they are off by {off:.0f} "
            f"microstrain (RMS), the lattice says {size:.0f}; strain is taken from the lattice"
        )
        findings.append(Finding("warning", path.name, text))
    return findings


def _size(tensors: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(tensors))))


def _check_unit(found: FloatArray, wanted: FloatArray, kind: str, path: Path) -> None:
    """Find the factor of a least-squares line through zero and refuse another unit's."""
    slope = float(np.sum(found * wanted) / np.sum(wanted * wanted))
    match = float(np.sum(found * wanted) / np.sqrt(np.sum(found**2) * np.sum(wanted**2)))
    for factor, words in _UNITS.items():
        if match > 0.9 and 0.5 < slope / factor < 2.0:
            raise UnitError(
                f"the {kind} columns follow the lattice's strain times {slope:.3g}: they hold "
                f"{words}, MIDAS writes microstrain",
                where=str(path),
                remedy='Convert the columns, or say strain_columns = "ignore" under [hedm]: '
                "strain is taken from the lattice either way.",
            )


def _check_transposed(
    found: FloatArray, lattice: FloatArray, reference: FloatArray, matrices: FloatArray, path: Path
) -> None:
    turned = 1e6 * strain_from_columns(lattice, reference, matrices.swapaxes(1, 2))
    if _size(found - turned) < 0.02 * _size(found):
        raise OrientationError(
            "the strain columns fit the lattice only if O maps sample to crystal: the matrices "
            "are transposed",
            where=str(path),
            remedy="Write O11 to O33 row by row as MIDAS does (crystal to sample).",
        )
