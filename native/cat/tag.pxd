"""A tagged CBOR item."""

cdef class Tag:
    cdef readonly object number
    cdef readonly object value

cdef Tag new_tag(object number, object value)
