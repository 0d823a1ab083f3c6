"""Grain maps of HEXRD, ImageD11 and MIDAS' HDF5 that others measured, and what they report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesolith.axes import FloatArray, IntArray, tensor_from_six
from mesolith.crystal.elasticity import (
    cubic_stiffness,
    strain_from_lattice,
    stress_from_strain,
)
from mesolith.crystal.lattice import basis_from_lattice
from mesolith.io.grain_file import one_phase
from mesolith.io.hexrd import (
    grain_map_from_hexrd,
    hexrd_from_grain_map,
    read_hexrd,
    write_hexrd,
)
from mesolith.io.imaged11 import (
    UbiGrain,
    grain_map_from_ubi,
    read_grains_h5,
    read_parameters,
    read_ubi,
    ubi_from_grain_map,
    write_grains_h5,
    write_ubi,
)
from mesolith.io.midas_h5 import read_midas_h5, write_midas_h5
from mesolith.numerics.rotations import matrix_from_quaternion, quaternion_from_matrix
from mesolith.records.grains import GrainMap, Phases

Measured = Callable[[str], Path]
RIGHT = np.pi / 2
# materials.h5 of the ruby examples: a 4.7597, c 12.993 angstrom
RUBY = one_phase(167, np.array([4.7597, 4.7597, 12.993, RIGHT, RIGHT, 2 * np.pi / 3]))
MULTIRUBY = "hedm/hexrd_multiruby_dexelas/results"
SINGLE = "hedm/hexrd_single_GE/results/RUBY_SWEEP_{}"
HEXRD = [
    f"{MULTIRUBY}/composite_find_orientations_grains.out",
    f"{MULTIRUBY}/composite_fit_grains_grains.out",
    f"{MULTIRUBY}/composite_roi_fit_grains_grains.out",
    *(SINGLE.format(k) + "/grains.out" for k in range(3)),
]
CUALBE = "hedm/imaged11_eps_sig"
MAPS = [(f"{CUALBE}/CuAlBe_scan10.map", 101, 5.77), ("hedm/imaged11_makemap/map.ubi", 36, 4.049)]


def ruby_map(path: Path) -> GrainMap:
    return grain_map_from_hexrd(read_hexrd(path), path, phases=RUBY, radius=50.0).grain_map


def cubic(a: float, space_group: int = 225) -> Phases:
    return one_phase(space_group, np.array([a, a, a, RIGHT, RIGHT, RIGHT]))


class TestHexrd:
    @pytest.mark.parametrize("name", HEXRD)
    def test_written_again_row_for_row(self, measured: Measured, tmp_path: Path, name: str) -> None:
        source, copy = measured(name), tmp_path / "grains.out"
        write_hexrd(copy, read_hexrd(source))
        one, two = (
            [line.rstrip() for line in p.read_text().splitlines()[1:]] for p in (source, copy)
        )
        assert one == two

    @pytest.mark.parametrize("name", HEXRD)
    def test_through_a_grain_map_and_back(self, measured: Measured, name: str) -> None:
        found = read_hexrd(measured(name))
        back = hexrd_from_grain_map(ruby_map(measured(name)))
        for field in ("exponential_map", "translation", "inverse_stretch", "log_stretch"):
            off = np.abs(getattr(found, field) - getattr(back, field)).max()
            assert off < 5e-15, field

    def test_three_rubies(self, measured: Measured) -> None:
        found = ruby_map(measured(f"{MULTIRUBY}/composite_fit_grains_grains.out"))
        assert found.grain_id.tolist() == [0, 1, 2]
        assert found.completeness.tolist() == [0.813584, 0.814560, 0.827273]
        # x = -z, y = -x, z = y of HEXRD, in um
        assert found.position[0] == pytest.approx(
            [6.8622892098910926e1, -6.2016356404608536e1, -3.5358120019811107e-1]
        )

    def test_stage_moved_by_a_tenth_of_a_millimetre(self, measured: Measured) -> None:
        """The sweeps differ by the displacement of the stage, in HEXRD's axes and mm."""
        paths = [measured(SINGLE.format(k) + "/grains.out") for k in range(3)]
        stated = [read_hexrd(path).translation[0] for path in paths]
        ours = [ruby_map(path).position[0] for path in paths]
        for k in (1, 2):
            x, y, z = 1000.0 * (stated[k] - stated[0])
            assert ours[k] - ours[0] == pytest.approx([-z, -x, y])
            assert np.abs(ours[k] - ours[0])[[0, 1]] == pytest.approx([102.0, 102.0], abs=2.0)
        turned = [ruby_map(path).orientation[0] for path in paths]
        assert np.abs(turned[0] @ np.array(turned[1:]).T) == pytest.approx([1.0, 1.0], abs=1e-7)

    def test_reflections_fall_where_they_were_measured(self, measured: Measured) -> None:
        """Axes, sense of rotation, crystal axes and units at once: the spots of the first sweep.

        With our axes g_lab = Rz(omega) U B hkl, k = x/lambda + g_lab; HEXRD's eta counts from its
        x to its y, which are our -y and z.
        """
        found = ruby_map(measured(SINGLE.format(0) + "/grains.out"))
        spots = np.loadtxt(measured(SINGLE.format(0) + "/spots_00000.out"))
        spots = spots[np.isfinite(spots).all(axis=1) & (spots[:, 0] >= 0)]
        assert len(spots) > 200
        hkl, two_theta, eta, omega = spots[:, 2:5], spots[:, 10], spots[:, 11], spots[:, 12]
        u = matrix_from_quaternion(found.orientation)[0]
        g = hkl @ np.linalg.inv(basis_from_lattice(found.lattice)[0]) @ u.T
        cos, sin = np.cos(omega), np.sin(omega)
        x, y, z = cos * g[:, 0] - sin * g[:, 1], sin * g[:, 0] + cos * g[:, 1], g[:, 2]
        wavelength = 12.39841984 / 80.725
        k = np.stack([1.0 / wavelength + x, y, z], axis=1)
        length = np.linalg.norm(k, axis=1)
        assert np.abs(length * wavelength - 1.0).max() < 2e-3  # the condition of diffraction
        off = np.arccos(k[:, 0] / length) - two_theta
        assert np.degrees(np.median(np.abs(off))) < 0.02
        turned = np.arctan2(k[:, 2], -k[:, 1]) - eta
        turned = (turned + np.pi) % (2.0 * np.pi) - np.pi
        assert np.degrees(np.median(np.abs(turned))) < 0.1


class TestImaged11:
    @pytest.mark.parametrize(("name", "count", "a"), MAPS)
    def test_maps(
        self, measured: Measured, tmp_path: Path, name: str, count: int, a: float
    ) -> None:
        grains = read_ubi(measured(name))
        assert len(grains) == count
        found = grain_map_from_ubi(grains, measured(name), phases=cubic(a), radius=10.0)
        assert found.grain_map.lattice[:, :3].mean() == pytest.approx(a, rel=5e-3)
        back = ubi_from_grain_map(found.grain_map)
        for one, two in zip(grains, back, strict=True):
            assert np.abs(one.ubi - two.ubi).max() < 1e-14
            assert one.translation is not None
            assert two.translation is not None
            assert np.array_equal(one.translation, two.translation)
        self.same_in_files(grains, tmp_path)

    @staticmethod
    def same_in_files(grains: list[UbiGrain], folder: Path) -> None:
        write_ubi(folder / "copy.map", grains)
        write_grains_h5(folder / "copy.h5", grains)
        for again in (read_ubi(folder / "copy.map"), read_grains_h5(folder / "copy.h5")):
            for one, two in zip(grains, again, strict=True):
                assert np.array_equal(one.ubi, two.ubi)
                assert np.array_equal(np.array(one.translation), np.array(two.translation))
                assert sorted(one.words) == sorted(two.words)

    def test_words_about_a_grain(self, measured: Measured) -> None:
        first = read_ubi(measured("hedm/imaged11_makemap/map.ubi"))[0]
        assert dict(first.words)["npks"] == "73"
        assert dict(first.words)["name"] == "2:test_fix.flt"
        assert first.translation is not None
        assert first.translation.tolist() == [208.353777, -126.476401, -0.711959]

    def test_aluminium_indexes_its_peaks(self, measured: Measured) -> None:
        """88.7 % of the 2,026 peaks lie within 0.05 of an hkl of one of the 36 grains."""
        map_path = measured("hedm/imaged11_makemap/map.ubi")
        geometry = read_parameters(measured("hedm/imaged11_makemap/test.prm"))
        peaks = np.loadtxt(measured("hedm/imaged11_makemap/test.flt"))
        assert len(peaks) == 2026
        found = grain_map_from_ubi(
            read_ubi(map_path), map_path, phases=cubic(4.049), radius=10.0
        ).grain_map
        indexed = np.zeros(len(peaks), dtype=bool)
        for k in range(len(found)):
            g = scattering_vectors(peaks, geometry, found.position[k])
            u = matrix_from_quaternion(found.orientation[k])
            hkl = g @ u @ basis_from_lattice(found.lattice[k])
            indexed |= np.linalg.norm(hkl - np.round(hkl), axis=1) < 0.05
        assert 100.0 * indexed.mean() == pytest.approx(88.7, abs=0.05)


def scattering_vectors(
    peaks: FloatArray, geometry: dict[str, float | str], position: FloatArray
) -> FloatArray:
    """g (1/angstrom) on our sample axes of the peaks of a grain at ``position`` (um).

    ImageD11's detector for o11 = 1, o22 = -1 and small tilts; lengths in um.
    """
    p = {name: float(value) for name, value in geometry.items() if isinstance(value, float)}
    # o22 = -1 mirrors the horizontal pixel; columns of the list are slow (z) and fast (y)
    z = (peaks[:, 0] - p["z_center"]) * p["z_size"]
    y = -(peaks[:, 1] - p["y_center"]) * p["y_size"]
    flat = np.stack([np.zeros_like(y), y, z], axis=1)
    cy, sy, cz, sz = (f(p[name]) for name in ("tilt_y", "tilt_z") for f in (np.cos, np.sin))
    about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_z = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
    spot = flat @ (about_y @ about_z).T + np.array([p["distance"], 0.0, 0.0])
    omega = np.radians(peaks[:, 2]) * p["omegasign"]
    cos, sin = np.cos(omega), np.sin(omega)
    zero = np.zeros_like(cos)
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, zero + 1.0], axis=1)
    turn = turn.reshape(-1, 3, 3)
    ray = spot - turn @ position
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    lab = (ray - np.array([1.0, 0.0, 0.0])) / p["wavelength"]
    return np.einsum("nji,nj->ni", turn, lab)


class TestCuAlBe:
    """Strain (percent) and stress (MPa) that ImageD11's eps_sig solver printed for 101 grains."""

    ORDER = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))

    def printed(self, path: Path) -> dict[str, FloatArray]:
        lines = path.read_text().splitlines()
        at = next(k for k, line in enumerate(lines) if line.startswith("cell__a cell__b"))
        names = lines[at].split()
        table = np.array([line.split() for line in lines[at + 1 :] if line.strip()], dtype=float)
        columns = dict(zip(names, table.T, strict=True))
        found = {"u": np.stack([columns[f"u{i}{j}"] for i in "123" for j in "123"], axis=1)}
        for kind in ("eps", "sig"):
            for system in ("c", "s"):
                # this output lists 11 22 33 12 13 23, whatever order the program uses elsewhere
                six = [columns[f"{kind}{i + 1}{j + 1}_{system}"] for i, j in self.ORDER]
                found[f"{kind}_{system}"] = tensor_from_six(np.stack(six, axis=1), self.ORDER)
        return found

    def test_stress_equal_to_their_output(self, measured: Measured) -> None:
        """Our lattice, orientation, stiffness and rotations on their crystal axes.

        ImageD11 keeps the crystal after Busing and Levy, x along a*, z along c, where we have x
        along a, z along c*. At 2 % strain (F + F^T)/2 - I is another tensor on other axes.
        """
        theirs = self.printed(measured(f"{CUALBE}/test.out"))
        path = measured(f"{CUALBE}/CuAlBe_scan10.map")
        stated = read_parameters(measured(f"{CUALBE}/test.par"))
        a, c11, c12, c44 = (float(stated[name]) for name in ("cell__a", "c11", "c12", "c44"))
        grains = grain_map_from_ubi(read_ubi(path), path, phases=cubic(a), radius=10.0).grain_map
        u = matrix_from_quaternion(grains.orientation)
        basis = basis_from_lattice(grains.lattice)
        turn = busing_levy(basis)
        gradient = turn @ basis / a
        strain = 0.5 * (gradient + gradient.swapaxes(1, 2)) - np.eye(3)
        assert np.abs(100.0 * strain - theirs["eps_c"]).max() < 1e-10
        orientation = u @ turn.swapaxes(1, 2)
        assert np.abs(orientation.reshape(-1, 9) - theirs["u"]).max() < 6e-7  # six decimals
        sample = orientation @ strain @ orientation.swapaxes(1, 2)
        assert np.abs(100.0 * sample - theirs["eps_s"]).max() < 1e-10
        stress = stress_from_strain(
            sample, cubic_stiffness(c11, c12, c44), quaternion_from_matrix(orientation)
        )
        assert np.abs(theirs["sig_s"]).max() > 1000.0
        assert np.abs(stress - theirs["sig_s"]).max() < 1e-7
        crystal = orientation.swapaxes(1, 2) @ stress @ orientation
        assert np.abs(crystal - theirs["sig_c"]).max() < 1e-7

    def test_on_our_crystal_axes_the_difference_is_of_second_order(
        self, measured: Measured
    ) -> None:
        theirs = self.printed(measured(f"{CUALBE}/test.out"))
        path = measured(f"{CUALBE}/CuAlBe_scan10.map")
        phases = cubic(5.77)
        grains = grain_map_from_ubi(read_ubi(path), path, phases=phases, radius=10.0).grain_map
        strain = strain_from_lattice(grains.lattice, phases.lattice[0], grains.orientation)
        stress = stress_from_strain(
            strain, cubic_stiffness(141600.0, 127400.0, 94200.0), grains.orientation
        )
        size = np.abs(theirs["eps_c"] / 100.0).max()
        assert np.abs(strain - theirs["eps_s"] / 100.0).max() < size**2
        off = np.abs(stress - theirs["sig_s"]).max()
        assert 1.0 < off < 10.0
        hydrostatic = np.trace(stress - theirs["sig_s"], axis1=1, axis2=2) / 3.0
        assert np.abs(hydrostatic).max() < 4.0


def busing_levy(basis: FloatArray) -> FloatArray:
    """Rotation from axes with x along a, z along c* to those with x along a*, z along c."""
    reciprocal = np.linalg.inv(basis)  # rows a*, b*, c*
    x = reciprocal[:, 0] / np.linalg.norm(reciprocal[:, 0], axis=1, keepdims=True)
    z = basis[:, :, 2] / np.linalg.norm(basis[:, :, 2], axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=1)


class TestMidasHdf5:
    FILE = "hedm/midas_ff_example/consolidated_Output.h5"

    def test_read_by_content(self, measured: Measured) -> None:
        read = read_midas_h5(measured(self.FILE))
        found = read.grain_map
        ids: IntArray = found.grain_id
        assert sorted(ids.tolist()) == [51, 60, 62]
        k = int(np.argmax(ids == 60))
        assert found.position[k].tolist() == [0.622602, -4.96905, 0.812692]
        assert found.lattice[k, :3].tolist() == [4.080332, 4.08184, 4.081348]
        assert found.radius[k] == 108.666747
        assert found.completeness[k] == 1.0
        assert found.phases.space_group.tolist() == [225]
        strain = strain_from_lattice(found.lattice, found.phases.lattice[0], found.orientation)
        assert 1e6 * strain[k, 0, 0] == pytest.approx(526.624998, abs=1.0)
        assert [finding.level for finding in read.findings] == ["note"]
        text = read.findings[0].text
        assert "column names contradict the content" in text
        assert "eFab is not symmetric" in text
        assert "confidence is not between 0 and 1" in text

    def test_written_again(self, measured: Measured, tmp_path: Path) -> None:
        found = read_midas_h5(measured(self.FILE)).grain_map
        write_midas_h5(tmp_path / "copy.h5", found)
        again = read_midas_h5(tmp_path / "copy.h5")
        assert again.findings == ()  # under right names
        for field in ("grain_id", "position", "radius", "completeness", "phase"):
            assert np.array_equal(getattr(again.grain_map, field), getattr(found, field)), field
        assert np.abs(again.grain_map.lattice - found.lattice).max() < 1e-15
        assert np.abs(again.grain_map.orientation - found.orientation).max() < 1e-15
