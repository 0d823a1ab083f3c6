"""Versions of the software behind a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import mesolith

# what can change a number; the rest can not
_PACKAGES = ("numpy", "scipy", "numba", "h5py", "gemmi", "matplotlib")


def software_versions() -> dict[str, str]:
    """Version of Mesolith, of Python, and of each package that computes, by name."""
    found = {"mesolith": mesolith.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
