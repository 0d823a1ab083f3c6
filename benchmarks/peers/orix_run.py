"""Runs inside the environment of orix: reads rotations.npz, writes orix.npz."""

import sys
from pathlib import Path

import numpy as np
import orix
from orix.plot import IPFColorKeyTSL
from orix.quaternion import Orientation, Rotation, symmetry
from orix.vector import Vector3d


def main(folder: Path) -> None:
    given = np.load(folder / "rotations.npz")
    first, second = Rotation(given["first"]), Rotation(given["second"])
    # an orix orientation maps sample to crystal: the inverse of the house's
    angles = {}
    for name, group in (("cubic", symmetry.Oh), ("hexagonal", symmetry.D6h)):
        left = Orientation((~first).data, symmetry=group)
        right = Orientation((~second).data, symmetry=group)
        angles[name] = left.angle_with(right)
    # directions of the sample's z on crystal axes, in orix's triangle and colours
    key = IPFColorKeyTSL(symmetry.Oh, direction=Vector3d.zvector())
    cubic = Orientation((~first).data, symmetry=symmetry.Oh)
    inside = (cubic * Vector3d.zvector()).in_fundamental_sector(symmetry.Oh)
    corners = Vector3d([[0, 0, 1], [0, 1, 1], [1, 1, 1]])
    np.savez(
        folder / "orix.npz",
        matrix=first.to_matrix(),
        product=(first * second).data,
        from_matrix=Rotation.from_matrix(first.to_matrix()).data,
        rotation_vector=first.to_axes_angles().data,
        triangle=inside.unit.data,
        colours=key.orientation2color(cubic),
        corner_colours=key.direction_color_key.direction2color(corners),
        version=orix.__version__,
        **angles,
    )


main(Path(sys.argv[1]))
