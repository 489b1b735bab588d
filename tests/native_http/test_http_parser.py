"""The head parser against a slow oracle, on mutated heads in random pieces (HT-64, HT-171)."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.http.scanner import Scanner

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
SINGLE = b"""host content-length transfer-encoding range if-range if-modified-since
if-unmodified-since authorization""".split()
REFUSED = b"POST PUT DELETE PATCH TRACE CONNECT".split()


class Seen(NamedTuple):
    fault: str | None
    at: int
    method: str = ""
    target: bytes = b""
    keep_alive: bool = False
    fields: tuple[tuple[bytes, bytes], ...] = ()


class Fault(Exception):
    def __init__(self, code: str, at: int) -> None:
        self.code, self.at = code, at


class More(Exception):
    """The octets end before the head does."""


def line_end(data: bytes, at: int, other: str) -> int:
    """CRLF at `at`, or the fault that is there."""
    if at == len(data):
        raise More
    if data[at] != 13:
        raise Fault("bad_line_end" if data[at] == 10 else other, at)
    if at + 1 == len(data):
        raise More
    if data[at + 1] != 10:
        raise Fault("bad_line_end", at + 1)
    return at + 2


def oracle_line(data: bytes) -> tuple[bytes, bytes, int, int]:
    start = 0
    if data[:1] == b"\r":
        start = line_end(data, 0, "")
        if data[2:3] == b"\r":
            raise Fault("empty_lines", 2)
    match = TOKEN.match(data, start)
    at = match.end() if match else start
    if at - start > 16:
        raise Fault("method_unknown", start + 16)
    if at == len(data):
        raise More
    if data[at] != 32 or at == start:
        raise Fault("bad_request_line", at)
    method, first = data[start:at], at + 1
    at = first
    while at < len(data) and 0x21 <= data[at] <= 0x7E:
        if at == start + 8192:
            break
        at += 1
    if at == len(data):
        raise More
    if at == start + 8192:
        raise Fault("line_too_long", at)
    if data[at] != 32 or at == first:
        code = "bad_request_line" if data[at] in b" \r\n" else "bad_target_octet"
        raise Fault(code, at)
    target = data[first:at]
    for octet in b"HTTP/0.0":
        at += 1
        if at == len(data):
            raise More
        if at == start + 8192:
            raise Fault("line_too_long", at)
        if data[at] != octet and not (octet == 48 and 48 <= data[at] <= 57):
            raise Fault("bad_version", at)
    major, minor = data[at - 2] - 48, data[at] - 48
    at = line_end(data, at + 1, "bad_version")
    if major != 1 or minor > 1:
        raise Fault("unsupported_version", at)
    if method in REFUSED:
        raise Fault("method_not_allowed", at)
    if method not in (b"GET", b"HEAD", b"OPTIONS"):
        raise Fault("method_unknown", at)
    return method, target, minor, at


def oracle_fields(data: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    section, fields, seen = at, list[tuple[bytes, bytes]](), set[bytes]()
    while data[at : at + 1] != b"\r":
        if at == len(data):
            raise More
        if len(fields) == 100:
            raise Fault("too_many_fields", at)
        limit = min(at + 8192, section + 16384)
        match = TOKEN.match(data, at, limit)
        colon = match.end() if match else at
        if colon == len(data):
            raise More
        if colon == limit:
            raise Fault("head_too_large", colon)
        if data[colon] != 58 or colon == at:
            raise Fault("bad_line_end" if data[colon] == 10 else "bad_field_name", colon)
        value = VALUE.match(data, colon + 1, limit)
        end = value.end() if value else colon + 1
        if end < len(data) and end == limit and data[end] != 13:
            raise Fault("head_too_large", end)
        following = line_end(data, end, "bad_field_value")
        if following > section + 16384:
            raise Fault("head_too_large", end)
        name = data[at:colon].lower()
        if name.replace(b"_", b"-") in (b"content-length", b"transfer-encoding") and b"_" in name:
            raise Fault("ambiguous_name", at)
        if name in SINGLE and name in seen:
            raise Fault("field_twice", at)
        seen.add(name)
        fields.append((data[at:colon], data[colon + 1 : end].strip(b" \t")))
        at = following
    return fields, line_end(data, at, "")


def authority(text: bytes) -> tuple[bytes, int | None] | None:
    match = re.fullmatch(rb"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?", text)
    if not match or len(text) > 255 or int(match[2] or 0) > 65535:
        return None
    name = match[1].lower()
    if name.startswith(b"["):
        try:
            IPv6Address(name[1:-1].decode("ascii"))
        except (AddressValueError, UnicodeDecodeError):
            return None
        if b"%" in name:
            return None
    else:
        name = name.removesuffix(b".")
        if not re.fullmatch(rb"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
            return None
    return name, int(match[2]) if match[2] else None


def members(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    lines = [value.split(b",") for field, value in fields if field.lower() == name]
    return [m.strip(b" \t").lower() for line in lines for m in line if m.strip(b" \t")]


def oracle(data: bytes) -> Seen | None:
    """What the whole of `data` means; None while it is no whole head."""
    try:
        method, target, minor, at = oracle_line(data)
        fields, end = oracle_fields(data, at)
    except More:
        return None
    except Fault as fault:
        return Seen(fault.code, fault.at)
    named = {name.lower(): value for name, value in fields}
    host = authority(named[b"host"]) if b"host" in named else None
    code = None
    absolute = re.match(rb"(https?)://([^/?#]*)", target, re.I)
    if b"transfer-encoding" in named:
        code = "transfer_encoding"
    elif named.get(b"content-length", b"0") != b"0":
        code = "content_length"
    elif b"host" in named and host is None:
        code = "bad_host"
    elif b"host" not in named and minor == 1:
        code = "host_missing"
    elif target == b"*" and method == b"OPTIONS":
        target = b""
    elif absolute:
        there = authority(absolute[2])
        port = 443 if absolute[1].lower() == b"https" else 80
        target = target[absolute.end() :]
        if there is None:
            code = "bad_target_form"
        elif host and (host[0], host[1] or port) != (there[0], there[1] or port):
            code = "host_conflict"
    elif not target.startswith(b"/"):
        code = "bad_target_form"
    if code is None and minor and set(members(fields, b"expect")) - {b"100-continue"}:
        code = "bad_expectation"
    if code:
        return Seen(code, end)
    tokens = members(fields, b"connection")
    keep = b"close" not in tokens and (minor == 1 or b"keep-alive" in tokens)
    return Seen(None, end, method.decode(), target, keep, tuple(fields))


def scanned(pieces: list[bytes]) -> Seen | None:
    scanner = Scanner()
    for piece in pieces:
        if scanner.feed(piece):
            break
    else:
        return None
    if scanner.fault:
        return Seen(scanner.fault, scanner.at)
    fields = tuple(scanner.fields)
    return Seen(None, scanner.at, scanner.method, scanner.target, scanner.keep_alive, fields)


LINES = [
    b"Host: a.example:80",
    b"Host: [::1]:8001",
    b"Connection: keep-alive, close",
    b"Connection: Keep-Alive",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content_Length: 0",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Expect: other",
    b"Range: bytes=0-1",
    b"If-Range: x",
    b"If-None-Match: *",
    b"X-A:\t b \x80\t",
    b"X" * 300 + b": y",
    b"X: " + b"y" * 4000,
]
STARTS = [
    b"GET /a/b?c HTTP/1.1",
    b"HEAD /a HTTP/1.0",
    b"OPTIONS * HTTP/1.1",
    b"GET http://a.example/x HTTP/1.1",
    b"GET HTTPS://[::1]:8001?x HTTP/1.1",
    b"POST / HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"GET /" + b"a" * 8175 + b" HTTP/1.1",
    b"GET /" + b"a" * 8180 + b" HTTP/1.1",
]
ODD = st.sampled_from([bytes([octet]) for octet in b"\r\n \t\0\x7f\xff:_,"] + [b"\r\n"])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Mostly legal heads with up to three octets put in, taken out or put in place of others."""
    lines = [draw(st.sampled_from(STARTS)), *draw(st.lists(st.sampled_from(LINES), max_size=6))]
    if draw(st.booleans()):
        lines.insert(1, b"Host: a.example")
    head = draw(st.sampled_from([b"", b"", b"\r\n", b"\r\n\r\n"])) + b"\r\n".join(lines)
    head += b"\r\n\r\n"
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(head)))
        gone = draw(st.integers(0, 2))
        head = head[:at] + draw(st.one_of(ODD, st.binary(max_size=2))) + head[at + gone :]
    return head


@settings(max_examples=600, deadline=None)
@given(heads(), st.lists(st.integers(0, 400), max_size=6))
def test_kernel_agrees_with_oracle_on_any_split(head: bytes, cuts: list[int]) -> None:
    at = sorted({min(cut, len(head)) for cut in cuts})
    pieces = [head[a:b] for a, b in zip([0, *at], [*at, len(head)], strict=True)]
    assert scanned([head]) == oracle(head)
    assert scanned(pieces) == oracle(head)


@pytest.mark.parametrize("head", [b"\r\n" + STARTS[0] + b"\r\nHost: a\r\nX-A: b\r\n\r\n", LINES[0]])
def test_octet_by_octet(head: bytes) -> None:
    assert scanned([head[i : i + 1] for i in range(len(head))]) == oracle(head)


H = b"GET / HTTP/1.1\r\nHost: a\r\n"
SMUGGLES = [
    (H + b"Transfer-Encoding: chunked\r\n\r\n", "transfer_encoding"),  # HT-30
    (H + b"Transfer-Encoding : chunked\r\n\r\n", "bad_field_name"),  # HT-21
    (H + b"Transfer_Encoding: chunked\r\n\r\n", "ambiguous_name"),  # HT-26
    (H + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n", "bad_field_name"),  # HT-21
    (H + b"X: a\rTransfer-Encoding: chunked\r\n\r\n", "bad_line_end"),  # HT-12
    (H + b"X: a\nTransfer-Encoding: chunked\r\n\r\n", "bad_line_end"),  # HT-12
    (H + b"Content-Length: 5\r\n\r\n", "content_length"),  # HT-31
    (H + b"Content-Length: 00\r\n\r\n", "content_length"),
    (H + b"Content-Length: +0\r\n\r\n", "content_length"),
    (H + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "field_twice"),  # HT-24
    (H + b"Host: a\r\n\r\n", "field_twice"),
    (H + b"X: \0\r\n\r\n", "bad_field_value"),  # HT-22
    (H + b"X: " + b"a" * 8190, "head_too_large"),  # HT-23
    (H + b"X: a\r\n" * 99 + b"Y", "too_many_fields"),
    (b"GET / HTTP/1.1\r\n\r\n", "host_missing"),  # HT-40
    (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "bad_host"),  # HT-41
    (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "host_conflict"),  # HT-44
    (b"GET  / HTTP/1.1\r\n", "bad_request_line"),  # HT-10
    (b"GET /\r\n", "bad_request_line"),  # HT-14
    (b"GET / HTTP/1.2\r\n", "unsupported_version"),
    (b"get / HTTP/1.1\r\n", "method_unknown"),  # HT-13
    (b"\x16\x03\x01", "bad_request_line"),  # HT-17
    (b"GET /" + b"a" * 8200, "line_too_long"),  # HT-16
]


@pytest.mark.parametrize(("head", "code"), SMUGGLES)
def test_refused_at_once(head: bytes, code: str) -> None:
    """HT-3: whatever follows is not waited for."""
    seen = scanned([head])
    assert seen is not None
    assert seen.fault == code
    assert seen == oracle(head)
