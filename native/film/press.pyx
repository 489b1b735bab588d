# cython: auto_pickle=False
"""Clear segments of one track of a file, from index to answer in one call.

Whatever is not plain sailing is None, and left to the handler: it knows what to do and say when a
file has changed, a disk would be waited for, or there is no such segment.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free

from native.bmff.cutter cimport Plan
from native.bmff.gather cimport is_same

from native.bmff.errors import BoxError

cdef extern from "Python.h":
    str PyUnicode_FromFormat(const char* format, ...)


cdef class _Mark:
    """A file as it was."""

    cdef bytes path
    cdef uint64_t size, inode
    cdef int64_t mtime_ns

    def __init__(self, bytes path not None, size, mtime_ns, inode):
        self.path, self.size, self.mtime_ns, self.inode = path, size, mtime_ns, inode


@cython.final
cdef class Press:
    def __init__(
        self,
        Cutter cutter not None,
        Source source not None,
        Cast cast not None,
        *,
        str leaf not None,
        marks,
        recall,
        keep,
    ):
        self.cutter, self.source, self.cast, self.leaf = cutter, source, cast, leaf
        self.marks = tuple([_Mark(*mark) for mark in marks])
        self.recall, self.keep = recall, keep

    cdef Entity answer(self, Py_ssize_t number):
        cdef _Mark mark
        cdef Entity entity
        cdef bytes body
        for mark in self.marks:
            if not is_same(PyBytes_AS_STRING(mark.path), mark.size, mark.mtime_ns, mark.inode):
                return None
        leaf = PyUnicode_FromFormat("%U%zd.m4s", <void*>self.leaf, number)
        entity = self.recall(leaf)
        if entity is not None:
            return entity
        try:
            body = self.media(number)
        except (KeyError, BoxError):
            return None
        if body is None:
            return None
        entity = self.cast.made(number, (body,))
        self.keep(leaf, entity)
        return entity

    cdef bytes media(self, Py_ssize_t number):
        """A whole segment; None when it would wait."""
        cdef Plan plan
        cdef bytes out
        plan.rows = NULL
        try:
            out = self.cutter.plan(number, &plan, True)
            if self.source.fill(
                PyBytes_AS_STRING(out) + plan.head, plan.starts, plan.lengths, plan.runs, plan.media
            ):
                return out
            return None
        finally:
            free(plan.rows)
