"""Write a grain map as MIDAS' Grains.csv, 47 columns with six decimals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray
from mesolith.io.midas_strain import strain_from_columns
from mesolith.numerics.rotations import matrix_from_quaternion
from mesolith.records.grains import GrainMap

COLUMNS = (
    *("GrainID", "O11", "O12", "O13", "O21", "O22", "O23", "O31", "O32", "O33", "X", "Y", "Z"),
    *("a", "b", "c", "alpha", "beta", "gamma", "DiffPos", "DiffOme", "DiffAngle"),
    *("GrainRadius", "Confidence"),
    *(f"{kind}{i}{j}" for kind in ("eFab", "eKen") for i in (1, 2, 3) for j in (1, 2, 3)),
    *("RMSErrorStrain", "PhaseNr", "Eul0", "Eul1", "Eul2"),
)


def write_midas(path: Path, grain_map: GrainMap, *, beam_thickness: float = 0.0) -> None:
    """Write a grain map as MIDAS does: um, angstrom, degrees, microstrain, phases from 1.

    Strain (eFab and eKen alike) is that of each lattice against its phase's; residuals
    (DiffPos, DiffOme, DiffAngle, RMSErrorStrain) are zero. Reading the file gives the same
    numbers to the six decimals printed. ``beam_thickness`` (um) goes into the header.
    """
    reference = grain_map.phases.lattice
    table = midas_table(grain_map)
    n = len(grain_map)
    row = "%d\t" + "%f\t" * (len(COLUMNS) - 1) + "\n"
    lines = [
        f"%NumGrains {n}",
        "%BeamCenter 0.000000",
        f"%BeamThickness {beam_thickness:.6f}",
        "%GlobalPosition 0.000000",
        f"%NumPhases {len(reference)}",
        "%PhaseInfo",
    ]
    for group, lattice in zip(grain_map.phases.space_group, _in_degrees(reference), strict=True):
        numbers = " ".join(f"{value:.6f}" for value in lattice)
        lines += [f"%\tSpaceGroup:{group}", f"%\tLattice Parameter: {numbers}"]
    lines.append("%" + "\t".join(COLUMNS))
    # adding zero turns -0.0 into 0.0
    body = (row * n) % tuple((table + 0.0).ravel().tolist())
    path.write_text("\n".join(lines) + "\n" + body, encoding="ascii", newline="\n")


def midas_table(grain_map: GrainMap) -> FloatArray:
    """The 47 columns of Grains.csv as numbers, shape (n, 47); see `write_midas`."""
    matrices = matrix_from_quaternion(grain_map.orientation)
    reference = grain_map.phases.lattice
    strain = strain_from_columns(grain_map.lattice, reference[grain_map.phase], matrices)
    microstrain = 1e6 * strain.reshape(-1, 9)
    degrees = _in_degrees(grain_map.lattice)
    n = len(grain_map)
    table: FloatArray = np.column_stack(
        [
            grain_map.grain_id,
            matrices.reshape(-1, 9),
            grain_map.position,
            degrees,
            np.zeros((n, 3)),
            grain_map.radius,
            grain_map.completeness,
            microstrain,
            microstrain,
            np.zeros(n),
            grain_map.phase + 1,
            _euler_angles(matrices),
        ]
    )
    return table


def _in_degrees(lattice: FloatArray) -> FloatArray:
    return np.concatenate([lattice[:, :3], lattice[:, 3:] * (180.0 / math.pi)], axis=1)


def _euler_angles(matrices: FloatArray) -> FloatArray:
    """Eul0 Eul1 Eul2 in degrees (n, 3), by the convention of the measured GrainsSim.csv."""
    m = np.moveaxis(matrices, (-2, -1), (0, 1))
    angles = np.stack(
        [
            np.arctan2(m[2, 0], -m[2, 1]),
            np.arccos(np.clip(m[2, 2], -1.0, 1.0)),
            np.arctan2(m[0, 2], m[1, 2]),
        ],
        axis=1,
    )
    degrees: FloatArray = angles * (180.0 / math.pi)
    return degrees
