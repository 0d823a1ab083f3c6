"""What every test shares: measured files, a browser, one analysed cell, and examples that repeat.

The suite, or a folder of it, runs in a process for each core, at most four; files and tests that
are named run in one.

Two environment variables make a skip a failure, so that a machine which has the files and the
browser cannot pass by leaving tests out: MESOLITH_REQUIRE_DATA and MESOLITH_REQUIRE_BROWSER.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"
# One thread for NumPy, as in the workers of a run; before it is imported anywhere. Two threads on
# small matrices cost more processor time than they save.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REQUIRED_BY = {"data": "MESOLITH_REQUIRE_DATA", "browser": "MESOLITH_REQUIRE_BROWSER"}
MARKED_BY_FIXTURE = {"measured": "data", "chromium": "browser"}
MOST_PROCESSES = 4
MADE_WITHIN_SECONDS = 300.0

Make = Callable[[Path], None]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    if all(".py" in argument for argument in config.args):
        return 0
    from mesolith.pipeline.memory import default_workers

    return min(MOST_PROCESSES, default_workers())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    for marker, variable in REQUIRED_BY.items():
        demanded = os.environ.get(variable) == "1" and item.get_closest_marker(marker)
        if report.skipped and demanded and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            report.longrepr = f"{variable}=1, and yet this test was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def measured() -> Callable[[str], Path]:
    """``measured("echem/yadg/mb.mpt")``: path of a measured file; skips where it is absent."""

    def path_of(relative: str) -> Path:
        root = os.environ.get("MESOLITH_DATA")
        if not root:
            pytest.skip("MESOLITH_DATA does not point to the measured files")
        path = Path(root) / relative
        if not path.exists():
            pytest.skip(f"{relative} is not among the measured files")
        return path

    return path_of


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A Chromium or Chrome that can run headless; skips where there is none."""
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return Path(found)
    pytest.skip("no Chromium found")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Make], Path]:
    """``made_once(name, make)``: a folder that ``make`` fills once for all processes of the suite.

    The first process that asks makes it; the others wait, and fail where it failed.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent

    def folder_of(name: str, make: Make) -> Path:
        folder, made, failed = (place / f"{name}{end}" for end in ("", "-made", "-failed"))
        try:
            folder.mkdir()
        except FileExistsError:
            end = time.monotonic() + MADE_WITHIN_SECONDS
            while not made.exists():
                assert not failed.exists(), (
                    f"{name}: could not be made, as another test's error says"
                )
                assert time.monotonic() < end, f"{name}: not made in {MADE_WITHIN_SECONDS:.0f} s"
                time.sleep(0.05)
            return folder
        try:
            make(folder)
        except BaseException:
            failed.touch()
            raise
        made.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def analysed(made_once: Callable[[str, Make], Path]) -> Path:
    """Folder of a small virtual cell that was written and run once for all tests.

    Tests change nothing in it; those of the commands take a copy, `demo`, where they must.
    """
    from mesolith.cli.main import main

    def make(folder: Path) -> None:
        words = ["demo", str(folder / "demo"), "--preset", "tiny", "--workers", "1", "--quiet"]
        assert main(words) == 0

    return made_once("analysed", make) / "demo"
