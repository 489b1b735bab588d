"""Tags by number, and the URI places of each; both derived from tables.py at import."""

from libc.string cimport memcmp

from native.hls import tables

NAMES = tuple(tables.TAGS)

cdef const uint8_t* names[TAGS_MAX]
cdef uint8_t first_of_size[TAGS_MAX]  # names of one size are a chain
cdef uint8_t next_of_size[TAGS_MAX]
cdef Places places[TAGS_MAX]


cdef void _derive() except *:
    cdef bytes name, attribute
    cdef dict holders = {**tables.URI_ATTRIBUTES, **tables.RELATIVE_ATTRIBUTES}
    cdef int number, index
    if len(NAMES) > TAGS_MAX or max(map(len, NAMES)) >= TAGS_MAX:
        raise ValueError("the tag table outgrew its numbers")
    for number in range(TAGS_MAX):
        first_of_size[number] = NO_TAG
    for number, name in enumerate(NAMES):
        names[number] = name
        next_of_size[number] = first_of_size[len(name)]
        first_of_size[len(name)] = number
        places[number].relative = name in tables.RELATIVE_ATTRIBUTES
        for index, attribute in enumerate(holders.get(name, ())):
            places[number].names[index] = attribute
            places[number].sizes[index] = len(attribute)
            places[number].count = index + 1


_derive()


cdef uint8_t tag_number(const uint8_t* name, size_t size) noexcept nogil:
    """The number of a tag in NAMES, or NO_TAG."""
    cdef uint8_t number = first_of_size[size] if size < TAGS_MAX else <uint8_t>NO_TAG
    while number != NO_TAG and memcmp(names[number], name, size) != 0:
        number = next_of_size[number]
    return number


cdef const Places* tag_places(uint8_t tag) noexcept nogil:
    """The attributes of a known tag that hold URIs."""
    return &places[tag]
