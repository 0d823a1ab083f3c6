"""Friedel pairs: spots as an upright axis would show them, and mates half a turn apart.

All vectors are on turntable axes: z along the rotation axis, x near the beam.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mesolith.axes import FloatArray, IntArray

TURN = 2.0 * math.pi


@njit(nogil=True, cache=True)
def upright_spots(
    points: FloatArray,
    omega: FloatArray,
    beam: FloatArray,
    wavelength: float,
    distance: float,
) -> FloatArray:
    """Place (y, z) at x = ``distance`` and omega of each spot if the beam lay along x, (n, 3).

    ``points`` (n, 3) are where rays from near the origin hit; omega is in [0, 2 pi). NaN where
    the upright axis would not bring the reflection to the sphere.
    """
    out = np.empty((len(points), 3))
    upright = beam[1] == 0.0 and beam[2] == 0.0
    for i in range(len(points)):
        x, y, z, angle = points[i, 0], points[i, 1], points[i, 2], omega[i]
        if not upright:
            length = math.sqrt(x * x + y * y + z * z)
            gx = (x / length - beam[0]) / wavelength
            gy = (y / length - beam[1]) / wavelength
            gz = (z / length - beam[2]) / wavelength
            square = gx * gx + gy * gy + gz * gz
            across = math.sqrt(gx * gx + gy * gy)
            cosine = -0.5 * wavelength * square / across
            if abs(cosine) >= 1.0:
                out[i, 0], out[i, 1], out[i, 2] = math.nan, math.nan, math.nan
                continue
            azimuth = math.atan2(gy, gx)
            wanted = math.acos(cosine)
            angle += math.copysign(wanted, gy) - azimuth
            x = 1.0 + wavelength * across * cosine
            y = math.copysign(wavelength * across * math.sin(wanted), gy)
            z = wavelength * gz
        out[i, 0] = distance * y / x
        out[i, 1] = distance * z / x
        out[i, 2] = angle - TURN * math.floor(angle / TURN)
    return out


@njit(nogil=True, cache=True)
def friedel_pairs(
    spots: FloatArray,
    shell: IntArray,
    start: IntArray,
    bins: int,
    taken: np.ndarray,  # type: ignore[type-arg]
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
        first = int(math.floor((opposite - reach[5]) / width))
        last = int(math.floor((opposite + reach[5]) / width))
        low, high = reach[2] - z, reach[1] - z
        inner, outer = 4.0 * window[shell[a], 0] ** 2, 4.0 * window[shell[a], 1] ** 2
        for b in range(first, last + 1):
            here = shell[a] * bins + b % bins
            lower, upper = start[here], start[here + 1]
            end = upper
            while lower < upper:
                middle = (lower + upper) // 2
                if spots[middle, 1] < low:
                    lower = middle + 1
                else:
                    upper = middle
            for k in range(lower, end):
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
