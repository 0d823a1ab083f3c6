"""Runs inside the environment of midas-stress: reads grains.npz, writes midas-stress.npz."""

import sys
from pathlib import Path

import midas_stress
import numpy as np
from midas_stress.equilibrium import correct_d0
from midas_stress.tensor import lattice_params_to_strain


def main(folder: Path) -> None:
    given = np.load(folder / "grains.npz")
    # the peer's crystal axes have z along c, the house's x along a: the same crystal, its axes
    # and edges named in reverse order
    reverse = np.eye(3)[::-1]
    lattice = given["lattice_deg"][:, [2, 1, 0, 5, 4, 3]]
    reference = given["reference_deg"][[2, 1, 0, 5, 4, 3]]
    strain = reverse @ lattice_params_to_strain(lattice, reference) @ reverse
    orient = given["orientation"]
    strain = orient @ strain @ orient.swapaxes(1, 2)
    # Mandel order; the peer's own cubic_stiffness needs PyTorch
    c11, c12, c44 = given["constants_mpa"]
    stiffness = np.diag([c11 - c12] * 3 + [2.0 * c44] * 3)
    stiffness[:3, :3] += c12
    weights, volumes = given["confidence"], given["volume"]
    stress = midas_stress.compute_stress(
        strain, stiffness, orient, volumes, confidences=weights, applied_stress=given["target"]
    )
    # weights handed over as volumes alone: the second step of correct_d0 knows no confidences
    corrected = correct_d0(
        strain, stiffness, orient, volumes * weights, applied_stress=given["target"]
    )
    np.savez(
        folder / "midas-stress.npz",
        strain=strain,
        stress_raw=stress["stress_raw"],
        hydrostatic_corrected=stress["hydrostatic_corrected"],
        stress_corrected=stress["stress_corrected"],
        von_mises=stress["von_mises"],
        eps_iso=corrected["eps_iso"],
        stress_d0=corrected["stresses_corrected"],
        stress_two_steps=corrected["stresses_2step"],
        version=midas_stress.__version__,
    )


main(Path(sys.argv[1]))
