"""Range (RFC 9110 14.1, 14.2; specs/http1.md section 10): one range is served, a set is ignored."""

from libc.string cimport memchr

cdef int64_t POSITION_MAX = 0x7FFFFFFFFFFFFFFF  # HT-94


cdef size_t position(const uint8_t* text, size_t size, size_t at, int64_t* out) noexcept nogil:
    """Digits from `at`, saturating; the offset behind them."""
    cdef int64_t value = 0
    cdef int digit
    while at < size and 48 <= text[at] <= 57:
        digit = text[at] - 48
        value = POSITION_MAX if value > (POSITION_MAX - digit) // 10 else value * 10 + digit
        at += 1
    out[0] = value
    return at


cdef int read_form(const uint8_t* text, size_t size, int64_t* first, int64_t* last) noexcept nogil:
    """The form of `text` and the positions it names; IGNORED when it is no single range of bytes."""
    cdef const char* unit = b"bytes="
    cdef size_t at, begin
    cdef bint suffix
    if size < 6:
        return IGNORED
    for at in range(6):
        if (text[at] | 32 if at < 5 else text[at]) != <uint8_t>unit[at]:
            return IGNORED
    if memchr(text, 44, size) != NULL:
        return IGNORED  # HT-95
    at = 6
    while at < size and (text[at] == 32 or text[at] == 9):
        at += 1
    while size > at and (text[size - 1] == 32 or text[size - 1] == 9):
        size -= 1
    begin = at
    at = position(text, size, at, first)
    suffix = at == begin
    if at == size or text[at] != 45:
        return IGNORED
    begin = at + 1
    at = position(text, size, begin, last)
    if at != size or suffix and at == begin:
        return IGNORED
    if suffix:
        return SUFFIX
    if at == begin:
        last[0] = POSITION_MAX
        return OPEN
    return IGNORED if last[0] < first[0] else CLOSED


cdef int read_range(
    const uint8_t* text, size_t size, int64_t length, int64_t* first, int64_t* last
) noexcept nogil:
    """What `text` asks of an object of `length` octets; `first` and `last` when SATISFIED."""
    cdef int form = read_form(text, size, first, last)
    if form == IGNORED:
        return IGNORED
    if form == SUFFIX:
        if last[0] == 0 or length == 0:
            return UNSATISFIABLE
        first[0] = length - last[0] if last[0] < length else 0
        last[0] = length - 1
        return SATISFIED
    if first[0] >= length:
        return UNSATISFIABLE
    if last[0] >= length:
        last[0] = length - 1
    return SATISFIED


def parse_range(value: bytes, length: int) -> tuple[int, int] | bool:
    """(first, last), False when unsatisfiable, True when there is no range to obey."""
    cdef int64_t first = 0, last = 0
    cdef int verdict = read_range(value, len(value), length, &first, &last)
    if verdict == SATISFIED:
        return first, last
    return verdict == IGNORED
