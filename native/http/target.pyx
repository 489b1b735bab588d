"""Path and query (RFC 3986 3.3, 3.4; specs/http1.md section 6): decoded once, never normalised."""

from libc.string cimport memchr, memcmp

from native.http import tables

cdef uint8_t PCHAR[256]
cdef uint8_t HEX[256]  # 1 + value
for _octet in tables.PCHAR:
    PCHAR[<uint8_t>_octet] = 1
for _value, _digits in enumerate(tables.HEX_DIGITS):
    for _octet in _digits:
        HEX[<uint8_t>_octet] = 1 + _value
cdef int PARAMETERS_MAX = tables.PARAMETERS_MAX


cdef bint well_formed(const uint8_t* s, size_t n) noexcept nogil:
    """UTF-8 without overlong forms, surrogates and anything above 10FFFF (RFC 3629 4)."""
    cdef size_t i = 0, k, more
    cdef uint8_t low, high
    while i < n:
        if s[i] < 0x80:
            i += 1
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= s[i] <= 0xDF:
            more = 1
        elif 0xE0 <= s[i] <= 0xEF:
            more = 2
            if s[i] == 0xE0:
                low = 0xA0
            elif s[i] == 0xED:
                high = 0x9F
        elif 0xF0 <= s[i] <= 0xF4:
            more = 3
            if s[i] == 0xF0:
                low = 0x90
            elif s[i] == 0xF4:
                high = 0x8F
        else:
            return False
        if n - i <= more or not low <= s[i + 1] <= high:
            return False
        for k in range(2, more + 1):
            if not 0x80 <= s[i + k] <= 0xBF:
                return False
        i += more + 1
    return True


cdef bint read_path(const uint8_t* text, size_t size, uint8_t* room, Target* out) noexcept nogil:
    """Check and decode a path that starts with "/"; `room` has `size` octets (HT-50..HT-53)."""
    cdef size_t i = 1, o = 1, segment = 1
    cdef bint coded = False
    cdef uint8_t octet
    if size == 0 or text[0] != 47:
        return False
    room[0] = 47
    while True:
        if i == size or text[i] == 47:
            if o == segment and i < size:
                return False  # "//"
            if room[segment] == 46 and (o - segment == 1 or o - segment == 2 and room[segment + 1] == 46):
                return False  # "." or "..", HT-52
            if i == size:
                break
            octet = 47
            segment = o + 1
        elif PCHAR[text[i]]:
            octet = text[i]
        elif text[i] == 37 and i + 2 < size and HEX[text[i + 1]] and HEX[text[i + 2]]:
            octet = <uint8_t>((HEX[text[i + 1]] - 1) * 16 + HEX[text[i + 2]] - 1)
            if octet < 32 or octet == 127 or octet == 47 or octet == 92:
                return False
            if octet > 127:
                coded = True
            i += 2
        else:
            return False
        room[o] = octet
        o += 1
        i += 1
    out.path, out.path_size = room, o
    return not coded or well_formed(room, o)


cdef bint is_known(const uint8_t* name, size_t size) noexcept nogil:
    """tables.KNOWN_PARAMETERS and KNOWN_PREFIX: case-sensitive, save CAT."""
    if size >= 5 and memcmp(name, b"_HLS_", 5) == 0:
        return True
    if size == 3:
        return memcmp(name, b"end", 3) == 0 or is_token(name, size)
    return size == 5 and memcmp(name, b"start", 5) == 0


cdef bint is_token(const uint8_t* name, size_t size) noexcept nogil:
    return size == 3 and name[0] | 32 == 99 and name[1] | 32 == 97 and name[2] | 32 == 116


cdef bint sound(const uint8_t* text, size_t size) noexcept nogil:
    """Escapes of a known parameter: two hex digits each, no control character (HT-56)."""
    cdef size_t i = 0
    cdef int octet
    while i < size:
        if text[i] == 37:
            if i + 2 >= size or not HEX[text[i + 1]] or not HEX[text[i + 2]]:
                return False
            octet = (HEX[text[i + 1]] - 1) * 16 + HEX[text[i + 2]] - 1
            if octet < 32 or octet == 127:
                return False
            i += 2
        i += 1
    return True


cdef bint read_query(const uint8_t* text, size_t size, Target* out) noexcept nogil:
    """HT-55, HT-56: split at "&", look at known names only, decode nothing."""
    cdef const uint8_t* names[64]
    cdef size_t sizes[64]
    cdef size_t at = 0, end, name
    cdef int parameters = 0, known = 0, k
    out.query, out.query_size, out.known = text, size, False
    if size and memchr(text, 35, size) != NULL:
        return False
    while at < size:
        end = at
        while end < size and text[end] != 38:
            end += 1
        if end > at:
            parameters += 1
            if parameters > PARAMETERS_MAX:
                return False
            name = at
            while name < end and text[name] != 61:
                name += 1
            name -= at
            if is_known(text + at, name):
                out.known = True
                if not sound(text + at + name, end - at - name):
                    return False
                if not is_token(text + at, name):  # a token twice is CAT-94's affair
                    for k in range(known):
                        if sizes[k] == name and memcmp(names[k], text + at, name) == 0:
                            return False
                    names[known], sizes[known] = text + at, name
                    known += 1
        at = end + 1
    return True


def split_target(target: bytes) -> tuple[bytes, bytes, bool]:
    """Decoded path, raw query, whether it names a known parameter; ValueError if ill-formed."""
    cdef Target out
    cdef bytes room = bytes(len(target) + 2)
    cdef const uint8_t* text = target
    path, _, query = target.partition(b"?")
    if not read_path(text, len(path), <uint8_t*><char*>room, &out):
        raise ValueError("bad_path")
    if not read_query(text + len(target) - len(query), len(query), &out):
        raise ValueError("bad_query")
    return out.path[: out.path_size], query, out.known
