"""A BioLogic .mpr with known contents, put together byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_MAGIC = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + bytes(4)
# flags, Ns, time, control, Ewe, I
NUMBERS = (1, 2, 3, 21, 31, 65, 131, 4, 5, 6, 8)
LAYOUT = "<BHdfff"


def write_record_mpr(
    path: Path,
    *,
    rows: int = 6,
    version: int = 3,
    numbers: Sequence[int] = NUMBERS,
    extra: bytes = b"",
    day: float = 45425.5,
) -> Path:
    """Half the rows at +1 mA in step 0, half at -1 mA in step 1; ``extra`` bytes end each row."""
    body = b""
    for k in range(rows):
        step = int(k >= rows // 2)
        first = k in (0, rows // 2)
        sign = 1.0 - 2.0 * step
        flags = 1 | (0x20 if first else 0)
        body += struct.pack(LAYOUT, flags, step, 10.0 * k, sign, 0.01 * sign, sign) + extra
    start = {2: 405, 3: 406, 10: 1007, 11: 1007}[version]
    count = struct.pack("<B" if version < 10 else "<H", len(numbers))
    head = struct.pack("<I", rows) + count + np.array(numbers, dtype="<u2").tobytes()
    data = head.ljust(start, b"\0") + body
    log = bytearray(600)
    struct.pack_into("<d", log, 585, day)
    modules = (
        module("VMP Set", b"\1" * 40, new=version >= 10),
        module("VMP data", data, version=version, new=version >= 10),
        module("VMP LOG", bytes(log), new=version >= 10),
    )
    path.write_bytes(_MAGIC + b"".join(modules))
    return path


def module(name: str, data: bytes, *, version: int = 0, new: bool = False) -> bytes:
    """One module, with the head of EC-Lab before 11.50 or since."""
    title = b"MODULE" + name.encode().ljust(10) + name.encode().ljust(25)
    sizes = (len(data), version)
    numbers = struct.pack("<4I", 0xFFFFFFFF, len(data), 10, version) if new else b""
    return title + (numbers or struct.pack("<2I", *sizes)) + b"05/13/24" + data
