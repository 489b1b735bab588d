# cython: auto_pickle=False
"""A tagged CBOR item (RFC 8949, 3.4). A token may hold a thousand of them, so making one is cheap."""

cimport cython


@cython.freelist(64)
@cython.no_gc  # what a token holds refers to nothing above it
cdef class Tag:
    def __init__(self, number, value):
        self.number = number
        self.value = value

    def __eq__(self, other):
        if type(other) is not Tag:
            return NotImplemented
        return self.number == (<Tag>other).number and self.value == (<Tag>other).value

    def __repr__(self):
        return f"Tag({self.number}, {self.value!r})"


cdef Tag new_tag(object number, object value):
    cdef Tag tag = Tag.__new__(Tag)
    tag.number = number
    tag.value = value
    return tag
