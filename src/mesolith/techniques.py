"""The list of techniques: the built-in ones, and those of packages outside."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from mesolith.errors import SettingsError
from mesolith.pipeline.technique import Technique, load

BUILT_IN = (
    "mesolith.hedm:TECHNIQUE",
    "mesolith.hedm.frames:TECHNIQUE",
    "mesolith.laue:TECHNIQUE",
    "mesolith.echem:TECHNIQUE",
)
ENTRY_POINT_GROUP = "mesolith.techniques"


@cache
def all_techniques() -> tuple[Technique, ...]:
    """Every technique, built-in ones first, the others in the order of their names.

    Raises ``SettingsError`` where two techniques share a name or a key.
    """
    found: list[Technique] = [load(dotted) for dotted in BUILT_IN]
    outside = entry_points(group=ENTRY_POINT_GROUP)
    found += [entry.load() for entry in sorted(outside, key=lambda entry: entry.name)]
    for attribute in ("name", "key"):
        seen: set[str] = set()
        for technique in found:
            word = getattr(technique, attribute)
            if word in seen:
                raise SettingsError(
                    f"two techniques have the {attribute} {word!r}",
                    remedy=f"Uninstall one of the packages that offer it ({ENTRY_POINT_GROUP}).",
                )
            seen.add(word)
    return tuple(found)
