"""The benchmark of random edits in small, and that its oracle can tell good from bad."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
MATERIALS = ("LLZTO-I-43d", "LLZTO-Ia-3d")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("check_edits")


def test_random_edits_are_reported_or_harmless(benchmark: ModuleType, described: Path) -> None:
    path = described / "cell.toml"
    original = benchmark.extended(path.read_text(encoding="utf-8"))
    chance = random.Random(20240503)
    for _ in range(60):
        edit = benchmark.random_edit(original, chance)
        passed, how = benchmark.verdict(edit, original, path)
        assert passed, f"{edit.what}: {how}"


@pytest.mark.parametrize(
    ("old", "new", "harmless"),
    [
        ("temperature_c = 50.0", "temperature_c = 60.0", True),
        ("temperature_c = 50.0", "temperature_c = 600.0", False),
        ("temperature_c = 50.0", 'temperature_c = "50"', False),
        ("temperature_c = 50.0", "temprature_c = 50.0", False),
        ("temperature_c = 50.0", "temperature_c = ", False),
        ('lateral = "free"', 'lateral = "confined"', True),
        ('lateral = "free"', 'lateral = "frees"', False),
        ("Europe/Berlin", "Europe/Paris", True),
        ("Europe/Berlin", "Europe/Pari", False),
        ('name = "plating 1"', 'name = "plating one"', False),  # the series names the old one
        ('name = "virtual', 'name = "Virtual', True),
        ("[169.8, 63.9, 69.8]", "[63.9, 169.8, 69.8]", False),
        ("[169.8, 63.9, 69.8]", "[[169.8], 63.9, 69.8]", False),
        ("raw/plating1/Grains", "raw/plating2/Grains", False),
        ("[1.25, 2.5]", "[1.25]", False),
    ],
)
def test_the_oracle_tells_good_from_bad(
    benchmark: ModuleType, described: Path, old: str, new: str, harmless: bool
) -> None:
    original = benchmark.extended((described / "cell.toml").read_text(encoding="utf-8"))
    assert old in original
    edited = original.replace(old, new, 1)
    assert (benchmark.harm(original, edited, described, MATERIALS) is None) is harmless


def test_a_mistake_elsewhere_does_not_count(benchmark: ModuleType, described: Path) -> None:
    path = described / "cell.toml"
    original = benchmark.extended(path.read_text(encoding="utf-8"))
    edited = original.replace("temperature_c", "temprature_c")
    line = original[: original.index("temperature_c")].count("\n") + 1
    for lines, passes in ((frozenset({line}), True), (frozenset({line + 1}), False)):
        edit = benchmark.Edit("misspell", edited, lines)
        assert benchmark.verdict(edit, original, path)[0] is passes
