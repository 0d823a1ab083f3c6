"""`mesolith run`: what it computes, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesolith.cli.sizes import size_from_text, text_from_seconds, text_from_size


def edit(folder: Path, old: str, new: str) -> None:
    cell = folder / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    assert old in text
    cell.write_text(text.replace(old, new, 1), encoding="utf-8")


def events(folder: Path, name: str) -> list[str]:
    """Parts of the last run in the journal."""
    lines = (folder / ".mesolith/journal.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    start = max(k for k, event in enumerate(found) if event["event"] == "run started")
    return [event["part"] for event in found[start:] if event["event"] == name]


def test_a_finished_run_has_nothing_to_do_and_says_so_in_five_lines(mesolith, demo: Path) -> None:
    code, said, error = mesolith("run", demo, "--workers", "1")
    lines = said.splitlines()
    assert code == 0
    assert len(lines) == 5
    assert lines[0].startswith("virtual LLZTO 1: 5 states (pristine, plating 1")
    assert lines[1].startswith("work: 0 parts computed, ")
    assert "5 GrainMap" in lines[2]
    assert lines[3].startswith("to know: ")
    assert lines[4].endswith("report.html")
    assert error == ""


def test_quiet_says_nothing(mesolith, demo: Path) -> None:
    assert mesolith("run", demo, "--workers", "1", "--quiet") == (0, "", "")


def test_dry_run_says_what_why_and_what_it_costs(mesolith, demo: Path) -> None:
    _, said, _ = mesolith("run", demo, "--dry-run")
    assert "nothing to compute" in said
    edit(demo, "sigma_position_um = ", "sigma_position_um = 1")
    before = (demo / ".mesolith/journal.jsonl").read_bytes()
    code, said, _ = mesolith("run", demo, "--dry-run", "--workers", "2", "--memory", "4GB")
    lines = said.splitlines()
    assert code == 0
    assert lines[1].startswith(
        "  compute hedm.read [pristine, plating 1, stripping 1, plating 2, stripping 2]: "
        "setting hedm.sigma_position_um: "
    )
    assert " -> " in lines[1]
    assert any("compute link.balance [cell]: follows hedm.read" in line for line in lines)
    assert max(len(line) for line in lines) < 500
    assert "parts to compute" in lines[-2]
    assert "of memory" in lines[-1]
    assert (demo / ".mesolith/journal.jsonl").read_bytes() == before


def test_dry_run_counts_what_is_asked_for_anew(mesolith, demo: Path) -> None:
    _, said, _ = mesolith("run", demo, "--dry-run", "--from", "link.history")
    assert "compute link.history [cell]: to be computed anew" in said
    assert "hedm.read" not in said


def test_a_step_is_computed_anew(mesolith, demo: Path) -> None:
    words = ("--from", "link.history", "--only", "link.history", "--workers", "1")
    code, said, _ = mesolith("run", demo, *words)
    assert code == 0
    assert events(demo, "part finished") == ["link.history [cell]"]
    assert "only a part of the cell was asked for" in said


def test_one_state_and_one_step_alone(mesolith, demo: Path) -> None:
    shutil.rmtree(demo / ".mesolith")
    words = ("run", demo, "--workers", "1", "--state", "plating 1", "--only", "hedm.read")
    code, said, _ = mesolith(*words)
    assert code == 0
    assert events(demo, "part finished") == ["hedm.read [plating 1]"]
    assert "only a part of the cell was asked for" in said


@pytest.mark.parametrize(
    ("words", "near"),
    [(("--only", "hedm.raed"), "hedm.read"), (("--state", "platng 1"), "'plating 1'")],
)
def test_unknown_steps_and_states_are_refused(
    mesolith, demo: Path, words: tuple[str, ...], near: str
) -> None:
    code, _, error = mesolith("run", demo, *words)
    assert (code, near in error) == (2, True)


def test_mistakes_stop_a_run_before_it_begins(mesolith, demo: Path) -> None:
    edit(demo, "temperature_c", "temprature_c")
    before = (demo / ".mesolith/journal.jsonl").read_bytes()
    code, _, error = mesolith("run", demo)
    assert code == 2
    assert "Did you mean 'temperature_c'?" in error
    assert (demo / ".mesolith/journal.jsonl").read_bytes() == before


def test_swapped_states_stop_a_run(mesolith, demo: Path) -> None:
    for old, new in (("raw/plating1", "raw/x"), ("raw/plating2", "raw/plating1"),
                     ("raw/x", "raw/plating2")):  # fmt: skip
        cell = demo / "cell.toml"
        text = cell.read_text(encoding="utf-8")
        cell.write_text(text.replace(old, new), encoding="utf-8")
    code, _, error = mesolith("run", demo)
    assert code == 2
    assert "ContradictionError" in error
    assert "are two of them swapped?" in error


def test_a_gap_is_allowed_only_when_asked_for(mesolith, demo: Path) -> None:
    grains = demo / "raw/pristine/Grains.csv"
    lines = grains.read_bytes().splitlines(keepends=True)
    grains.write_bytes(b"".join(lines[:-10]))
    words = ("run", demo, "--workers", "1", "--only", "hedm.read")
    code, _, error = mesolith(*words)
    assert code == 3
    assert "FileFormatError" in error
    code, _, _ = mesolith(*words, "--allow-partial")
    assert code == 0
    assert "hedm.read [pristine]" in events(demo, "part finished")


def keep_states(folder: Path, count: int) -> None:
    """Take all states but the first ``count`` out of cell.toml."""
    cell = folder / "cell.toml"
    states = cell.read_text(encoding="utf-8").split("[[state]]")
    assert len(states) > count + 1
    cell.write_text("[[state]]".join(states[: count + 1]), encoding="utf-8")


def test_other_commands_follow_a_run_with_gaps(mesolith, demo: Path) -> None:
    keep_states(demo, 2)
    grains = demo / "raw/plating1/Grains.csv"
    lines = grains.read_bytes().splitlines(keepends=True)
    grains.write_bytes(b"".join(lines[:-10]))
    assert mesolith("run", demo, "--workers", "1", "--allow-partial")[0] == 0
    page = (demo / "result/report.html").read_text()
    first_page = page.partition('id="grains"')[0]
    assert "Gaps: data left out" in first_page
    assert "cut short" in first_page
    assert "missing" not in mesolith("status", demo)[1]
    code, said, _ = mesolith("verify", demo)
    assert code == 0
    assert "not computed" not in said
    assert mesolith("report", demo)[0] == 0
    mesolith("clean", demo)
    assert "missing" not in mesolith("status", demo)[1]


def test_output_and_store_may_lie_elsewhere(mesolith, demo: Path, tmp_path: Path) -> None:
    shutil.rmtree(demo / "result")
    store, result = tmp_path / "store", tmp_path / "out" / "result"
    shutil.move(demo / ".mesolith", store)
    code, said, _ = mesolith("run", demo, "--workers", "1", "--store", store, "--output", result)
    assert code == 0
    assert "0 parts computed" in said
    assert (result / "report.html").is_file()
    assert not (demo / "result").exists()
    assert not (demo / ".mesolith").exists()


def test_an_output_among_raw_data_is_refused(mesolith, demo: Path) -> None:
    code, _, error = mesolith("run", demo, "--output", demo / "raw" / "result")
    assert (code, error.partition(":")[0]) == (3, "OutputPlaceError")


def test_cells_of_a_project_share_a_store(mesolith, demo: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(demo, project / "a")
    shutil.copytree(demo, project / "b")
    shutil.move(project / "a" / ".mesolith", project / ".mesolith")
    shutil.rmtree(project / "b" / ".mesolith")
    code, said, _ = mesolith("run", project, "--workers", "1")
    assert code == 0
    assert said.count("work: 0 parts computed") == 2
    code, _, error = mesolith("run", project, "--output", tmp_path / "result")
    assert (code, "--output names one folder" in error) == (2, True)


def test_a_part_that_fails_is_named_and_decides_the_exit_code(mesolith, demo: Path) -> None:
    # The header is in order, so only the reader of the whole file can find this.
    grains = demo / "raw/plating1/Grains.csv"
    lines = grains.read_text(encoding="utf-8").splitlines(keepends=True)
    words = lines[-1].split("\t")
    words[1] = "nan"
    lines[-1] = "\t".join(words)
    grains.write_text("".join([*lines[:-1], lines[-1]]), encoding="utf-8")
    report = (demo / "result/report.html").read_bytes()
    code, said, error = mesolith("run", demo, "--workers", "1")
    assert code == 3
    assert "hedm.read [plating 1]" in error
    assert "1 failed" in said
    assert "hang on those" in said
    assert "not renewed, as parts failed" in said
    assert (demo / "result/report.html").read_bytes() == report


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a whole console there")
def test_an_interruption_prints_the_line_to_resume(mesolith, demo: Path) -> None:
    shutil.rmtree(demo / ".mesolith")
    words = ["run", str(demo), "--workers", "1", "--allow-partial"]
    child = subprocess.Popen(
        [sys.executable, "-m", "mesolith", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell's job in the background is born deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = demo / ".mesolith/journal.jsonl"
    for _ in range(600):
        if journal.is_file() and "part finished" in journal.read_text(encoding="utf-8"):
            break
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    _, error = child.communicate(timeout=60)
    assert child.returncode == 130, error
    line = f"mesolith run {demo} --workers 1 --allow-partial"
    assert error.splitlines()[-1].endswith(f"To go on from there: {line}")
    finished = len(events(demo, "part finished"))
    assert finished >= 1
    _, said, _ = mesolith(*line.split()[1:], "--dry-run")
    kept = re.search(r" (\d+) from the store", said)
    assert kept is not None, said
    # the one worker may have committed a part that the engine no longer heard of
    assert int(kept.group(1)) in (finished, finished + 1)


def test_an_interruption_before_the_first_part_prints_the_line_too(
    mesolith, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mesolith.experiment.inspection.inspect_cell", stop)
    code, _, error = mesolith("run", demo, "--only", "hedm.read", "--memory", "2GB")
    assert code == 130
    line = f"mesolith run {demo} --only hedm.read --memory 2000000000"
    assert error.endswith(f"To go on from there: {line}\n")


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512 MB", 512 * 10**6), ("1GiB", 2**30), ("1.5k", 1500), ("7", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert size_from_text(text) == size


def test_sizes_and_durations_in_words() -> None:
    assert text_from_size(1.234e9) == "1.23 GB"
    assert text_from_size(12) == "12 B"
    assert text_from_size(5e15) == "5e+03 TB"
    assert text_from_seconds(7.26) == "7.3 s"
    assert text_from_seconds(250) == "4 min 10 s"
    assert text_from_seconds(7500) == "2 h 5 min"
