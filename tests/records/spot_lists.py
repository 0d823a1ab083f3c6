"""Lists of spots with nothing special about them, for tests that change one thing."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesolith.records.spots import Spots


def spots_at(omega: Any, **changed: Any) -> Spots:
    """Spots of one panel at those angles (rad); a field by name takes the place of its default."""
    n = len(omega)
    fields: dict[str, Any] = {
        "panel": np.zeros(n, dtype=np.int64),
        "fast": np.linspace(10.0, 20.0, n),
        "slow": np.linspace(30.0, 25.0, n),
        "omega": np.asarray(omega, dtype=np.float64),
        "covariance": np.tile(np.diag([0.01, 0.04, 1e-6]), (n, 1, 1)),
        "intensity": np.full(n, 500.0),
        "intensity_se": np.full(n, 30.0),
        "maximum": np.full(n, 90.0),
        "widths": np.tile([1.0, 1.2, 2e-3], (n, 1)),
        "pixels": np.full(n, 25),
        "saturated": np.zeros(n, dtype=np.bool_),
        "partial": np.zeros(n, dtype=np.bool_),
        "overlapping": np.zeros(n, dtype=np.bool_),
        "panel_name": ("ff1",),
        "omega_range": np.array([[-np.pi, np.pi]]),
        "omega_step": np.deg2rad(0.1),
    }
    return Spots(**{**fields, **changed})
