"""Runs inside the environment of orix: reads rotations.npz, writes orix.npz."""

import sys
from pathlib import Path

import numpy as np
import orix
from orix.quaternion import Orientation, Rotation, symmetry


def main(folder: Path) -> None:
    given = np.load(folder / "rotations.npz")
    first, second = Rotation(given["first"]), Rotation(given["second"])
    # an orix orientation maps sample to crystal: the inverse of the house's
    angles = {}
    for name, group in (("cubic", symmetry.Oh), ("hexagonal", symmetry.D6h)):
        left = Orientation((~first).data, symmetry=group)
        right = Orientation((~second).data, symmetry=group)
        angles[name] = left.angle_with(right)
    np.savez(
        folder / "orix.npz",
        matrix=first.to_matrix(),
        product=(first * second).data,
        from_matrix=Rotation.from_matrix(first.to_matrix()).data,
        rotation_vector=first.to_axes_angles().data,
        version=orix.__version__,
        **angles,
    )


main(Path(sys.argv[1]))
