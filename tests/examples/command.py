"""``mesolith`` as a process of its own, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MESOLITH = [
    sys.executable,
    "-c",
    "import sys; from mesolith.cli.main import main; sys.exit(main())",
]


def started(words: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The finished process; the first word ``mesolith`` is the command of this environment."""
    command = [*MESOLITH, *words[1:]] if words[0] == "mesolith" else words
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
