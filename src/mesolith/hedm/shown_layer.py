"""The one layer of a state whose spots are shown: which it is, and the grains that it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesolith.records.indexed import IndexedGrains
from mesolith.records.layer_finds import LayerFinds


def in_shown_layer(
    grains: IndexedGrains, finds: LayerFinds, name: str
) -> tuple[IndexedGrains, str]:
    """Grains that the shown layer found, the likeliest first, and the words for state and layer.

    They lie in the beam then: z is 0 in its middle. A grain that a border cuts stays whole, and
    its middle is some um off that of the part which made the spots.
    """
    here = np.isin(grains.grain_id, finds.grain_id[finds.layer == finds.shown_layer])
    rows = np.flatnonzero(here)
    rows = rows[np.argsort(-grains.likelihood[rows], kind="stable")]
    shown = grains.rows(rows)
    middle = np.array([0.0, 0.0, finds.layer_z[finds.shown_layer]])
    return replace(shown, position=shown.position - middle), layer_words(finds, name)


def layer_words(finds: LayerFinds, name: str) -> str:
    """State and layer: "pristine, layer at -50 um (1 of 2)", the name alone for a single layer."""
    count = len(finds.layer_z)
    if count == 1:
        return name
    shown = finds.shown_layer
    return f"{name}, layer at {finds.layer_z[shown]:g} um ({shown + 1} of {count})"
