"""``python -m mesolith`` is the command ``mesolith``."""

import sys

from mesolith.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
