"""Accept-Encoding (RFC 9110 12.5.3, 12.4.2; specs/http1.md section 11): gzip or identity."""

from native.http import tables
from native.http.parser cimport equal

cdef uint8_t TCHAR[256]
for _octet in tables.TCHAR:
    TCHAR[<uint8_t>_octet] = 1


cdef size_t skip_blanks(const uint8_t* text, size_t at, size_t end) noexcept nogil:
    while at < end and (text[at] == 32 or text[at] == 9):
        at += 1
    return at


cdef int weight(const uint8_t* text, size_t at, size_t end) noexcept nogil:
    """Thousandths of `; q=0.123` or nothing (1000); -1 when ill-formed."""
    cdef int value, scale = 100
    at = skip_blanks(text, at, end)
    if at == end:
        return 1000
    if text[at] != 59:
        return -1
    at = skip_blanks(text, at + 1, end)
    if end - at < 3 or text[at] | 32 != 113 or text[at + 1] != 61:
        return -1
    at += 2
    if text[at] != 48 and text[at] != 49:
        return -1
    value = (text[at] - 48) * 1000
    at += 1
    if at < end and text[at] == 46:
        at += 1
        while at < end and 48 <= text[at] <= 57 and scale:
            value += (text[at] - 48) * scale
            scale //= 10
            at += 1
    if skip_blanks(text, at, end) != end or value > 1000:
        return -1
    return value


cdef void read_codings(const uint8_t* text, size_t size, Weights* weights) noexcept nogil:
    """Add the members of one line; one with a bad token or weight is dropped (HT-101)."""
    cdef size_t at = 0, end, name, stop
    cdef int q
    while at < size:
        end = at
        while end < size and text[end] != 44:
            end += 1
        name = skip_blanks(text, at, end)
        stop = name
        while stop < end and TCHAR[text[stop]]:
            stop += 1
        q = weight(text, stop, end) if stop > name else -1
        if q >= 0:
            if stop - name == 1 and text[name] == 42:
                weights.star = q
            elif stop - name == 4 and equal(text + name, b"gzip", 4):
                weights.gzip = q
            elif stop - name == 6 and equal(text + name, b"x-gzip", 6):
                weights.gzip = q
            elif stop - name == 8 and equal(text + name, b"identity", 8):
                weights.identity = q
        at = end + 1


cdef bint gzip_wanted(const Weights* weights) noexcept nogil:
    """Whether gzip is acceptable and not below an identity the client named (HT-100)."""
    cdef int gzip = weights.gzip if weights.gzip >= 0 else weights.star
    return gzip > 0 and gzip >= weights.identity


def wants_gzip(lines: list[bytes]) -> bool:
    """The choice for the field spread over `lines`; none: identity."""
    cdef Weights weights = Weights(-1, -1, -1)
    for line in lines:
        read_codings(line, len(line), &weights)
    return gzip_wanted(&weights)
