"""Beam, goniometer and panels together, and their flat form for compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesolith.axes import FloatArray
from mesolith.errors import DuplicateError, InvalidValueError
from mesolith.instrument.beam import Beam
from mesolith.instrument.distortion import distortion_row
from mesolith.instrument.goniometer import Goniometer
from mesolith.instrument.panel import Panel
from mesolith.records.field import Record, nested


@dataclass(frozen=True, slots=True)
class Instrument(Record):
    """What turns crystals into spots. The laboratory origin lies on the rotation axis."""

    beam: Beam = nested()
    goniometer: Goniometer = nested()
    panels: tuple[Panel, ...] = nested()

    def _check(self) -> None:
        if not self.panels:
            raise InvalidValueError("an instrument has no panel")
        names = [panel.name for panel in self.panels]
        if len(set(names)) < len(names):
            raise DuplicateError(f"two panels share a name: {names}")


def kernel_arrays(instrument: Instrument) -> tuple[FloatArray, FloatArray]:
    """The instrument as two flat arrays for kernels, laid out in `_kernels_geometry`.

    Returns
    -------
    source
        Beam direction (3), wavelength, rotation axis (3): shape (7,).
    panels
        One row a panel: origin (3), fast axis (3), slow axis (3), normal (3), pitch fast, pitch
        slow, pixels fast, pixels slow, then the distortion: shape (panel, columns).
    """
    source = np.concatenate(
        [
            instrument.beam.direction,
            [instrument.beam.wavelength],
            instrument.goniometer.axis,
        ]
    )
    rows = [
        np.concatenate(
            [
                panel.origin,
                panel.rotation.T.ravel(),
                panel.pitch[::-1],
                panel.shape[::-1].astype(np.float64),
                distortion_row(panel.distortion),
            ]
        )
        for panel in instrument.panels
    ]
    return source, np.stack(rows)
