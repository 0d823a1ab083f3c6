"""Comparing instruments."""

from __future__ import annotations

import numpy as np

from mesolith.instrument.instrument import Instrument
from mesolith.instrument.panel import laboratory_from_pixels


def assert_same_instrument(found: Instrument, wanted: Instrument, *, atol: float = 1e-6) -> None:
    """Same beam and axis, and every pixel in the same place to ``atol`` um."""
    assert len(found.panels) == len(wanted.panels)
    np.testing.assert_allclose(found.beam.wavelength, wanted.beam.wavelength, rtol=1e-12)
    np.testing.assert_allclose(found.beam.direction, wanted.beam.direction, atol=1e-12)
    np.testing.assert_allclose(found.goniometer.axis, wanted.goniometer.axis, atol=1e-12)
    for one, other in zip(found.panels, wanted.panels, strict=True):
        assert one.shape.tolist() == other.shape.tolist()
        fast = np.linspace(-0.5, one.shape[1] - 0.5, 7)[None, :]
        slow = np.linspace(-0.5, one.shape[0] - 0.5, 5)[:, None]
        fast, slow = np.broadcast_arrays(fast, slow)
        np.testing.assert_allclose(
            laboratory_from_pixels(one, fast, slow),
            laboratory_from_pixels(other, fast, slow),
            atol=atol,
        )
