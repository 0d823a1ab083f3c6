"""Grain lists of several layers of a state: stitched as layers from frames are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mesolith.errors import ContradictionError
from mesolith.hedm.indexed import grain_map_from_indexed, indexed_from_grain_map
from mesolith.hedm.layer_finds import Layer
from mesolith.hedm.stitch import stitch_layers
from mesolith.records.grains import GrainMap
from mesolith.records.layer_finds import LayerFinds


@dataclass(frozen=True, slots=True)
class StitchedMap:
    """Whole grains on sample axes, and which find of which layer is part of which."""

    grain_map: GrainMap
    finds: LayerFinds


def heights_of_files(options: Mapping[str, Any]) -> list[float]:
    """Heights of the layers (um) that a state's grain files hold; empty: z is the sample's."""
    given = options.get("layer_z_um")
    if given is None:
        return []
    return [float(z) for z in given] if isinstance(given, list | tuple) else [float(given)]


def beam_height(options: Mapping[str, Any], heights: Sequence[float], where: str) -> float:
    """Height of the beam (um): as given, or how far neighbouring layers are apart.

    Raises ``ContradictionError`` where neither says, or two layers have one height.
    """
    given = options.get("beam_height_um")
    if given is not None:
        return float(given)
    apart = np.diff(np.sort(np.asarray(heights)))
    if not len(apart) or not apart.min() > 0.0:
        raise ContradictionError(
            "how high the beam was that lit the layers of these grains is not known",
            where=where,
            remedy="Say it beside the files: grains = { files = [...], layer_z_um = [...], "
            "beam_height_um = 100 }.",
        )
    return float(apart.min())


def at_height(grain_map: GrainMap, height: float) -> GrainMap:
    """The grains of one layer where they lie in the sample."""
    return replace(grain_map, position=grain_map.position + np.array([0.0, 0.0, height]))


def stitched_maps(
    maps: Sequence[GrainMap], heights: Sequence[float], *, beam: float
) -> StitchedMap:
    """Maps of layers, each with z = 0 in the middle of its beam, as one map of whole grains.

    Volumes are those of the radii, errors those that the maps state. A grain has the mean of its
    parts by volume, its completeness the plain mean.

    Raises
    ------
    ContradictionError
        Two layers have one height, or list other phases.
    """
    layers = []
    for grain_map, middle in zip(maps, heights, strict=True):
        volume = 4.0 / 3.0 * math.pi * float(np.sum(grain_map.radius**3))
        layers.append(Layer(float(middle), beam, volume, indexed_from_grain_map(grain_map)))
    stitched = stitch_layers(layers)
    whole = grain_map_from_indexed(stitched.grains, volume=stitched.finds.grain_volume)
    # the radii of the files are no share of a lit volume
    whole = replace(whole, error_source=maps[0].error_source, lit_volume=None)
    return StitchedMap(whole, stitched.finds)
