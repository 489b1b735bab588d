from native.cat.epoch cimport Epoch
from native.cat.judge cimport Rules
from native.cat.namer cimport Namer
from native.cat.plan cimport Plan
from native.cat.request cimport Request, Text
from native.cat.verdict cimport Verdict


cdef class Fast:
    """The quick yes."""

    cdef tuple sealers
    cdef Namer namer
    cdef Rules rules
    cdef Py_ssize_t most
    cdef dict young  # name of a token -> Plan; when full it becomes the old one
    cdef dict old
    cdef Epoch epoch  # None without lists
    cdef bint renews
    cdef type kind
    cdef object decode

    cdef Plan accepts(self, Text token, Request request)
    cdef bint passes(self, Plan plan, double now) except -1
    cdef int keep(self, bytes name, Plan plan) except -1
    cdef Plan read(self, Text text, double now)
    cdef Verdict accepted(self, bytes payload, str kid)
