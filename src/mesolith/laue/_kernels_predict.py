"""Where the spots of an orientation fall, how strong they should be and how deep they start."""

from __future__ import annotations

import math

from numba import njit

_KEV_ANGSTROM = 12.398419843320026
_PER_KEV = 50.0  # steps of the energy table


@njit(nogil=True, cache=True)
def project(x, y, z, depth, row):  # type: ignore[no-untyped-def]
    """Ideal place (fast, slow) of the spot of a reflecting vector, and sin(theta); 0: no spot."""
    length = math.sqrt(x * x + y * y + z * z)
    sine = -(x * row[0] + y * row[1] + z * row[2]) / length
    if sine <= 0.0:
        return 0.0, 0.0, 0.0
    f = 2.0 * sine / length
    ux, uy, uz = row[0] + f * x, row[1] + f * y, row[2] + f * z
    towards = ux * row[12] + uy * row[13] + uz * row[14]
    ax, ay, az = row[3] - depth * row[0], row[4] - depth * row[1], row[5] - depth * row[2]
    away = ax * row[12] + ay * row[13] + az * row[14]
    if towards * away <= 0.0:
        return 0.0, 0.0, 0.0
    reach = away / towards
    hx, hy, hz = reach * ux - ax, reach * uy - ay, reach * uz - az
    fast = (hx * row[6] + hy * row[7] + hz * row[8]) / row[15] + 0.5 * (row[17] - 1.0)
    slow = (hx * row[9] + hy * row[10] + hz * row[11]) / row[16] + 0.5 * (row[18] - 1.0)
    return fast, slow, sine


@njit(nogil=True, cache=True)
def strength_of(k, sine, length, start, order, square, photons):  # type: ignore[no-untyped-def]
    """Strength of a direction's spot at that sin(theta)."""
    unit = 0.5 * _KEV_ANGSTROM * length[k] / sine * _PER_KEV
    total = 0.0
    for m in range(start[k], start[k + 1]):
        step = int(unit * order[m] + 0.5)
        if step >= len(photons):
            break
        total += square[m] * photons[step]
    return total


@njit(nogil=True, cache=True)
def predict(  # type: ignore[no-untyped-def]
    g, hkl, length, start, order, square, photons, attenuation, centre, cosine, row,
            out, which):  # fmt: skip
    """Fill out (n, 6) and which (n, 2) with the spots on the panel; their number.

    ``g`` (3, 3) holds a*, b*, c*. Columns of ``out``: fast, slow, strength, mean depth (um),
    spread of the depth over the harmonics, energy (keV) of the strongest; of ``which``:
    direction, order of the strongest harmonic.
    """
    count = 0
    for k in range(len(hkl)):
        x = g[0, 0] * hkl[k, 0] + g[0, 1] * hkl[k, 1] + g[0, 2] * hkl[k, 2]
        y = g[1, 0] * hkl[k, 0] + g[1, 1] * hkl[k, 1] + g[1, 2] * hkl[k, 2]
        z = g[2, 0] * hkl[k, 0] + g[2, 1] * hkl[k, 1] + g[2, 2] * hkl[k, 2]
        if x * centre[0] + y * centre[1] + z * centre[2] < cosine * length[k]:
            continue
        fast, slow, sine = project(x, y, z, 0.0, row)
        if sine <= 0.0:
            continue
        if fast < -9.0 or slow < -9.0 or fast > row[17] + 8.0 or slow > row[18] + 8.0:
            continue
        scale = math.sqrt(x * x + y * y + z * z)
        unit = 0.5 * _KEV_ANGSTROM * scale / sine
        total = 0.0
        deep = 0.0
        deeper = 0.0
        best = 0.0
        best_order = 0
        for m in range(start[k], start[k + 1]):
            step = int(unit * _PER_KEV * order[m] + 0.5)
            if step >= len(photons):
                break
            share = square[m] * photons[step]
            total += share
            deep += share * attenuation[step]
            deeper += share * attenuation[step] ** 2
            if share > best:
                best = share
                best_order = order[m]
        if total <= 0.0:
            continue
        # along the beam: the way in and, longer or shorter, the way out
        f = 2.0 * sine / scale
        out_of = (
            (row[0] + f * x) * row[19] + (row[1] + f * y) * row[20] + (row[2] + f * z) * row[21]
        )
        into = -(row[0] * row[19] + row[1] * row[20] + row[2] * row[21])
        if out_of < 0.02:
            continue
        way = 1.0 / (1.0 + into / out_of)
        mean = deep / total
        spread = math.sqrt(max(deeper / total - mean * mean, 0.0)) * way
        fast, slow, sine = project(x, y, z, mean * way, row)
        if fast < -0.5 or slow < -0.5 or fast > row[17] - 0.5 or slow > row[18] - 0.5:
            continue
        out[count, 0] = fast
        out[count, 1] = slow
        out[count, 2] = total
        out[count, 3] = mean * way
        out[count, 4] = spread
        out[count, 5] = unit * best_order
        which[count, 0] = k
        which[count, 1] = best_order
        count += 1
        if count == len(out):
            break
    return count
