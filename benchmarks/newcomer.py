"""A newcomer's first hour: fresh clone, fresh environment, empty home, both README commands.

Both commands run exactly as the README has them. The demo is timed by its own print, best of
three, each time in an empty home, without a demo folder and without compiled kernels. The last
lines are the figures; the exit code is 0 only where every bar is met.

    python benchmarks/newcomer.py [--quick]

``--quick`` runs the demo once and leaves the tests out; it never meets the bar.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from _harness import ROOT, calibration_seconds, write_result

DEMO_SECONDS = 20.0
TEST_SECONDS = 300.0
CORE_MEGABYTES = 800.0
# one line of text and a check of the demo's cell, in a fresh process
HELP_SECONDS, CHECK_SECONDS = 0.5, 2.0
GRAINS = 2000
STATES = 5
TRIALS = 3
# What belongs to the user who starts the benchmark and not to a newcomer.
PERSONAL = re.compile(r"^(MESOLITH|PYTHON|VIRTUAL_ENV|CONDA|NUMBA|MPL|XDG|COV|PYTEST)")


def readme_commands() -> list[str]:
    """The README's two set-up commands: demo, tests."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("python3 -m venv")]


def newcomer_environment(home: Path) -> dict[str, str]:
    """Environment variables with an empty home; how pip finds its index stays as it is."""
    kept = {key: value for key, value in os.environ.items() if not PERSONAL.match(key)}
    configured = Path.home() / ".config" / "pip" / "pip.conf"
    if "PIP_CONFIG_FILE" not in kept and configured.is_file():
        kept["PIP_CONFIG_FILE"] = str(configured)
    home.mkdir()
    return {**kept, "HOME": str(home)}


def run(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str, float]:
    """Exit code, output (echoed as well) and wall time of a shell command."""
    start = time.perf_counter()
    lines = []
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print("   ", line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines), time.perf_counter() - start


def megabytes(environment: Path, *, caches: bool) -> float:
    """Disk use of an environment without pip, with or without compiled caches."""
    total = 0
    for folder, names, files in os.walk(environment):
        here = Path(folder)
        names[:] = [
            name
            for name in names
            if not (here.name == "site-packages" and re.match(r"(pip|setuptools)\b", name))
            and (caches or name != "__pycache__")
        ]
        total += sum((here / name).lstat().st_blocks * 512 for name in files)
    return total / 1e6


def demo_figures(output: str) -> tuple[float, int, int]:
    """Seconds, grains and states as the demo prints them; NaN and 0 where it does not."""
    seconds = re.search(r"demo: ([\d.]+) s", output)
    size = re.search(r"([\d,]+) grains x (\d+) states", output)
    return (
        float(seconds[1]) if seconds else float("nan"),
        int(size[1].replace(",", "")) if size else 0,
        int(size[2]) if size else 0,
    )


def start_up_seconds(clone: Path, core: str, environment: dict[str, str]) -> dict[str, float]:
    """Wall time of ``--help`` and of ``check`` on the demo's cell, best of three."""
    found = {}
    for words in ("--help", "check mesolith-demo"):
        each = []
        for _ in range(TRIALS):
            start = time.perf_counter()
            subprocess.run(
                [str(Path(core) / "bin" / "mesolith"), *words.split()],
                cwd=clone,
                env=environment,
                check=True,
                capture_output=True,
            )
            each.append(time.perf_counter() - start)
        found[words.split()[0]] = min(each)
    return found


def forget(clone: Path, environment: Path) -> None:
    """Take away what a first run leaves behind: the demo's folder and compiled kernels."""
    shutil.rmtree(clone / "mesolith-demo")
    for pattern in ("*.nbi", "*.nbc"):
        for compiled in environment.rglob(pattern):
            compiled.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one demo, no tests")
    quick = parser.parse_args().quick

    demo_command, test_command = readme_commands()
    demo_alone = demo_command.rsplit("&&", 1)[1].strip()
    core_name = demo_command.split()[3]
    with tempfile.TemporaryDirectory(prefix="mesolith-newcomer-") as temporary:
        top = Path(temporary)
        clone = top / "mesolith"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        calibration = calibration_seconds()

        print(f"$ {demo_command}")
        home = newcomer_environment(top / "home")
        demo_code, output, demo_wall = run(demo_command, clone, home)
        seconds, grains, states = demo_figures(output)
        times = [seconds]
        started = {"--help": float("nan"), "check": float("nan")}
        if demo_code == 0:
            started = start_up_seconds(clone, str(clone / core_name), home)
        core_bare = megabytes(clone / core_name, caches=False)
        core_full = megabytes(clone / core_name, caches=True)
        for trial in range(1, 1 if quick or demo_code else TRIALS):
            forget(clone, clone / core_name)
            print(f"$ {demo_alone}")
            code, output, _ = run(demo_alone, clone, newcomer_environment(top / f"home-{trial}"))
            demo_code = demo_code or code
            times.append(demo_figures(output)[0])

        test_code: int | str = "not run"
        tests_seconds = test_wall = float("nan")
        if not quick:
            print(f"$ {test_command}")
            test_code, output, test_wall = run(test_command, clone, home)
            told = re.search(r"=+ .*(?:passed|failed|error).* in ([\d.]+)s", output)
            tests_seconds = float(told[1]) if told else float("nan")

    figures = {
        "demo_exit_code": demo_code,
        "tests_exit_code": test_code,
        "demo_seconds": min(times),
        "demo_seconds_each": times,
        "demo_grains": grains,
        "demo_states": states,
        "demo_with_installation_seconds": demo_wall,
        "help_seconds": started["--help"],
        "check_seconds": started["check"],
        "tests_seconds": tests_seconds,
        "tests_with_installation_seconds": test_wall,
        "core_megabytes": core_bare,
        "core_megabytes_with_caches": core_full,
        "calibration_seconds": calibration,
    }
    met = (
        not quick
        and demo_code == 0
        and test_code == 0
        and grains >= GRAINS
        and states >= STATES
        and min(times) < DEMO_SECONDS
        and started["--help"] < HELP_SECONDS
        and started["check"] < CHECK_SECONDS
        and tests_seconds < TEST_SECONDS
        and core_bare < CORE_MEGABYTES
    )
    if not quick:
        write_result("newcomer", {**figures, "met": met})
    each = ", ".join(f"{value:.1f}" for value in times)
    print(f"both README commands: exit codes {demo_code} (demo), {test_code} (tests)")
    print(f"demo: {grains} grains x {states} states (bar: at least {GRAINS} x {STATES})")
    print(f"demo: {min(times):.1f} s, best of {each} (bar: < {DEMO_SECONDS:.0f} s)")
    print(
        f"start-up: --help {started['--help']:.2f} s, check {started['check']:.2f} s (bars: < "
        f"{HELP_SECONDS:g} and {CHECK_SECONDS:g} s)"
    )
    print(f"tests: {tests_seconds:.1f} s (bar: < {TEST_SECONDS:.0f} s)")
    print(
        f"core environment: {core_bare:.0f} MB, {core_full:.0f} MB with compiled caches "
        f"(bar: < {CORE_MEGABYTES:.0f} MB)"
    )
    print(f"with installation: demo {demo_wall:.0f} s, tests {test_wall:.0f} s")
    print(f"calibration loop: {calibration:.2f} s")
    print("bar met" if met else "bar not met")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
