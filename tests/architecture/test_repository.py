"""What a visitor meets first: README, changelog, citation, docs, and the files of the package."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import mesolith
from mesolith import errors
from tests.architecture.house import ROOT, SOURCE

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def setup_commands() -> list[str]:
    return [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def test_readme_has_exactly_two_setup_commands() -> None:
    demo, tests = setup_commands()
    assert "pip install" in demo
    assert demo.rsplit("&&", 1)[1].strip().endswith("mesolith demo")
    assert '".[all,test]"' in tests
    assert tests.rsplit("&&", 1)[1].strip().endswith("-m pytest")
    assert all(command.count("&&") == 2 for command in (demo, tests))


def test_a_windows_line_stands_beside_each() -> None:
    assert len(re.findall(r"(?m)^py -3 -m venv", README)) == 2


def test_ci_runs_the_readmes_own_command() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    pattern = re.search(r"grep -E '([^']+)' README\.md", script.read_text(encoding="utf-8"))
    assert pattern is not None
    found = [line for line in README.splitlines() if re.search(pattern[1], line)]
    assert found == [setup_commands()[1]]


def test_ci_script_is_sound() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def test_the_version_is_told_once_and_everywhere_alike() -> None:
    version = mesolith.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^## {re.escape(version)}\b", changelog)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^version: {re.escape(version)}$", citation)


def test_citation_has_what_the_format_demands() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    keys = set(re.findall(r"(?m)^([a-z-]+):", text))
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= keys


def _links(page: Path) -> list[str]:
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_no_link_leads_nowhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [(page.parent / link.partition("#")[0]).resolve() for link in _links(page)]
    lost = [page.relative_to(ROOT).as_posix() for page in PAGES if page not in reached]
    assert not lost


def test_decisions_have_their_four_parts() -> None:
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        headings = re.findall(r"(?m)^## (.+)$", page.read_text(encoding="utf-8"))
        assert headings == ["Context", "Options", "Decision", "Consequence"], page.name


def test_exit_codes_on_the_page_are_those_of_the_errors() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", page)}
    kinds = [errors.MesolithError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert told == {0, *(kind.exit_code for kind in kinds if kind.__module__ == errors.__name__)}


def test_the_installed_package_holds_all_its_files() -> None:
    """Materials, the viewer's script and the typing marker must reach whoever installs."""
    kinds = {".py", ".cif", ".toml", ".js", ".css", ".html", ".typed", ".json"}
    wanted = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and (path.suffix in kinds or path.name == "py.typed")
    }
    installed = Path(str(resources.files("mesolith")))
    assert not {name for name in wanted if not (installed / name).is_file()}


def test_typed_and_described_alike() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (SOURCE / "py.typed").is_file()
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "BSD-3-Clause"
