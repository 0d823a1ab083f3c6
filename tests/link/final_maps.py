"""Final grain maps with planted stress, for tests that need no lattice."""

from __future__ import annotations

import numpy as np

from mesolith.axes import FloatArray
from mesolith.crystal.elasticity import von_mises_from_stress
from mesolith.records.grains import GrainMap
from tests.link.polycrystal import FILE_LATTICE, PHASES

SPACING = 46.0


def final_map(
    hydrostatic: FloatArray,
    position: FloatArray,
    rng: np.random.Generator,
    *,
    noise: float = 10.0,
    shear: float = 20.0,
) -> GrainMap:
    """Grains with these true hydrostatic stresses (MPa) and random deviators, measured so."""
    count = len(hydrostatic)
    deviator = rng.standard_normal((count, 3, 3))
    deviator = shear * (deviator + deviator.swapaxes(1, 2)) / 2.0
    deviator -= np.trace(deviator, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3.0
    measured = hydrostatic + noise * rng.standard_normal(count)
    stress = deviator + measured[:, None, None] * np.eye(3)
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = noise**2
    return GrainMap(
        grain_id=np.arange(1, count + 1),
        position=position,
        orientation=np.tile([1.0, 0.0, 0.0, 0.0], (count, 1)),
        lattice=np.tile(FILE_LATTICE, (count, 1)),
        radius=np.full(count, SPACING / 1.612),
        completeness=np.ones(count),
        phase=np.zeros(count, dtype=np.int64),
        phases=PHASES,
        covariance=np.zeros((count, 12, 12)),
        error_source="given",
        stress=stress,
        stress_covariance=np.tile(covariance, (count, 1, 1)),
        stress_hydrostatic=measured,
        stress_hydrostatic_se=np.full(count, noise),
        stress_von_mises=von_mises_from_stress(stress),
        stress_von_mises_se=np.full(count, noise),
    )
