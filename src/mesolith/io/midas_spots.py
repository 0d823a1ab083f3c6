"""Spots of all grains as MIDAS' SpotMatrix.csv, twelve columns.

DetectorHor and DetectorVert are pixels (Y, Z) of the image after ImTransOpt, as the parameter file
beside has them. YLab and ZLab (um) are where the ray from the origin to the recorded point meets
the upright plane at the detector's distance: tilts and distortion are off, the grain's position
is not. Eta and Theta (deg) are those of that ray.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesolith.instrument.instrument import Instrument
from mesolith.instrument.scattering import angles_from_laboratory
from mesolith.io.assigned_spots import AssignedSpots, rays_of
from mesolith.io.instrument_file import pixel_of_beam, single_panel
from mesolith.io.midas_instrument import image_pixels

_HEADER = (
    "%GrainID\tSpotID\tOmega\tDetectorHor\tDetectorVert\tOmeRaw\tEta\tRingNr\tYLab\tZLab\tTheta\t"
    "StrainError"
)
_ROW = "%d\t%d\t" + "%f\t" * 5 + "%d\t" + "%f\t" * 3 + "%.9f\n"


def write_midas_spots(path: Path, spots: AssignedSpots, instrument: Instrument) -> None:
    """Write all spots, sorted by grain; SpotID counts the rows of the list of spots from 1.

    Omega and OmeRaw are both the measured angle, which is MIDAS' where the axis does not lean.
    StrainError is the relative difference between the spacing that the spot shows and that of its
    grain. Raises ``InvalidValueError`` where there are several panels.
    """
    panel = single_panel(instrument, "MIDAS")
    points, shown, _ = rays_of(spots, spots.place, instrument)
    _, predicted, _ = rays_of(spots, spots.predicted, instrument)
    two_theta, eta = angles_from_laboratory(instrument, points)
    distance = pixel_of_beam(panel)[2]
    upright = points * (distance / points[:, :1])
    degrees = np.rad2deg(spots.place[:, 2])
    table = np.column_stack(
        [
            spots.grain_id,
            spots.spot + 1,
            degrees,
            *image_pixels(panel, spots.place[:, :2]).T,
            degrees,
            np.rad2deg(eta),
            spots.ring + 1,
            upright[:, 1],
            upright[:, 2],
            np.rad2deg(two_theta) / 2.0,
            np.abs(np.sin(predicted / 2.0) / np.sin(shown / 2.0) - 1.0),
        ]
    )
    body = (_ROW * len(table)) % tuple((table + 0.0).ravel().tolist())
    path.write_text(f"{_HEADER}\n{body}", encoding="ascii", newline="\n")
