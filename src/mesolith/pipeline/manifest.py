"""The manifest of a result: what it was made from, and a checksum of every file.

A result counts only where its manifest verifies: the manifest against itself, byte for byte, and
every file against the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesolith.errors import ResultVersionError
from mesolith.pipeline.keys import digest_of, plain

MANIFEST_FILE = "manifest.json"
FORMAT = 1


def encode_manifest(
    key: str, facts: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]
) -> bytes:
    """Bytes of a manifest.

    Parameters
    ----------
    facts
        Plain values that the same computation always gives: step, version, settings, inputs.
    files
        By relative name: ``size`` and ``sha256``.
    """
    content = digest_of({name: entry["sha256"] for name, entry in files.items()})
    body = plain({"format": FORMAT, "key": key, "content": content, "facts": facts, "files": files})
    return _text(body | {"checksum": digest_of(body)})


def decode_manifest(data: bytes) -> dict[str, Any]:
    """Manifest from its bytes.

    Raises
    ------
    ValueError
        The bytes are not what `encode_manifest` gave.
    ResultVersionError
        A newer version of the package wrote it.
    """
    manifest = json.loads(data.decode("utf-8"))
    if not isinstance(manifest, dict):
        raise ValueError("it is no table")
    body = {name: value for name, value in manifest.items() if name != "checksum"}
    if digest_of(body) != manifest.get("checksum") or _text(manifest) != data:
        raise ValueError("its own checksum differs")
    if manifest["format"] > FORMAT:
        raise ResultVersionError(
            f"the result has format {manifest['format']}, this version reads up to {FORMAT}",
            remedy="Use the newer version of mesolith that wrote it, or another --store.",
        )
    return manifest


def list_files(folder: Path) -> list[str]:
    """Names of all files below a folder, with forward slashes, sorted; the manifest left out."""
    names = (
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )
    return sorted(name for name in names if name != MANIFEST_FILE)


def _text(manifest: Mapping[str, Any]) -> bytes:
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    return (text + "\n").encode("utf-8")
