"""`mesolith doctor`: versions and places, and a bundle without data or names."""

from __future__ import annotations

import getpass
import json
import socket
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from mesolith.cli.bundle import scrubbed


def test_findings(mesolith, analysed: Path) -> None:
    code, said, _ = mesolith("doctor", analysed)
    assert code == 0
    assert f"numpy: {version('numpy')}\n" in said
    assert "techniques: hedm, frames, laue, echem" in said
    assert "LLZTO-I-43d" in said
    assert "free space here: " in said
    assert "store .mesolith: " in said


def test_a_missing_extra_comes_with_the_line_that_installs_it(
    mesolith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesolith.cli.doctor.EXTRAS", {"magic": ("no-such-package",)})
    _, said, _ = mesolith("doctor", tmp_path)
    assert 'extra magic: not installed (pip install "mesolith[magic]")' in said


def bundle(mesolith, folder: Path, file: Path) -> dict[str, str]:
    code, said, _ = mesolith("doctor", folder, "--bundle", file)
    assert code == 0
    assert "look into it before you send it" in said
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}


def test_the_bundle_holds_no_data_and_no_names(mesolith, demo: Path, tmp_path: Path) -> None:
    cell = demo / "cell.toml"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(text.replace("virtual LLZTO 1", "Secret Sample"), encoding="utf-8")
    grains = demo / "raw/pristine/Grains.csv"
    grains.write_bytes(b"".join(grains.read_bytes().splitlines(keepends=True)[:-5]))
    mesolith("run", demo, "--workers", "1", "--only", "hedm.read", "--allow-partial")
    held = bundle(mesolith, demo, tmp_path / "bundle.zip")
    assert set(held) == {"doctor.txt", "cell_1.json", "journal_1.jsonl"}
    everything = "\n".join(held.values())
    for name in (
        "Secret Sample",
        "plating 1",
        "Grains",
        str(demo),
        socket.gethostname(),
        "raw/",
    ):
        assert name not in everything
    assert f"/{getpass.getuser()}" not in everything
    assert "hedm.read [STATE2]" in held["journal_1.jsonl"]
    shown = json.loads(held["cell_1.json"])
    assert shown["cell"]["thickness_um"] > 0
    assert shown["cell"]["name"] == "text of 13 letters"


def test_a_bundle_of_a_cell_file_that_is_no_toml(mesolith, tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text("name = ", encoding="utf-8")
    held = bundle(mesolith, tmp_path, tmp_path / "bundle.zip")
    assert json.loads(held["cell_1.json"]) == {"cannot be read": "TOMLDecodeError"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot read /data/ada/cell7/Grains.csv: no", "cannot read FILE.csv: no"),
        ("/data/ada/my cell/raw/x.csv: no", "HEREFILE.csv: no"),
        (r"C:\Users\ada\cell.toml:3", "FILE.toml:3"),
        ("state plating 1 of platinum", "state STATE2 of platinum"),
        (f"user {getpass.getuser()} on {socket.gethostname()}", "user USER on HOST"),
    ],
)
def test_scrubbed_texts(text: str, expected: str) -> None:
    names = {"plating 1": "STATE2", "plat": "STATE3", "/data/ada/my cell": "HERE"}
    assert scrubbed(text, names) == expected
