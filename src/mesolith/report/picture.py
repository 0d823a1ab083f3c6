"""A figure as the page carries it: an SVG image beside its words, kept as two files."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mesolith.records.drawing import Drawing
from mesolith.records.style import MM_PER_INCH, WIDTH_MM, house_style

_ABOVE_BYTES = 2_500_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered figure: ``image`` holds SVG or PNG bytes (``kind`` says which), the rest words.

    ``share`` is its width as a share of the full 180 mm, so that letters look alike on the page.
    """

    name: str
    title: str
    number: str
    caption: str
    how: str
    cite: tuple[str, ...]
    kind: str
    image: bytes
    has_table: bool = False
    share: float = 1.0

    def save(self, folder: Path) -> None:
        """Write NAME.svg (or .png) and NAME.json into the folder."""
        words = asdict(self)
        del words["image"]
        text = json.dumps(words, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        (folder / f"{self.name}.json").write_text(text, encoding="utf-8", newline="\n")
        (folder / f"{self.name}.{self.kind}").write_bytes(self.image)


def load_picture(folder: Path, name: str) -> Picture:
    """Picture that `Picture.save` wrote."""
    words = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    words["cite"] = tuple(words["cite"])
    return Picture(image=(folder / f"{name}.{words['kind']}").read_bytes(), **words)


def picture_from_drawing(name: str, title: str, number: str, drawing: Drawing) -> Picture:
    """Render a drawing: SVG, or PNG where the SVG would be larger than 2.5 MB.

    The same drawing gives the same bytes: no date, no version, element ids from their content.
    """
    kind, image = "svg", _rendered(drawing, "svg")
    if len(image) > _ABOVE_BYTES:
        kind, image = "png", _rendered(drawing, "png")
    return Picture(
        name=name,
        title=title,
        number=number,
        caption=drawing.caption,
        how=drawing.how,
        cite=tuple(drawing.cite),
        kind=kind,
        image=image,
        has_table=bool(drawing.table),
        share=min(1.0, float(drawing.figure.get_size_inches()[0]) * MM_PER_INCH / WIDTH_MM),
    )


def _rendered(drawing: Drawing, kind: str) -> bytes:
    buffer = io.BytesIO()
    empty = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with house_style():
        drawing.figure.savefig(buffer, format=kind, metadata=empty)
    return buffer.getvalue()
