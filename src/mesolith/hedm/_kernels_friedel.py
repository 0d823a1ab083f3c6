"""Pairs of spots: as an upright axis would show them, mates half a turn and a crossing apart.

All vectors are on turntable axes: z along the rotation axis, x near the beam.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray
from mesolith.instrument._kernels_geometry import undistort

TURN = 2.0 * math.pi


@njit(nogil=True, cache=True)
def upright_spots(
    panel: IntArray,
    pixels: FloatArray,
    omega: FloatArray,
    source: FloatArray,
    panels: FloatArray,
    tilt: FloatArray,
    distance: float,
    reach: FloatArray,
    pole: float,
    out: FloatArray,
    shell: IntArray,
) -> None:
    """Where an upright setup would show spots of grains that lie near the axis.

    Parameters
    ----------
    panel, pixels, omega
        Spots: panels (n,), fast and slow (2, n), omega (n,).
    source, panels, tilt
        The instrument in flat form, and the rotation (3, 3) that takes z onto the axis.
    distance, reach, pole
        x of the plane; radii (shells, 2) between which spots of each shell lie, in order; least
        |y| as a share of the radius.
    out, shell
        Filled: y, z (um), omega in [0, 2 pi), (n, 3); the shell of each spot, -1 on none, near the
        pole or where the upright axis would not bring the reflection to the sphere. There the
        place is 0.
    """
    wavelength = source[3]
    beam = np.empty(3)
    for a in range(3):
        beam[a] = tilt[0, a] * source[0] + tilt[1, a] * source[1] + tilt[2, a] * source[2]
    upright = abs(beam[1]) < 1e-12 and abs(beam[2]) < 1e-12
    for i in range(len(omega)):
        row = panels[panel[i]]
        u = (pixels[0, i] - 0.5 * (row[14] - 1.0)) * row[12]
        v = (pixels[1, i] - 0.5 * (row[15] - 1.0)) * row[13]
        if row[16] != 0.0:
            ideal = undistort(u, v, row[16:])
            u, v = ideal[0], ideal[1]
        px = row[0] + u * row[3] + v * row[6]
        py = row[1] + u * row[4] + v * row[7]
        pz = row[2] + u * row[5] + v * row[8]
        x = tilt[0, 0] * px + tilt[1, 0] * py + tilt[2, 0] * pz
        y = tilt[0, 1] * px + tilt[1, 1] * py + tilt[2, 1] * pz
        z = tilt[0, 2] * px + tilt[1, 2] * py + tilt[2, 2] * pz
        angle = omega[i]
        shell[i] = -1
        out[i, 0], out[i, 1], out[i, 2] = 0.0, 0.0, 0.0
        if not upright:
            length = math.sqrt(x * x + y * y + z * z)
            gx = (x / length - beam[0]) / wavelength
            gy = (y / length - beam[1]) / wavelength
            gz = (z / length - beam[2]) / wavelength
            square = gx * gx + gy * gy + gz * gz
            across = math.sqrt(gx * gx + gy * gy)
            if 0.5 * wavelength * square >= across:
                continue
            cosine = -0.5 * wavelength * square / across
            wanted = math.copysign(math.acos(cosine), gy)
            angle += wanted - math.atan2(gy, gx)
            x = 1.0 + wavelength * across * cosine
            y = wavelength * across * math.sin(wanted)
            z = wavelength * gz
        y *= distance / x
        z *= distance / x
        radius = math.sqrt(y * y + z * z)
        out[i, 0], out[i, 1], out[i, 2] = y, z, angle - TURN * math.floor(angle / TURN)
        if abs(y) < pole * radius:
            continue
        for k in range(len(reach)):
            if reach[k, 0] <= radius <= reach[k, 1]:
                shell[i] = k
                break


@njit(nogil=True, cache=True)
def first_at_least(spots: FloatArray, lower: int, upper: int, low: float) -> int:
    """First row from ``lower`` on whose z is at least ``low``; ``upper`` where none is.

    The rows in between are in the order of z, column 1.
    """
    while lower < upper:
        middle = (lower + upper) // 2
        if spots[middle, 1] < low:
            lower = middle + 1
        else:
            upper = middle
    return lower


@njit(nogil=True, cache=True)
def friedel_pairs(
    spots: FloatArray,
    shell: IntArray,
    start: IntArray,
    bins: int,
    taken: np.ndarray,
    reach: FloatArray,
    window: FloatArray,
    pairs: IntArray,
) -> int:
    """Fill ``pairs`` (m, 2) with mates and return how many there are, even if more than m.

    Parameters
    ----------
    spots
        Rows y, z, omega, log intensity and the variances of the four, sorted by shell, then bin
        of omega, then z; shape (n, 8).
    shell, start, bins
        Shell of each spot; where each of shells * bins bins begins; bins of a turn.
    taken
        Spots to pass over.
    reach
        Largest |y1 - y2|, largest and smallest z1 + z2, um; largest multiple of the standard
        deviation in omega and intensity; spread of log intensity; widest omega window, rad.
    window
        Smallest and largest radius of a pair in each shell, um; shape (shells, 2).
    """
    found = 0
    width = TURN / bins
    factor = reach[3] * reach[3]
    for a in range(len(spots)):
        if taken[a] or spots[a, 2] >= math.pi:
            continue
        y, z, opposite = spots[a, 0], spots[a, 1], spots[a, 2] + math.pi
        first = math.floor((opposite - reach[5]) / width)
        last = math.floor((opposite + reach[5]) / width)
        low, high = reach[2] - z, reach[1] - z
        inner, outer = 4.0 * window[shell[a], 0] ** 2, 4.0 * window[shell[a], 1] ** 2
        for b in range(first, last + 1):
            here = shell[a] * bins + b % bins
            end = start[here + 1]
            for k in range(first_at_least(spots, start[here], end, low), end):
                if spots[k, 1] > high:
                    break
                off = spots[k, 2] - opposite
                off -= TURN * math.floor(off / TURN + 0.5)
                if off * off > factor * (spots[a, 6] + spots[k, 6]):
                    continue
                if abs(y - spots[k, 0]) > reach[0] or taken[k]:
                    continue
                across, along = y + spots[k, 0], z - spots[k, 1]
                square = across * across + along * along
                if square < inner or square > outer:
                    continue
                ratio = spots[a, 3] - spots[k, 3]
                if ratio * ratio > factor * (reach[4] ** 2 + spots[a, 7] + spots[k, 7]):
                    continue
                if found < len(pairs):
                    pairs[found, 0], pairs[found, 1] = a, k
                found += 1
    return found


@njit(nogil=True, cache=True)
def pair_vectors(
    spots: FloatArray, pairs: IntArray, distance: float, wavelength: float
) -> FloatArray:
    """What each pair says of its reflection and its grain's place, shape (pairs, 9).

    Rows: g (3) of the first spot, 1/angstrom, free of the place; then, with the place (x, y, z),
    coefficients of x and y and the value of the equation across the beam, and coefficients of x
    and y (that of z is one) and the value of the equation along the axis, um.
    """
    out = np.empty((len(pairs), 9))
    for i in range(len(pairs)):
        a, b = pairs[i, 0], pairs[i, 1]
        off = spots[b, 2] - spots[a, 2] - math.pi
        off -= TURN * math.floor(off / TURN + 0.5)
        # the omega of either spot counts by its precision
        share = spots[a, 6] / (spots[a, 6] + spots[b, 6])
        omega = spots[a, 2] + share * off
        cosine, sine = math.cos(omega), math.sin(omega)
        tan_y = 0.5 * (spots[a, 0] + spots[b, 0]) / distance
        tan_z = 0.5 * (spots[a, 1] - spots[b, 1]) / distance
        length = math.sqrt(1.0 + tan_y * tan_y + tan_z * tan_z)
        kx = (1.0 / length - 1.0) / wavelength
        ky = tan_y / length / wavelength
        out[i, 0] = cosine * kx + sine * ky
        out[i, 1] = cosine * ky - sine * kx
        out[i, 2] = tan_z / length / wavelength
        out[i, 3] = sine - tan_y * cosine
        out[i, 4] = cosine + tan_y * sine
        out[i, 5] = 0.5 * (spots[a, 0] - spots[b, 0])
        out[i, 6] = -tan_z * cosine
        out[i, 7] = tan_z * sine
        out[i, 8] = 0.5 * (spots[a, 1] + spots[b, 1])
    return out


@njit(nogil=True, cache=True)
def crossing_pairs(
    spots: FloatArray,
    shell: IntArray,
    start: IntArray,
    bins: int,
    taken: np.ndarray,
    reach: FloatArray,
    window: FloatArray,
    distance: float,
    pairs: IntArray,
) -> int:
    """Pairs of g at one crossing and -g at its other one; arguments as in `friedel_pairs`.

    The first spot of a pair lies at y > 0, the second beyond the beam from it, a few degrees
    before it in omega.
    """
    found = 0
    width = TURN / bins
    factor = reach[3] * reach[3]
    for a in range(len(spots)):
        if taken[a] or spots[a, 0] <= 0.0:
            continue
        y, z = spots[a, 0], spots[a, 1]
        early = spots[a, 2] - 2.0 * past_side(y, z, distance)
        first = math.floor((early - reach[5]) / width)
        last = math.floor((early + reach[5]) / width)
        low, high = reach[2] - z, reach[1] - z
        inner, outer = 4.0 * window[shell[a], 0] ** 2, 4.0 * window[shell[a], 1] ** 2
        for b in range(first, last + 1):
            here = shell[a] * bins + b % bins
            end = start[here + 1]
            for k in range(first_at_least(spots, start[here], end, low), end):
                if spots[k, 1] > high:
                    break
                if spots[k, 0] >= 0.0 or taken[k] or abs(y + spots[k, 0]) > reach[0]:
                    continue
                across, along = y - spots[k, 0], z - spots[k, 1]
                square = across * across + along * along
                if square < inner or square > outer:
                    continue
                # both spots know how far past the side the reflection crosses
                off = spots[k, 2] - spots[a, 2]
                off += 2.0 * past_side(0.5 * across, 0.5 * along, distance)
                off -= TURN * math.floor(off / TURN + 0.5)
                if off * off > factor * (spots[a, 6] + spots[k, 6]):
                    continue
                ratio = spots[a, 3] - spots[k, 3]
                if ratio * ratio > factor * (reach[4] ** 2 + spots[a, 7] + spots[k, 7]):
                    continue
                if found < len(pairs):
                    pairs[found, 0], pairs[found, 1] = a, k
                found += 1
    return found


@njit(nogil=True, cache=True)
def past_side(y: float, z: float, distance: float) -> float:
    """Angle by which g stands past the right angle to the beam where it diffracts to (y, z)."""
    length = math.sqrt(distance * distance + y * y + z * z)
    along = 1.0 - distance / length
    across = abs(y) / length
    return math.atan2(along, across)


@njit(nogil=True, cache=True)
def crossing_vectors(
    spots: FloatArray, pairs: IntArray, distance: float, wavelength: float
) -> FloatArray:
    """What each pair of `crossing_pairs` says, shape (pairs, 9), as `pair_vectors` does.

    The equations are exact; the length of g is off by the place along the beam over the
    distance.
    """
    out = np.empty((len(pairs), 9))
    for i in range(len(pairs)):
        a, b = pairs[i, 0], pairs[i, 1]
        off = spots[b, 2] - spots[a, 2]
        off -= TURN * math.floor(off / TURN + 0.5)
        omega = spots[a, 2] + 0.5 * off
        tan_y = 0.5 * (spots[a, 0] - spots[b, 0]) / distance
        tan_z = 0.5 * (spots[a, 1] - spots[b, 1]) / distance
        length = math.sqrt(1.0 + tan_y * tan_y + tan_z * tan_z)
        kx = (1.0 / length - 1.0) / wavelength
        ky = tan_y / length / wavelength
        # half way between the two g points to the side, whatever the crossing
        across = math.sqrt(kx * kx + ky * ky)
        out[i, 0] = math.sin(omega) * across
        out[i, 1] = math.cos(omega) * across
        out[i, 2] = tan_z / length / wavelength
        c1, s1 = math.cos(spots[a, 2]), math.sin(spots[a, 2])
        c2, s2 = math.cos(spots[b, 2]), math.sin(spots[b, 2])
        out[i, 3] = 0.5 * (s1 + s2) - 0.5 * tan_y * (c1 - c2)
        out[i, 4] = 0.5 * (c1 + c2) + 0.5 * tan_y * (s1 - s2)
        out[i, 5] = 0.5 * (spots[a, 0] + spots[b, 0])
        out[i, 6] = -0.5 * tan_z * (c1 - c2)
        out[i, 7] = 0.5 * tan_z * (s1 - s2)
        out[i, 8] = 0.5 * (spots[a, 1] + spots[b, 1])
    return out
