"""What an energy scan may be told."""

from __future__ import annotations

from dataclasses import dataclass

from mesolith.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class EnergySettings:
    """Settings of energy scans; errors are standard deviations.

    ``random_ev``
        What the monochromator adds to the energy of each reflection, each time anew.
    ``common_ev``
        How far all logged energies together may be off, before a reference crystal is asked.
    ``height_um``
        How far the surface may stand from its place in the calibration, at each point; across
        the beam, towards the panel.
    ``centre_px``, ``distance_um``
        How far the calibration of the panel may be off: its place in each direction of its
        plane, and its distance. The same at all points.
    ``position_error_px``
        Of a white spot where the list of peaks states none; as given to the indexing.
    ``spot_error_px``
        Of a spot in monochromatic pictures where the scan states none.
    ``strain_sigma``
        What each component of the deviatoric strain is believed to have before it is seen. Wider
        than in the indexing: a pattern that was chosen for a scan has many spots.
    ``false_alarm``
        Two lattices are reported where one would look so rarely like two.
    ``reference_sigma``
        How far the strain-free lattice may be off, relative. The lattice parameter does not hang
        on it, the strain does.
    """

    random_ev: float = 1.0
    common_ev: float = 0.5
    height_um: float = 10.0
    centre_px: float = 0.15
    distance_um: float = 0.0
    position_error_px: float = 0.15
    spot_error_px: float = 0.15
    strain_sigma: float = 1e-3
    false_alarm: float = 1e-3
    reference_sigma: float = 0.0

    def __post_init__(self) -> None:
        positive = ("random_ev", "common_ev", "height_um", "position_error_px", "spot_error_px")
        wrong = [name for name in (*positive, "strain_sigma") if not getattr(self, name) > 0.0]
        wrong += [
            name
            for name in ("centre_px", "distance_um", "reference_sigma")
            if not getattr(self, name) >= 0.0
        ]
        if wrong or not 0.0 < self.false_alarm < 1.0:
            raise InvalidValueError(
                f"these settings cannot judge an energy scan: {self}",
                remedy=f"Give positive errors{': ' if wrong else ''}{', '.join(wrong)}.",
            )
