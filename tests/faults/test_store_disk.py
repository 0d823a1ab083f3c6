"""A disk that refuses: one clear error, and nothing half-written counts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesolith.errors import InputError, StoreFullError, StorePermissionError
from mesolith.pipeline.faults import storage_error
from tests.faults.store_run import wide_graph
from tests.pipeline.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="uses POSIX limits")
NOBODY = 65534

LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
runpy.run_module("tests.faults.store_run", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_quota_and_file_size_are_alike(tmp_path: Path, number: int) -> None:
    plain = OSError(number, os.strerror(number), "some file")
    hdf5 = RuntimeError(
        f"Can't decrement id ref count (file write failed: errno = {number}, error message = 'x')"
    )
    wrapped = ValueError("cannot write the table")
    wrapped.__cause__ = plain
    for error in (plain, hdf5, wrapped):
        found = storage_error(error, tmp_path)
        assert isinstance(found, StoreFullError)
        assert "MB are free" in str(found)
        assert "what is finished is kept" in str(found)
        assert found.exit_code == 4


def test_refused_permission_counts_inside_the_store_only(tmp_path: Path) -> None:
    def denied(name: Path) -> PermissionError:
        return PermissionError(errno.EACCES, "Permission denied", str(name))

    found = storage_error(denied(tmp_path / "a" / "b"), tmp_path)
    assert isinstance(found, StorePermissionError)
    assert str(tmp_path / "a" / "b") in str(found)
    assert storage_error(denied(tmp_path.with_name("raw.csv")), tmp_path) is None
    assert storage_error(denied(Path(f"{tmp_path}-2")), tmp_path) is None
    assert storage_error(FileNotFoundError(errno.ENOENT, "x"), tmp_path) is None
    assert storage_error(InputError("a mistake in errno = words"), tmp_path) is None


@POSIX
@pytest.mark.parametrize("compute", ["many_bytes", "many_numbers"])
def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(tmp_path: Path, compute: str) -> None:
    words = ["1", "0", "3", compute]
    full = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == StoreFullError.exit_code, full.stderr
    assert full.stdout.startswith("StoreFullError: ")
    assert len(full.stdout.splitlines()) == 2
    bench = Bench(tmp_path)
    graph = wide_graph(bench, megabytes=3, compute=compute)
    kept = bench.store.all_keys()
    assert all(bench.store.lookup(key) is not None for key in kept)
    assert list(bench.store.temporary.iterdir()) == []
    outcome = bench.run(graph)
    assert outcome.complete
    assert len(outcome.computed) == len(graph) - len(kept)
    assert "many" in {part.label for part in outcome.computed}


def as_nobody(folder: Path) -> subprocess.CompletedProcess[str]:
    """A run under an account that is not root: root writes anywhere.

    Modules are loaded before, as that account may not be able to read them.
    """
    script = "import os, sys, encodings.idna, tests.pipeline.parts, tests.faults.store_run as run\n"
    if os.getuid() == 0:
        script += f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    script += "sys.exit(run.main([sys.argv[1], '0']))\n"
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def open_to_all(folder: Path) -> None:
    """Let other accounts through to a folder of this test."""
    for path in (folder, *folder.parents):
        if os.stat(path).st_uid != os.getuid() or path == Path(path.anchor):
            break
        if path.stat().st_mode & 0o005 != 0o005:
            os.chmod(path, path.stat().st_mode | 0o055)


@POSIX
def test_a_store_without_permission_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    wide_graph(bench)
    open_to_all(tmp_path)
    for folder in (bench.store.root, *bench.store.root.iterdir()):
        if folder.is_dir():
            os.chmod(folder, 0o555)
    refused = as_nobody(tmp_path)
    assert refused.returncode == StorePermissionError.exit_code, refused.stderr
    assert refused.stdout.startswith("StorePermissionError: ")
    assert ".mesolith" in refused.stdout
    assert "--store" in refused.stdout
    assert bench.store.all_keys() == []


@POSIX
def test_a_place_where_no_store_can_be_made_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "cell"
    bench = Bench.__new__(Bench)
    folder.mkdir()
    (folder / "raw").mkdir()
    (folder / "cell.toml").touch()
    bench.folder = folder
    open_to_all(folder)
    os.chmod(folder, 0o555)
    refused = as_nobody(folder)
    assert refused.returncode == StorePermissionError.exit_code, refused.stderr
    assert f"{folder / '.mesolith'}: the store cannot be read or written" in refused.stdout


@POSIX
def test_results_that_may_not_be_read_are_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.run(wide_graph(bench)).complete
    open_to_all(tmp_path)
    for folder in bench.store.root.rglob("*"):
        if folder.is_dir():
            os.chmod(folder, 0o777)
    os.chmod(bench.store.root, 0o777)
    for file in bench.store.root.glob("*.json*"):
        os.chmod(file, 0o666)
    (victim,) = bench.store.results.glob("*/*/deep/er/noise.bin")
    os.chmod(victim, 0o000)
    refused = as_nobody(tmp_path)
    assert refused.returncode == StorePermissionError.exit_code, refused.stderr
    assert str(victim) in refused.stdout
