"""Keys: what a part is, in one hash.

Two parts have the same key exactly when the same step, in the same version, sees the same
settings, labels, selector and inputs. Source text, places and times are no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from mesolith.errors import InvalidValueError

_SCHEME = 1


def canonical_json(value: Any) -> str:
    """The one JSON text of a plain value: sorted keys, no spaces, shortest round-trip numbers.

    1 and 1.0 differ, as a computation may tell them apart. Mappings need text keys; tuples count
    as lists.

    Raises
    ------
    InvalidValueError
        A number is NaN or infinite.
    TypeError
        A value is not plain JSON.
    """
    try:
        return json.dumps(
            _plain(value),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
    except ValueError as error:
        raise InvalidValueError(
            "a setting holds a number that is not finite", remedy="Give a finite number."
        ) from error


def plain(value: Any) -> Any:
    """A deep copy in dictionaries, lists, texts and numbers, as JSON would give it back."""
    return json.loads(canonical_json(value))


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def part_key(
    step: str,
    version: int,
    label: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, Iterable[tuple[str, str, str]]],
    selector: Mapping[str, Any],
) -> str:
    """Key of a part.

    Parameters
    ----------
    label
        What the part is told it works on; in the key, as a result may name it.
    inputs
        By name, in order: (label, "raw" or "part", hash of the content or key of the part).
    """
    return digest_of(
        {
            "scheme": _SCHEME,
            "step": step,
            "version": version,
            "label": label,
            "settings": settings,
            "inputs": {name: list(sources) for name, sources in inputs.items()},
            "selector": selector,
        }
    )


def seed_from_key(key: str) -> int:
    """Seed of a part's random numbers, 0 to 2**63 - 1."""
    return int(key[:16], 16) >> 1


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        wrong = [name for name in value if not isinstance(name, str)]
        if wrong:
            raise TypeError(f"a key must be text, not {wrong[0]!r}")
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"settings hold plain JSON values, not {type(value).__name__}: {value!r}")
