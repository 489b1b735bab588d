# cython: auto_pickle=False
"""The face that the codecs of NAL units share."""

from libc.stdint cimport uint8_t


cdef class Sets:
    """Parameter sets in force."""

    cdef int configure(self, const uint8_t* record, Py_ssize_t size) except -1:
        """Take the sets of a decoder configuration record; the NAL length size."""
        raise NotImplementedError

    cdef Sets branch(self):
        """A copy: what in-band sets change there stays there."""
        raise NotImplementedError

    cdef Py_ssize_t head(self, const uint8_t* unit, Py_ssize_t size) except -2:
        """Clear bytes in front of the protected ones; -1: the whole unit is clear.

        Sets are taken in on the way. SampleError does not know its sample yet.
        """
        raise NotImplementedError
