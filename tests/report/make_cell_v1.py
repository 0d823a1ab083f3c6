"""Makes the small cell.nxs of a format version: python -m tests.report.make_cell_v1 FILE."""

from __future__ import annotations

import sys
from pathlib import Path

from mesolith.io.nexus import write_cell
from tests.report.synthetic_cell import synthetic_cell

if __name__ == "__main__":
    write_cell(Path(sys.argv[1]), synthetic_cell(n=12, rows=40, name="format 1"))
