"""What every test shares: measured files, a browser, and random examples that repeat.

Two environment variables make a skip a failure, so that a machine which has the files and the
browser cannot pass by leaving tests out: MESOLITH_REQUIRE_DATA and MESOLITH_REQUIRE_BROWSER.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

settings.register_profile("house", deadline=None, derandomize=True, database=None)
settings.load_profile("house")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REQUIRED_BY = {"data": "MESOLITH_REQUIRE_DATA", "browser": "MESOLITH_REQUIRE_BROWSER"}
MARKED_BY_FIXTURE = {"measured": "data", "chromium": "browser"}


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
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small virtual cell that was written and run once for all tests.

    Tests change nothing in it; those of the commands take a copy, `demo`, where they must.
    """
    from mesolith.cli.main import main

    folder = tmp_path_factory.mktemp("analysed") / "demo"
    words = ["demo", str(folder), "--preset", "tiny", "--workers", "1", "--quiet"]
    assert main(words) == 0
    return folder
