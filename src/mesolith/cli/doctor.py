"""``mesolith doctor``: what a bug report needs, without data and without names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EXTRAS = {
    "table": ("pandas", "xarray"),
    "cluster": ("distributed",),
}


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="print versions, caches and free space; make a bundle for a bug report",
        description="Print versions, extras, techniques, materials, caches, stores and free "
        "space. --bundle writes them into a zip file with cell.toml and the journal of the store, "
        "without data, and with names of people, machines, folders and samples taken out.",
    )
    parser.add_argument(
        "path", metavar="PATH", nargs="?", type=Path, default=Path(), help="a cell's folder"
    )
    parser.add_argument("--bundle", type=Path, metavar="FILE.zip", help="write a bundle")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, and write the bundle where one is wanted."""
    lines = list(findings(arguments.path))
    print("\n".join(lines))
    if arguments.bundle is not None:
        from mesolith.cli.bundle import write_bundle

        names = write_bundle(arguments.bundle, arguments.path, lines)
        print(f"wrote {arguments.bundle} with {', '.join(names)}: look into it before you send it")
    return 0


def findings(path: Path) -> Iterator[str]:
    """Lines on versions, extras, techniques, materials, machine, caches and stores."""
    import platform

    from mesolith.cli.sizes import text_from_size
    from mesolith.materials.loader import library_names
    from mesolith.pipeline.memory import default_memory_limit, default_workers
    from mesolith.techniques import all_techniques
    from mesolith.workflow.versions import software_versions

    for name, version in software_versions().items():
        yield f"{name}: {version}"
    yield f"system: {platform.system()} {platform.release()} {platform.machine()}"
    for extra, packages in EXTRAS.items():
        yield f"extra {extra}: {_extra(extra, packages)}"
    yield f"techniques: {', '.join(technique.name for technique in all_techniques())}"
    yield f"materials: {', '.join(library_names())}"
    yield f"workers: {default_workers()}"
    yield f"memory for a run: {text_from_size(default_memory_limit())}"
    yield from _places(path)


def _extra(extra: str, packages: tuple[str, ...]) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return ", ".join(f"{package} {version(package)}" for package in packages)
    except PackageNotFoundError:
        return f'not installed (pip install "mesolith[{extra}]")'


def _places(path: Path) -> Iterator[str]:
    import shutil
    import tempfile

    from mesolith.cli.sizes import text_from_size

    folder = path if path.is_dir() else path.parent
    yield f"free space here: {text_from_size(shutil.disk_usage(folder).free)}"
    temporary = Path(tempfile.gettempdir())
    yield f"free space for temporary files: {text_from_size(shutil.disk_usage(temporary).free)}"
    yield f"cache of compiled code: {text_from_size(_compiled())}"
    for store in stores_at(folder):
        journal = store / "journal.jsonl"
        size = text_from_size(_size(store))
        yield f"store {store.name}: {size}{'' if journal.is_file() else ', no journal'}"


def stores_at(folder: Path) -> list[Path]:
    """Stores of a cell's folder or of the cells of a project."""
    found = [folder / ".mesolith", *sorted(folder.glob("*/.mesolith"))]
    return [store for store in found if (store / "store.json").is_file()]


def _compiled() -> int:
    """Bytes of Numba's compiled kernels, beside the code or where NUMBA_CACHE_DIR says."""
    import os

    import mesolith

    places = [Path(mesolith.__file__).parent]
    if elsewhere := os.environ.get("NUMBA_CACHE_DIR"):
        places.append(Path(elsewhere))
    patterns = ("*.nbi", "*.nbc")
    return sum(f.stat().st_size for p in places for pattern in patterns for f in p.rglob(pattern))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
