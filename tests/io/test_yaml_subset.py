"""The part of YAML that instrument files use, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesolith.errors import DuplicateError, FileFormatError
from mesolith.io.yaml_subset import read_yaml, write_yaml

TEXT = """\
# a comment
---
beam:
  energy: 80.725   # keV
  vector: {azimuth: 90.0, 'polar_angle': 9.0e+1}
detectors:
  GE:
    buffer:
    - 2
    - 2
    tilt: [0.1,
           -0.2, 3e-05]
    name: "a # b: c"
    nothing:
  flat: yes
rows:
- - 1
  - -2.5
- key: word with blanks
  other: .5
- []
"""


def _read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "a.yml"
    path.write_text(text)
    return read_yaml(path)


def test_blocks_flows_comments_and_quotes(tmp_path: Path) -> None:
    assert _read(tmp_path, TEXT) == {
        "beam": {"energy": 80.725, "vector": {"azimuth": 90.0, "polar_angle": 90.0}},
        "detectors": {
            "GE": {
                "buffer": [2, 2],
                "tilt": [0.1, -0.2, 3e-5],
                "name": "a # b: c",
                "nothing": None,
            },
            "flat": True,
        },
        "rows": [[1, -2.5], {"key": "word with blanks", "other": 0.5}, []],
    }


def test_what_is_written_is_read(tmp_path: Path) -> None:
    value = {"a": {"b": [0.1, 1e-17, -3], "c": "two words: 1"}, "d": None, "e": True, "f": "1.5"}
    write_yaml(tmp_path / "a.yml", value)
    assert read_yaml(tmp_path / "a.yml") == value


def test_an_empty_file_is_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path, "# only a comment\n") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x 1\n", "an anchor"),
        ("a: !!python/tuple\n", "a tag"),
        ("a: |\n  text\n", "a block of text"),
        ("a: [1, 2\n", "is missing"),
        ("a: 'open\n", "not closed"),
        ("a: 1\n   b: 2\n", "indentation"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a:\n\tb: 2\n", "tab"),
        ("a: [1] 2\n", "follows a value"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(FileFormatError, match=f"a.yml, line [123]: .*{what}"):
        _read(tmp_path, text)


def test_a_key_that_occurs_twice(tmp_path: Path) -> None:
    with pytest.raises(DuplicateError, match="line 2: the key 'a' occurs twice"):
        _read(tmp_path, "a: 1\na: 2\n")
