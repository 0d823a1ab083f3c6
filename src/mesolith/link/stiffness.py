"""Step link.stiffness: the grains' stresses under the stiffness of another doping beside ours.

Dixit et al. (2022) took the stiffness of Al-doped LLZO for a Ta-doped sample. The strain is
measured; the stress inherits the choice, 13 % of the bulk modulus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mesolith.axes import FloatArray
from mesolith.io.record_file import read_record, write_record
from mesolith.link.balance import reference_of_settings
from mesolith.link.phases import materials_of_phases
from mesolith.link.stress import stressed_grain_map
from mesolith.materials.loader import Material, load_material
from mesolith.pipeline.work import Work
from mesolith.records.grains import GrainMap
from mesolith.records.stiffness import StressUnderStiffness
from mesolith.records.tracking import Tracking

PERCENT = np.array([0.0, 0.5, 2.5, 25.0, 50.0, 75.0, 97.5, 99.5, 100.0])
DOPINGS = ("LLZO-Al-I-43d", "LLZTO-I-43d")  # the paper's choice, the sample's own


def compute(work: Work) -> None:
    """StressUnderStiffness of the cell: its own stiffness, and those of both dopings."""
    sources = work.inputs["hedm.read"]
    names = tuple(source.label for source in sources)
    maps = [read_record(source.record_file, GrainMap) for source in sources]
    trackings = [read_record(s.record_file, Tracking) for s in work.inputs.get("link.track", ())]
    own = materials_of_phases(maps[0].phases, work.table("electrolyte"), [])
    record = stress_under_stiffness(names, maps, own, trackings, work.settings)
    write_record(work.folder / "record.h5", record)


def stress_under_stiffness(
    names: Sequence[str],
    maps: Sequence[GrainMap],
    own: Sequence[Material],
    trackings: Sequence[Tracking],
    settings: Mapping[str, Any],
) -> StressUnderStiffness:
    """Distribution of the stresses of each state under the cell's stiffness and both dopings.

    Parameters
    ----------
    names, maps
        States and their maps as read, without stress.
    own
        Material of each phase, as the cell names them; its stiffness is the one used elsewhere.
    trackings
        Pairs between each state and the next, or none.
    settings
        By dotted key, what the step link.balance takes, and hedm.strain_definition.
    """
    variants: list[tuple[str, tuple[Material, ...]]] = [(own[0].name, tuple(own))]
    for doping in DOPINGS:
        stiffness = load_material(doping).stiffness
        assert stiffness is not None
        known = [v[0].stiffness for _, v in variants]
        if not any(k is not None and np.array_equal(k, stiffness) for k in known):
            # the paper takes one stiffness for all phases
            swapped = tuple(replace(material, stiffness=stiffness) for material in own)
            variants.append((doping, swapped))
    shape = (len(variants), len(maps))
    hydrostatic = np.empty((*shape, len(PERCENT)))
    von_mises = np.empty_like(hydrostatic)
    spread, mean = np.empty(shape), np.empty(shape)
    for v, (_, materials) in enumerate(variants):
        reference = reference_of_settings(names, maps, materials, trackings, settings)
        for k, (name, grains) in enumerate(zip(names, maps, strict=True)):
            final = stressed_grain_map(
                grains,
                reference,
                state=name,
                materials=materials,
                definition=settings["hedm.strain_definition"],
            )
            pressure, shear = _known(final.stress_hydrostatic), _known(final.stress_von_mises)
            hydrostatic[v, k] = np.percentile(pressure, PERCENT)
            von_mises[v, k] = np.percentile(shear, PERCENT)
            spread[v, k], mean[v, k] = float(pressure.std()), float(shear.mean())
    bulk = [float(np.asarray(v[0].stiffness)[:3, :3].sum()) / 9.0 for _, v in variants]
    return StressUnderStiffness(
        material=tuple(name for name, _ in variants),
        bulk_modulus=np.array(bulk),
        used=0,
        state=tuple(names),
        percent=PERCENT,
        hydrostatic=hydrostatic,
        von_mises=von_mises,
        hydrostatic_spread=spread,
        von_mises_mean=mean,
        grains=np.array([len(m) for m in maps], dtype=np.int64),
    )


def _known(values: FloatArray | None) -> FloatArray:
    assert values is not None
    return values[np.isfinite(values)]
