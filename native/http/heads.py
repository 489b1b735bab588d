"""Heads as octets, built once per object: everything up to the value of Date (HT-77)."""

import hashlib
from collections.abc import Iterable

from native.http import tables
from native.http.errors import HeadError

FORBIDDEN = ("date", "connection", "transfer-encoding", "content-length", "keep-alive")
NO_FRAMING = (204, 304)  # RFC 9110 15.3.5, 15.4.5


def fields(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Header lines of `pairs`; HeadError where one could break out of its line (HT-70)."""
    lines = []
    for name, value in pairs:
        try:
            raw_name, raw_value = name.encode("ascii"), value.encode("latin-1")
        except UnicodeEncodeError as err:
            raise HeadError(f"header {name!r} has characters outside Latin-1") from err
        if not raw_name or raw_name.strip(tables.TCHAR):
            raise HeadError(f"header name {name!r} is not a token")
        if raw_value.translate(None, tables.FIELD):
            raise HeadError(f"header {name} holds a control character")
        if raw_name.lower().decode() in FORBIDDEN:
            raise HeadError(f"header {name} belongs to the protocol")
        lines.append(raw_name + b": " + raw_value + b"\r\n")
    return b"".join(lines)


CORS = fields(tables.CORS)


def start(status: int) -> bytes:
    """Status line of a final answer; always HTTP/1.1, also to 1.0 peers (HT-70)."""
    if not 200 <= status <= 599:
        raise HeadError(f"{status} is not the status of an answer")
    return f"HTTP/1.1 {status} {tables.REASONS.get(status, 'Status')}\r\n".encode()


def head(status: int, lines: bytes, length: int | None) -> bytes:
    """Status line, CORS, `lines`, the framing, and the Date field up to its value."""
    framing = b""
    if status in NO_FRAMING:
        if length:  # on the wire it would be the start of the next answer
            raise HeadError(f"a {status} has no body")
    elif length is not None:
        framing = b"Content-Length: %d\r\n" % length
    return start(status) + CORS + lines + framing + b"Date: "


def tagging() -> "hashlib.blake2b":
    """What makes the tag of a body that comes piece by piece."""
    return hashlib.blake2b(digest_size=12)


def content_tag(*pieces: bytes) -> str:
    """Opaque tag of a body: equal octets, equal tag, on every origin (O17), however it is cut."""
    digest = tagging()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
