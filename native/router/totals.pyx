"""Rows of sums added up by cell, by region and for all, and along what cells have in common: what a
snapshot is made of.
"""

from cpython.array cimport array, clone
from libc.math cimport fmax
from libc.string cimport memset

cdef array DOUBLES = array("d")

cdef enum:  # the first columns of totals
    N, QOE, FAILURES, RECENT_N, RECENT_QOE, PRESENCE, LEAST

cdef enum:  # the columns of lines
    LINE_N, LINE_RECENT_N, LINE_PRESENCE, LINE_POINTS, WIDTH


def add(double[::1] totals not None, dict rows not None, const int[::1] spots not None,
        const int[::1] wider not None, Py_ssize_t cdns, const double[::1] fade not None):
    cdef Py_ssize_t width = fade.shape[0], row = 0, spot, place, region, cdn, column
    cdef Py_ssize_t own, of_region, of_all
    cdef double value
    cdef array held
    if cdns < 1 or width < 1 or totals.shape[0] != wider.shape[0] * cdns * width:
        raise ValueError("totals have another size")
    if spots.shape[0] != len(rows):
        raise ValueError("each row has a spot")
    for values in rows.values():
        if not isinstance(values, array):
            raise ValueError("a row is an array")
        held = <array>values
        if held.ob_descr.typecode != 100 or len(held) != width:  # "d"
            raise ValueError("a row has a double for each column")
        spot = spots[row]
        row += 1
        if not 0 <= spot < wider.shape[0] * cdns:
            raise ValueError("no such spot")
        place, cdn = spot // cdns, spot % cdns
        region = wider[place]
        if not 0 <= region < wider.shape[0]:
            raise ValueError("no such place")
        own, of_region, of_all = spot * width, (region * cdns + cdn) * width, cdn * width
        for column in range(width):
            value = held.data.as_doubles[column] * fade[column]
            totals[own + column] += value
            if region != place:
                totals[of_region + column] += value
            if place and region:
                totals[of_all + column] += value


cdef inline double explained(const double *sums) noexcept:
    """What a line that sank takes off the squares of what is left."""
    if sums[LINE_POINTS] >= 0.0 or sums[LINE_RECENT_N] <= 0.0:
        return 0.0
    return sums[LINE_POINTS] * sums[LINE_POINTS] / sums[LINE_RECENT_N]


def drift(const double[::1] totals not None, const int[::1] along not None, Py_ssize_t each,
          Py_ssize_t lines, Py_ssize_t cdns, Py_ssize_t cdn, Py_ssize_t rounds,
          double enough):
    cdef Py_ssize_t places, place, at, width, line, best
    cdef const double *row
    cdef double *sums
    cdef double most, mean
    cdef list found = []
    if not 0 <= cdn < cdns or each < 1 or lines < 0 or along.shape[0] % each:
        raise ValueError("lines or places have another size")
    if not 0.0 <= enough <= 1.0:
        raise ValueError("enough is a part of the most a line explains")
    places = along.shape[0] // each
    width = totals.shape[0] // (places * cdns) if places else LEAST
    if width < LEAST or totals.shape[0] != places * cdns * width:
        raise ValueError("totals have another size")
    for at in range(along.shape[0]):
        if along[at] >= lines:
            raise ValueError("no such line")
    cdef array left = clone(DOUBLES, places, True), held = clone(DOUBLES, lines * WIDTH, True)
    for place in range(places):
        row = &totals[(place * cdns + cdn) * width]
        if row[N] > 0.0:
            left.data.as_doubles[place] = row[RECENT_QOE] - row[RECENT_N] * row[QOE] / row[N]
    for _ in range(rounds):
        memset(held.data.as_doubles, 0, lines * WIDTH * sizeof(double))
        for place in range(places):
            row = &totals[(place * cdns + cdn) * width]
            for at in range(place * each, (place + 1) * each):
                if along[at] >= 0:
                    sums = &held.data.as_doubles[along[at] * WIDTH]
                    sums[LINE_N] += row[N]
                    sums[LINE_RECENT_N] += row[RECENT_N]
                    sums[LINE_PRESENCE] += row[PRESENCE]
                    sums[LINE_POINTS] += left.data.as_doubles[place]
        most = 0.0
        for line in range(lines):
            most = fmax(most, explained(&held.data.as_doubles[line * WIDTH]))
        if most <= 0.0:
            break
        best = -1
        for line in range(lines):
            sums = &held.data.as_doubles[line * WIDTH]
            if explained(sums) >= enough * most:
                if best < 0 or sums[LINE_N] > held.data.as_doubles[best * WIDTH + LINE_N]:
                    best = line
        sums = &held.data.as_doubles[best * WIDTH]
        mean = sums[LINE_POINTS] / sums[LINE_RECENT_N]
        found.append((best, sums[LINE_N], sums[LINE_RECENT_N], sums[LINE_PRESENCE], mean))
        for at in range(along.shape[0]):
            if along[at] == best:
                place = at // each
                left.data.as_doubles[place] -= totals[(place * cdns + cdn) * width + RECENT_N] * mean
    return found
