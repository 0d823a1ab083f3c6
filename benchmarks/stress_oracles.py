"""Strain, stress and reference against midas-stress, rotations and misorientations against orix.

Bar: 1e-8 relative (of the largest value) for strain, stress and the correction of the reference;
1e-12 for rotations and directions in the standard triangle; 1e-8 deg for misorientations above
0.1 deg. Colours of an inverse pole figure: 0.02 at the corners of the triangle, which all keys
agree on (orix's are pure to 0.009); between them keys differ by how they spread the hues, 0.15 of
the scale on average.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
from _harness import HERE, peer_python, write_result

from mesolith.axes import FloatArray, six_from_tensor
from mesolith.crystal.elasticity import (
    hydrostatic_from_stress,
    strain_from_lattice,
    stress_from_strain,
    von_mises_from_stress,
)
from mesolith.crystal.orientation import misorientation_angle
from mesolith.crystal.symmetry import rotation_operators
from mesolith.link.balance import reference_from_equilibrium
from mesolith.link.equilibrium import (
    isotropic_correction,
    normalised_weights,
    response_to_dilatation,
    target_stress,
    weighted_mean,
)
from mesolith.link.stress import stressed_grain_map
from mesolith.materials.loader import load_material
from mesolith.numerics.rotations import (
    matrix_from_quaternion,
    quaternion_from_matrix,
    quaternion_from_rotation_vector,
    quaternion_multiply,
    random_quaternions,
    rotation_vector_from_quaternion,
)
from mesolith.records.grains import GrainMap
from mesolith.records.inverse_pole_figure import (
    colours_of_directions,
    crystal_direction,
    standard_triangle,
)
from mesolith.virtual.draws import draw_cell

STRESS_BAR, ROTATION_BAR, ANGLE_BAR_DEG = 1e-8, 1e-12, 1e-8
COLOUR_BAR, BETWEEN_BAR = 0.02, 0.15
PRESSURE = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rotations")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stress, peer_version = against_midas_stress(folder)
        rotation, orix_version = against_orix(folder, 2_000 if quick else 20_000)
    passed = True
    lines = []
    for label, (value, bar) in {**stress, **rotation}.items():
        good = value <= bar
        passed = passed and good
        lines.append(f"{label:52s} {value:9.2e}   bar {bar:.0e}   {'ok' if good else 'FAILED'}")
    write_result(
        "stress_oracles",
        {
            "midas-stress": peer_version,
            "orix": orix_version,
            "differences": {k: v for k, (v, _) in {**stress, **rotation}.items()},
            "passed": passed,
        },
    )
    print("\n".join(lines))
    print(f"stress oracles: {'met' if passed else 'NOT met'}")
    return 0 if passed else 1


def against_midas_stress(folder: Path) -> tuple[dict[str, tuple[float, float]], str]:
    """Largest differences on the grain list of a virtual cell, relative to the largest value."""
    priors = tomllib.loads((HERE / "priors.toml").read_text(encoding="utf-8"))
    grains = draw_cell(20_261, "nominal", priors).measure(0).map
    material = load_material("LLZTO-I-43d")
    assert material.stiffness is not None
    stiffness = material.stiffness
    reference = grains.phases.lattice[0]
    target, _ = target_stress(PRESSURE)
    peer = _midas_stress(folder, grains, reference, stiffness, target)

    strain = strain_from_lattice(grains.lattice, reference, grains.orientation)
    stress = stress_from_strain(strain, stiffness, grains.orientation)
    weights = normalised_weights(grains.radius, grains.completeness)
    mean = weighted_mean(stress, weights)
    response = weighted_mean(response_to_dilatation(stiffness, grains.orientation), weights)
    dilatation = isotropic_correction(six_from_tensor(mean), response, six_from_tensor(target))
    corrected = stress_from_strain(strain - dilatation * np.eye(3), stiffness, grains.orientation)
    balanced = corrected + (target - weighted_mean(corrected, weights))
    ours = {
        "strain from the lattice": (strain, peer["strain"]),
        "stress": (stress, peer["stress_raw"]),
        "hydrostatic stress, reference corrected": (
            hydrostatic_from_stress(corrected),
            peer["hydrostatic_corrected"],
        ),
        "stress, all six components balanced": (balanced, peer["stress_corrected"]),
        "von Mises stress": (von_mises_from_stress(balanced), peer["von_mises"]),
        "dilatation of the reference (correct_d0)": (np.array(dilatation), peer["eps_iso"]),
        "stress, reference corrected (correct_d0)": (corrected, peer["stress_d0"]),
        "stress, second step (correct_d0)": (balanced, peer["stress_two_steps"]),
    }
    # what the steps make of it: against the reference they found, the peer has nothing to correct
    found = reference_from_equilibrium(
        ["pristine"],
        [grains],
        materials=[material, material],
        pressure=np.array([PRESSURE]),
        porosity=0.0,
    )
    final = stressed_grain_map(grains, found, state="pristine", materials=[material, material])
    again = _midas_stress(folder, grains, found.lattice[0, 0], stiffness, target)
    ours["stress of the final grain map"] = (final.stress, again["stress_raw"])
    differences = {
        name: (float(np.abs(a - b).max() / np.abs(b).max()), STRESS_BAR)
        for name, (a, b) in ours.items()
    }
    left = abs(float(again["eps_iso"])) / float(np.abs(final.strain).max())
    differences["what correct_d0 would still correct there"] = (left, STRESS_BAR)
    return differences, str(peer["version"])


def _midas_stress(
    folder: Path, grains: GrainMap, reference: FloatArray, stiffness: FloatArray, target: FloatArray
) -> dict[str, FloatArray]:
    degrees = np.array([1.0, 1.0, 1.0, *[180.0 / np.pi] * 3])
    np.savez(
        folder / "grains.npz",
        lattice_deg=grains.lattice * degrees,
        reference_deg=reference * degrees,
        orientation=matrix_from_quaternion(grains.orientation),
        volume=grains.radius**3,
        confidence=grains.completeness,
        constants_mpa=stiffness[[0, 0, 3], [0, 1, 3]],
        target=target,
    )
    return _run_peer("midas-stress", "midas_stress_run.py", folder)


def against_orix(folder: Path, count: int) -> tuple[dict[str, tuple[float, float]], str]:
    """Largest differences over random rotations and pairs from 0.1 deg to the largest there is."""
    rng = np.random.default_rng(7)
    first = random_quaternions(rng, count)
    # half of the pairs far apart, half near: angles even in the logarithm above 0.1 deg
    axis = rng.standard_normal((count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.radians(0.1) * (450.0 ** rng.random(count))
    near = quaternion_multiply(quaternion_from_rotation_vector(axis * angle[:, None]), first)
    far = random_quaternions(rng, count)
    second = np.where((np.arange(count) % 2 == 0)[:, None], near, far)
    np.savez(folder / "rotations.npz", first=first, second=second)
    peer = _run_peer("orix", "orix_run.py", folder)

    matrix = matrix_from_quaternion(first)
    rotation = {
        "matrix from quaternion": np.abs(matrix - peer["matrix"]).max(),
        "quaternion from matrix": _apart(quaternion_from_matrix(matrix), peer["from_matrix"]),
        "product of quaternions": _apart(quaternion_multiply(first, second), peer["product"]),
        "rotation vector": _vectors_apart(
            rotation_vector_from_quaternion(first), peer["rotation_vector"]
        ),
    }
    differences = {name: (float(value), ROTATION_BAR) for name, value in rotation.items()}
    direction = crystal_direction(matrix, np.array([0.0, 0.0, 1.0]))
    differences["direction along z in the standard triangle"] = (
        # orix's triangle has its corners in other places, with the same cosines
        float(np.abs(standard_triangle(direction) - np.sort(peer["triangle"], axis=1)).max()),
        ROTATION_BAR,
    )
    corners = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    differences["colours of 001, 011, 111"] = (
        float(np.abs(colours_of_directions(corners) - peer["corner_colours"]).max()),
        COLOUR_BAR,
    )
    apart = np.abs(colours_of_directions(direction) - peer["colours"]).mean()
    differences["colours between them, on average"] = (float(apart), BETWEEN_BAR)
    for name, group in (("cubic", 230), ("hexagonal", 191)):
        ours = np.degrees(misorientation_angle(first, second, rotation_operators(group)))
        theirs = np.degrees(peer[name])
        seen = theirs > 0.1
        differences[f"misorientation, {name} (deg)"] = (
            float(np.abs(ours - theirs)[seen].max()),
            ANGLE_BAR_DEG,
        )
    return differences, str(peer["version"])


def _run_peer(name: str, script: str, folder: Path) -> dict[str, FloatArray]:
    subprocess.run([str(peer_python(name)), str(HERE / "peers" / script), str(folder)], check=True)
    with np.load(folder / f"{name}.npz") as loaded:
        return dict(loaded)


def _apart(a: FloatArray, b: FloatArray) -> float:
    """Largest difference of quaternions, q and -q being one rotation."""
    sign = np.sign(np.sum(a * b, axis=1, keepdims=True))
    return float(np.abs(a - sign * b).max())


def _vectors_apart(a: FloatArray, b: FloatArray) -> float:
    """Largest difference of rotation vectors; at pi both directions are one rotation."""
    turned = quaternion_from_rotation_vector(a)
    return max(
        _apart(turned, quaternion_from_rotation_vector(b)),
        float(np.abs(np.linalg.norm(a, axis=1) - np.linalg.norm(b, axis=1)).max()),
    )


if __name__ == "__main__":
    sys.exit(main())
