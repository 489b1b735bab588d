"""One-pass strict parser of request heads (RFC 9112 sections 2 to 7; specs/http1.md sections 2 to 5).

Rules
1. Octets in, offsets out: nothing is allocated, nothing is copied, no Python object is made.
2. The first octet that cannot continue a legal request is the fault (HT-3); a line end is not waited for.
3. A head in pieces resumes at the line that was unfinished, and gives what it gives in one piece (HT-64).
4. Line syntax and limits come first; framing, Host, target form and Expect follow on the whole head (HT-5).
"""

from libc.string cimport memcmp, memset

from native.http.authority cimport Authority, read_authority, same_authority

from native.http import errors, tables

cdef uint8_t TCHAR[256]
cdef uint8_t TARGET[256]
cdef uint8_t FIELD[256]
cdef uint8_t FOLD[256]  # lower case, "_" read as "-" (HT-26)
cdef uint8_t LOWER[256]

cdef size_t LINE_MAX = tables.LINE_BYTES_MAX
cdef size_t SECTION_MAX = tables.SECTION_BYTES_MAX
cdef size_t METHOD_MAX = tables.METHOD_BYTES_MAX
cdef int FIELDS_MAX = tables.FIELDS_MAX

cdef struct Name:
    uint8_t size
    uint8_t text[20]
    uint8_t single

cdef Name NAMES[16]
cdef int NAMES_COUNT = len(tables.KNOWN_FIELDS)
cdef uint8_t LAST_OF_SIZE[32]  # 1 + the last name of that size, 0: none
cdef uint8_t BEFORE[16]  # 1 + the name of equal size before it


cdef void fill(uint8_t* table, bytes octets) noexcept:
    for octet in octets:
        table[<uint8_t>octet] = 1


cdef void prepare():
    cdef int i
    fill(TCHAR, tables.TCHAR)
    fill(TARGET, tables.TARGET)
    fill(FIELD, tables.FIELD)
    for i in range(256):
        LOWER[i] = i + 32 if 65 <= i <= 90 else i
        FOLD[i] = 45 if i == 95 else LOWER[i]
    for i, known in enumerate(tables.KNOWN_FIELDS):
        name = known.name.encode()
        NAMES[i].size = len(name)
        for k, octet in enumerate(name):
            NAMES[i].text[k] = octet
        NAMES[i].single = known.single
        BEFORE[i] = LAST_OF_SIZE[len(name)]
        LAST_OF_SIZE[len(name)] = i + 1


prepare()

cdef int fault(str code):
    return FAULT + <int>errors.NUMBER[code]


cdef int BAD_REQUEST_LINE = fault("bad_request_line")
cdef int BAD_LINE_END = fault("bad_line_end")
cdef int EMPTY_LINES = fault("empty_lines")
cdef int BAD_TARGET_OCTET = fault("bad_target_octet")
cdef int BAD_VERSION = fault("bad_version")
cdef int LINE_TOO_LONG = fault("line_too_long")
cdef int UNSUPPORTED_VERSION = fault("unsupported_version")
cdef int METHOD_NOT_ALLOWED = fault("method_not_allowed")
cdef int METHOD_UNKNOWN = fault("method_unknown")
cdef int BAD_FIELD_NAME = fault("bad_field_name")
cdef int BAD_FIELD_VALUE = fault("bad_field_value")
cdef int HEAD_TOO_LARGE = fault("head_too_large")
cdef int TOO_MANY_FIELDS = fault("too_many_fields")
cdef int FIELD_TWICE = fault("field_twice")
cdef int AMBIGUOUS_NAME = fault("ambiguous_name")
cdef int TRANSFER_ENCODING = fault("transfer_encoding")
cdef int CONTENT_LENGTH = fault("content_length")
cdef int HOST_MISSING = fault("host_missing")
cdef int BAD_HOST = fault("bad_host")
cdef int BAD_TARGET_FORM = fault("bad_target_form")
cdef int HOST_CONFLICT = fault("host_conflict")
cdef int BAD_EXPECTATION = fault("bad_expectation")


cdef void begin(Head* head) noexcept nogil:
    """Forget everything: the next octet is the first of a request."""
    memset(head, 0, sizeof(Head) - sizeof(head.fields))


cdef inline int stop(Head* head, size_t at, int code) noexcept nogil:
    head.at = <uint32_t>at
    return code


cdef bint equal(const uint8_t* text, const char* word, size_t size) noexcept nogil:
    """Whether `size` octets are `word` (lower case) in any case."""
    cdef size_t i
    for i in range(size):
        if LOWER[text[i]] != <uint8_t>word[i]:
            return False
    return True


cdef int request_line(Head* head, const uint8_t* d, size_t n) noexcept nogil:
    cdef size_t i = head.line, limit, start
    cdef size_t k
    cdef const char* form = b"HTTP/0.0"
    if i == 0 and n > 0 and d[0] == 13:  # one empty line may stand before (HT-11)
        if n == 1:
            return MORE
        if d[1] != 10:
            return stop(head, 1, BAD_LINE_END)
        head.line = head.at = i = 2
    if i == 2 and n > 2 and d[2] == 13:
        return stop(head, 2, EMPTY_LINES)
    start = i
    limit = start + LINE_MAX
    while i < n and TCHAR[d[i]]:
        i += 1
        if i - start > METHOD_MAX:
            return stop(head, i - 1, METHOD_UNKNOWN)
    if i == n:
        return MORE
    if d[i] != 32 or i == start:
        return stop(head, i, BAD_REQUEST_LINE)
    head.target = <uint16_t>(i + 1)
    i += 1
    while i < n and i < limit and TARGET[d[i]]:
        i += 1
    if i == limit and i < n:
        return stop(head, i, LINE_TOO_LONG)
    if i == n:
        return MORE
    if d[i] != 32 or i == head.target:
        if d[i] == 32 or d[i] == 13 or d[i] == 10:
            return stop(head, i, BAD_REQUEST_LINE)
        return stop(head, i, BAD_TARGET_OCTET)
    head.target_size = <uint16_t>(i - head.target)
    i += 1
    for k in range(8):
        if i + k == n:
            return MORE
        if i + k == limit:
            return stop(head, i + k, LINE_TOO_LONG)
        if form[k] == 48:
            if not 48 <= d[i + k] <= 57:
                return stop(head, i + k, BAD_VERSION)
        elif d[i + k] != <uint8_t>form[k]:
            return stop(head, i + k, BAD_VERSION)
    if i + 8 == n:
        return MORE
    if d[i + 8] != 13:
        return stop(head, i + 8, BAD_LINE_END if d[i + 8] == 10 else BAD_VERSION)
    if i + 9 == n:
        return MORE
    if d[i + 9] != 10:
        return stop(head, i + 9, BAD_LINE_END)
    head.at = <uint32_t>(i + 10)
    head.section = <uint16_t>(i + 10)
    head.minor = d[i + 7] - 48
    if d[i + 5] != 49 or head.minor > 1:
        return UNSUPPORTED_VERSION
    return method_of(head, d + start, head.target - 1 - start)


cdef int method_of(Head* head, const uint8_t* text, size_t size) noexcept nogil:
    if size == 3 and memcmp(text, b"GET", 3) == 0:
        head.method = GET
    elif size == 4 and memcmp(text, b"HEAD", 4) == 0:
        head.method = HEAD
    elif size == 7 and memcmp(text, b"OPTIONS", 7) == 0:
        head.method = OPTIONS
    elif (
        size == 4 and memcmp(text, b"POST", 4) == 0
        or size == 3 and memcmp(text, b"PUT", 3) == 0
        or size == 6 and memcmp(text, b"DELETE", 6) == 0
        or size == 5 and (memcmp(text, b"PATCH", 5) == 0 or memcmp(text, b"TRACE", 5) == 0)
        or size == 7 and memcmp(text, b"CONNECT", 7) == 0
    ):
        return METHOD_NOT_ALLOWED
    else:
        return METHOD_UNKNOWN
    return DONE


cdef int known_field(const uint8_t* text, size_t size) noexcept nogil:
    """Position in tables.KNOWN_FIELDS, F_UNKNOWN, or -1 for a framing name spelled with "_"."""
    cdef int number
    cdef size_t i
    cdef bint exact
    if size > 19:
        return F_UNKNOWN
    number = LAST_OF_SIZE[size]
    while number:
        number -= 1
        if FOLD[text[0]] == NAMES[number].text[0]:
            exact = True
            for i in range(size):
                if FOLD[text[i]] != NAMES[number].text[i]:
                    break
                if text[i] == 95:
                    exact = False
            else:
                if exact:
                    return number
                if number == F_CONTENT_LENGTH or number == F_TRANSFER_ENCODING:
                    return -1
        number = BEFORE[number]
    return F_UNKNOWN


cdef int field_lines(Head* head, const uint8_t* d, size_t n) noexcept nogil:
    cdef size_t i = head.at, colon, end, first, last, limit
    cdef size_t section_end = head.section + SECTION_MAX
    cdef int known
    cdef Field* field
    while True:
        head.at = <uint32_t>i
        if i == n:
            return MORE
        if d[i] == 13:
            if i + 1 == n:
                return MORE
            if d[i + 1] != 10:
                return stop(head, i + 1, BAD_LINE_END)
            head.at = <uint32_t>(i + 2)
            return DONE
        if head.count == FIELDS_MAX:
            return TOO_MANY_FIELDS
        limit = min(i + LINE_MAX, section_end)
        colon = i
        while colon < n and colon < limit and TCHAR[d[colon]]:
            colon += 1
        if colon == n:
            return MORE
        if colon == limit:
            return stop(head, colon, HEAD_TOO_LARGE)
        if d[colon] != 58 or colon == i:
            return stop(head, colon, BAD_LINE_END if d[colon] == 10 else BAD_FIELD_NAME)
        end = colon + 1
        while end < n and end < limit and FIELD[d[end]]:
            end += 1
        if end == n:
            return MORE
        if d[end] != 13:
            if end == limit:
                return stop(head, end, HEAD_TOO_LARGE)
            return stop(head, end, BAD_LINE_END if d[end] == 10 else BAD_FIELD_VALUE)
        if end + 1 == n:
            return MORE
        if d[end + 1] != 10:
            return stop(head, end + 1, BAD_LINE_END)
        if end + 2 > section_end:
            return stop(head, end, HEAD_TOO_LARGE)
        known = known_field(d + i, colon - i)
        if known < 0:
            return AMBIGUOUS_NAME
        if known != F_UNKNOWN:
            if NAMES[known].single and head.seen >> known & 1:
                return FIELD_TWICE
            head.seen |= 1u << known
        first, last = colon + 1, end
        while first < last and (d[first] == 32 or d[first] == 9):
            first += 1
        while last > first and (d[last - 1] == 32 or d[last - 1] == 9):
            last -= 1
        field = &head.fields[head.count]
        field.name, field.name_size = <uint16_t>i, <uint16_t>(colon - i)
        field.value, field.value_size = <uint16_t>first, <uint16_t>(last - first)
        field.known = <uint8_t>known
        head.count += 1
        i = end + 2


cdef Field* find(Head* head, int known) noexcept nogil:
    cdef int i
    for i in range(head.count):
        if head.fields[i].known == known:
            return &head.fields[i]
    return NULL


cdef int tokens(Head* head, const uint8_t* d) noexcept nogil:
    """Connection (HT-60..HT-62) and Expect (HT-33): members over all lines, empty ones skipped."""
    cdef int i
    cdef size_t at, end, first, last
    cdef Field* field
    cdef bint close = False, keep = False
    for i in range(head.count):
        field = &head.fields[i]
        if field.known != F_CONNECTION and field.known != F_EXPECT:
            continue
        at, end = field.value, field.value + field.value_size
        while at < end:
            first = at
            while at < end and d[at] != 44:
                at += 1
            last = at
            at += 1
            while first < last and (d[first] == 32 or d[first] == 9):
                first += 1
            while last > first and (d[last - 1] == 32 or d[last - 1] == 9):
                last -= 1
            if field.known == F_CONNECTION:
                if last - first == 5 and equal(d + first, b"close", 5):
                    close = True
                elif last - first == 10 and equal(d + first, b"keep-alive", 10):
                    keep = True
            elif last > first and head.minor == 1:
                if last - first != 12 or not equal(d + first, b"100-continue", 12):
                    return BAD_EXPECTATION
    head.keep_alive = not close and (head.minor == 1 or keep)
    return DONE


cdef int target_form(Head* head, const uint8_t* d, Authority* host) noexcept nogil:
    """HT-43..HT-45: origin-form, absolute-form that agrees with Host, "*" for OPTIONS."""
    cdef const uint8_t* target = d + head.target
    cdef size_t size = head.target_size, at, end
    cdef Authority named
    cdef int default_port
    if target[0] == 47:
        head.path, head.path_size = head.target, head.target_size
        return DONE
    if size == 1 and target[0] == 42:
        return DONE if head.method == OPTIONS else BAD_TARGET_FORM
    if size > 7 and equal(target, b"http://", 7):
        at, default_port = 7, 80
    elif size > 8 and equal(target, b"https://", 8):
        at, default_port = 8, 443
    else:
        return BAD_TARGET_FORM
    end = at
    while end < size and target[end] != 47 and target[end] != 63 and target[end] != 35:
        end += 1
    if not read_authority(target + at, end - at, &named):
        return BAD_TARGET_FORM
    if head.seen >> F_HOST & 1:
        if not same_authority(&named, host, default_port):
            return HOST_CONFLICT
    head.path, head.path_size = <uint16_t>(head.target + end), <uint16_t>(size - end)
    return DONE


cdef int whole_head(Head* head, const uint8_t* d) noexcept nogil:
    """What is judged on the complete head, in the order of HT-5."""
    cdef Field* field
    cdef Authority host
    cdef int code
    if head.seen >> F_TRANSFER_ENCODING & 1:
        return TRANSFER_ENCODING
    if head.seen >> F_CONTENT_LENGTH & 1:
        field = find(head, F_CONTENT_LENGTH)
        if field.value_size != 1 or d[field.value] != 48:
            return CONTENT_LENGTH
    if head.seen >> F_HOST & 1:
        field = find(head, F_HOST)
        if not read_authority(d + field.value, field.value_size, &host):
            return BAD_HOST
        head.host, head.host_size = <uint16_t>(host.name - d), <uint16_t>host.size
    elif head.minor == 1:
        return HOST_MISSING
    code = target_form(head, d, &host)
    return code if code != DONE else tokens(head, d)


cdef int scan(Head* head, const uint8_t* data, size_t size) noexcept nogil:
    """Continue with `data`, all octets since begin(), of which there are now `size`."""
    cdef int code
    if not head.section:
        code = request_line(head, data, size)
        if code != DONE:
            return code
    code = field_lines(head, data, size)
    return code if code != DONE else whole_head(head, data)
