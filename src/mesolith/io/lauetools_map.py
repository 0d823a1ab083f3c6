"""LaueTools' tables of a whole map (SUMMARY...dat): orientation, strain and stress of each grain.

Two lines of headings, then one row a grain. The lattice stands on axes y along the beam, z up,
x = y ^ z; the sample's axes are those turned about x by the tilt of the sample. Strain is in
1e-3, stress and equivalents in 100 MPa, six components 11 22 33 23 13 12, tensor shears. Crystal
axes are x along a, z along c*, as ours. The six strains on crystal axes stand there twice; the
second is the one that the other columns were computed from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesolith.axes import FloatArray, IntArray, tensor_from_six
from mesolith.errors import (
    EmptyFileError,
    FileFormatError,
    InvalidValueError,
    MissingColumnError,
)
from mesolith.instrument.laue_angles import LAUETOOLS_AXES
from mesolith.io.numbers import table_from_lines, text_lines
from mesolith.numerics.rotations import quaternion_from_matrix

_STRAIN, _STRESS = 1e-3, 100.0
_REMEDY = "Write the table again with LaueTools, with strain and stress."


@dataclass(frozen=True, slots=True)
class LaueToolsMap:
    """Rows of a table, one a grain of a pattern.

    ``image`` and ``grain`` (n,) number pattern and grain, ``peaks`` (n,) were used, ``deviation``
    (n,) is the mean distance between them and where they should be, px; ``place`` (n, 2) is on
    the sample, um. ``reciprocal`` (n, 3, 3) holds a*, b*, c* as columns on laboratory axes, in
    units of a*. Strain and stress (n, 3, 3) are on crystal axes and on LaueTools' sample axes,
    tension positive, stress in MPa; ``von_mises`` (n,) of the stress, MPa.
    """

    image: IntArray
    grain: IntArray
    peaks: IntArray
    deviation: FloatArray
    place: FloatArray
    reciprocal: FloatArray
    strain_crystal: FloatArray
    strain_sample: FloatArray
    stress_crystal: FloatArray
    stress_sample: FloatArray
    von_mises: FloatArray

    def __len__(self) -> int:
        return len(self.image)

    def orientation(self, *, tilt: float) -> FloatArray:
        """Quaternions (n, 4), crystal to LaueTools' sample axes; ``tilt`` of the sample, rad."""
        along_c = _unit(self.reciprocal[:, :, 2])
        vectors = np.swapaxes(np.linalg.inv(self.reciprocal), 1, 2)
        along_a = _unit(vectors[:, :, 0])
        crystal = np.stack([along_a, np.cross(along_c, along_a), along_c], axis=2)
        return quaternion_from_matrix(sample_axes(tilt).T @ crystal)


def sample_axes(tilt: float) -> FloatArray:
    """LaueTools' sample axes as columns (3, 3) on the laboratory's; ``tilt`` in rad.

    x lies across the beam, z out of a surface that stands ``tilt`` to the beam.
    """
    cosine, sine = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
    return np.asarray(LAUETOOLS_AXES @ turn)


def recognise_lauetools_map(path: Path, head: bytes) -> float:
    """How surely the content is such a table, 0 to 1."""
    lines = head.decode("utf-8", "replace").splitlines()
    return 1.0 if len(lines) > 1 and lines[1].startswith("img gnumloc npeaks pixdev") else 0.0


def read_lauetools_map(path: Path) -> LaueToolsMap:
    """The rows of a table.

    Raises
    ------
    EmptyFileError, TruncatedFileError, FileFormatError, MissingColumnError, InvalidValueError
        With file and line.
    """
    lines = text_lines(path)
    if not any(line.strip() for line in lines):
        raise EmptyFileError("the file is empty", where=str(path), remedy=_REMEDY)
    columns = lines[1].split() if len(lines) > 1 else []
    if columns[:2] != ["img", "gnumloc"]:
        raise FileFormatError(
            f"the headings are {' '.join(columns[:4])!r}...",
            where=f"{path}, line 2",
            remedy="They begin with img gnumloc.",
        )
    body = [(k, " ".join(line.split())) for k, line in enumerate(lines[2:], 3) if line.strip()]
    if not body:
        raise EmptyFileError("the table holds no row", where=str(path), remedy=_REMEDY)
    values = table_from_lines(
        body,
        list(range(len(columns))),
        separator=" ",
        decimal_comma=False,
        path=path,
        columns=columns,
    )
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise InvalidValueError(
            "a cell holds NaN or infinity", where=f"{path}, line {body[row][0]}", remedy=_REMEDY
        )

    def part(name: str, count: int) -> FloatArray:
        """The last columns of that name, (rows, count)."""
        wanted = [f"{name}_{k}" for k in range(count)] if count > 1 else [name]
        missing = [heading for heading in wanted if heading not in columns]
        if missing:
            raise MissingColumnError(
                f"the table has no column {', '.join(missing)}", where=str(path), remedy=_REMEDY
            )
        last = {heading: k for k, heading in enumerate(columns)}
        return values[:, [last[heading] for heading in wanted]]

    def whole(name: str) -> IntArray:
        return np.rint(part(name, 1)[:, 0]).astype(np.int64)

    reciprocal = np.swapaxes(part("matstarlab", 9).reshape(-1, 3, 3), 1, 2)
    return LaueToolsMap(
        image=whole("img"),
        grain=whole("gnumloc"),
        peaks=whole("npeaks"),
        deviation=part("pixdev", 1)[:, 0],
        place=part("dxymicrons", 2),
        reciprocal=LAUETOOLS_AXES @ reciprocal,
        strain_crystal=_STRAIN * tensor_from_six(part("strain6_crystal", 6)),
        strain_sample=_STRAIN * tensor_from_six(part("strain6_sample", 6)),
        stress_crystal=_STRESS * tensor_from_six(part("stress6_crystal", 6)),
        stress_sample=_STRESS * tensor_from_six(part("stress6_sample", 6)),
        von_mises=_STRESS * part("von_mises", 1)[:, 0],
    )


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
