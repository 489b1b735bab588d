"""Rows of sums added up by cell, by region and for all: what a snapshot is made of."""

from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact, PyList_GET_ITEM, PyList_GET_SIZE


def add(double[::1] totals not None, dict rows not None, const int[::1] spots not None,
        const int[::1] wider not None, Py_ssize_t cdns, const double[::1] fade not None):
    cdef Py_ssize_t width = fade.shape[0], row = 0, spot, place, region, cdn, column
    cdef Py_ssize_t own, of_region, of_all
    cdef double value
    cdef object item
    if cdns < 1 or width < 1 or totals.shape[0] != wider.shape[0] * cdns * width:
        raise ValueError("totals have another size")
    if spots.shape[0] != len(rows):
        raise ValueError("each row has a spot")
    for values in rows.values():
        if not PyList_CheckExact(values) or PyList_GET_SIZE(values) != width:
            raise ValueError("a row has a number for each column")
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
            item = <object>PyList_GET_ITEM(values, column)
            if not PyFloat_CheckExact(item):
                raise ValueError("a row is of floats")
            value = PyFloat_AS_DOUBLE(item) * fade[column]
            totals[own + column] += value
            if region != place:
                totals[of_region + column] += value
            if place and region:
                totals[of_all + column] += value
