"""The short way for reports: a plain POST /cmcd, read and answered before aiohttp sees it.

Only what nobody can read in two ways is taken: HTTP/1.1 with one Host, one Content-Length within
the limit, the standard's media type (CM-12), no coding (RFC 9112 sections 6.1 to 6.3) and no word
of whom it was forwarded for. Everything else is the application's.
"""

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from .errors import Busy, RouterError

REPORT = re.compile(rb"POST /cmcd HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+)\r\n")
FIELD = re.compile(
    rb"^(content-length|content-type|host|transfer-encoding|content-encoding|expect|upgrade"
    rb"|connection|x-forwarded-for)[\t ]*:[\t ]*([^\r]*?)[\t ]*\r",
    re.IGNORECASE | re.MULTILINE,
)
LENGTH = re.compile(rb"[0-9]{1,6}")
CMCD_TYPES = frozenset({"application/cmcd", "text/cmcd"})  # CM-12: the latter by CTA-5004-A
CMCD_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, CMCD-Request, CMCD-Object, "
    "CMCD-Status, CMCD-Session",  # CM-15
    "Access-Control-Max-Age": "86400",
}
PLAIN = {b"content-length", b"content-type", b"host"}

Take = Callable[[bytes, str], None]  # body and peer; RouterError for a refusal


class Report(NamedTuple):
    """Where a body lies; `end` may be beyond what has come so far."""

    start: int
    end: int


def read(data: bytes, at: int, max_head: int, max_body: int) -> Report | None:
    """The report that begins at `at`; None for anything else."""
    head = REPORT.match(data, at, at + max_head)
    if head is None:
        return None
    fields = [(name.lower(), value) for name, value in FIELD.findall(head[1])]
    found = dict(fields)
    if found.pop(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    if found.keys() != PLAIN or len([name for name, _ in fields if name in PLAIN]) != len(PLAIN):
        return None
    length = found[b"content-length"]
    media = found[b"content-type"].partition(b";")[0].strip().lower().decode("ascii", "replace")
    if media not in CMCD_TYPES or not LENGTH.fullmatch(length) or int(length) > max_body:
        return None
    return Report(head.end(), head.end() + int(length))


def refusal(error: RouterError) -> tuple[HTTPStatus, bytes, bytes]:
    """Status, further fields and body for a refused report or poll."""
    more = b"Retry-After: 5\r\n" if isinstance(error, Busy) else b""
    body = json.dumps({"error": error.code, "detail": error.detail}).encode()
    return HTTPStatus(error.status), more, body
