"""300 random one-token edits of a valid cell.toml: each reported at its line, or harmless.

The cell is a virtual one with all its files, its cell.toml extended until it holds nearly every
form of key and value. The seed comes from the commit's hash. An edit passes when check reports a
mistake that stands at the edited line or names it, or when it reports none and the oracle in
token_edits.py, which shares no code with check, finds the edited file as meaningful as before.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
from pathlib import Path

from _harness import fresh_seed, write_result
from token_edits import Edit, harm, random_edit

from mesolith.experiment.inspection import inspect_cell
from mesolith.materials.loader import library_names
from mesolith.techniques import all_techniques
from mesolith.virtual.demo import write_demo

EDITS = 300


def extended(text: str) -> str:
    """The demo's cell.toml with lists, series and settings of every kind."""
    states = [line.split('"')[1] for line in text.splitlines() if line.startswith('name = "')][1:]
    pressures = ",\n".join(
        f'    {{ state = "{s}", value = {k + 5.0} }}' for k, s in enumerate(states)
    )
    text = re.sub(
        r"stack_pressure_mpa = .*", f"stack_pressure_mpa = [\n{pressures},\n]", text, count=1
    )
    settings = "strain_columns = 'check'\ntrack_rule = \"optimal\"\n\n[echem]\ncurrent_share = 0.9"
    first = "half_cycles = 1, current_ma_cm2 = 0.1, duration_h = 3.75"
    second = "half_cycles = 1, current_ma_cm2 = -0.1, duration_h = 3.75"
    listed = "half_cycles = 2, current_ma_cm2 = [0.1, -0.05], duration_h = [1.25, 2.5]"
    for old, new in (
        ("[clock]", "stiffness_gpa = [169.8, 63.9, 69.8]\n\n[clock]"),
        ("\n[[state]]", f"{settings}\n\n[[state]]"),
        (first, listed),
        (second, second.replace("half_cycles", "cycles")),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    last = text.rindex("cycling = {")
    ending = (
        text[last:].replace('", "', '",\n    "', 1).replace(" }", ', date_order = "day-first" }')
    )
    return text[:last] + ending


def verdict(edit: Edit, original: str, path: Path) -> tuple[bool, str]:
    """Whether the edit passes, and in which way or why not."""
    path.write_text(edit.text, encoding="utf-8")
    found = inspect_cell(path, all_techniques())
    if not found.mistakes:
        why = harm(original, edit.text, path.parent, library_names())
        return (True, "harmless") if why is None else (False, f"not reported: {why}")
    lines = {m.place.line for m in found.mistakes} | {m.also.line for m in found.mistakes if m.also}
    if lines & edit.lines:
        return True, "reported"
    told = "; ".join(f"{m.place}: {m}" for m in found.mistakes)
    return False, f"reported at {sorted(lines)}, not at {sorted(edit.lines)}: {told}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30 edits instead of 300")
    parser.add_argument("--seed", type=int, help="another seed than the commit's")
    arguments = parser.parse_args()
    count = 30 if arguments.quick else EDITS
    seed = fresh_seed("check_edits") if arguments.seed is None else arguments.seed
    chance = random.Random(seed)
    counts = {"reported": 0, "harmless": 0}
    failures = []
    with tempfile.TemporaryDirectory(prefix="mesolith-edits-") as temporary:
        folder = Path(temporary)
        write_demo(folder, seed=seed % 2**32, preset="demo")
        path = folder / "cell.toml"
        original = extended(path.read_text(encoding="utf-8"))
        path.write_text(original, encoding="utf-8")
        inspect_cell(path, all_techniques()).require()
        for _ in range(count):
            edit = random_edit(original, chance)
            passed, how = verdict(edit, original, path)
            if passed:
                counts[how] += 1
            else:
                failures.append(f"{edit.what} in line {sorted(edit.lines)}: {how}")
    for failure in failures:
        print(failure)
    result = {"edits": count, **counts, "failed": len(failures), "seed": seed}
    write_result("check_edits_quick" if arguments.quick else "check_edits", result)
    print(
        f"{count} edits: {counts['reported']} reported at the right line, "
        f"{counts['harmless']} harmless, {len(failures)} failed"
    )
    return 0 if not failures else 1


if __name__ == "__main__":
    sys.exit(main())
