"""The ids that travel with a request: ours and W3C Trace Context (Recommendation, 23 Nov 2021).

A caller's `X-Request-Id` is taken over when it fits CTL-2's pattern, else one is made (CTL-9). A
caller's `traceparent` is continued: the trace id stays, each hop puts its own span id.
"""

import random
import re
import secrets
from collections.abc import Mapping

from structlog.contextvars import get_contextvars

REQUEST_ID = "X-Request-Id"
TRACEPARENT = "traceparent"

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_PARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


def request_id(headers: Mapping[str, str]) -> str:
    """The caller's request id, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def continued(traceparent: str | None) -> str | None:
    """Our own `traceparent` in the caller's trace; None when the caller sent none or a malformed
    one.

    Section 3.2.2: version 00 has exactly four fields, a later version may have more and is answered
    as 00.
    """
    match = _PARENT.fullmatch(traceparent or "")
    if match is None or (match[1] == "00" and len(match[0]) != 55):
        return None
    return f"00-{match[2]}-{secrets.token_hex(8)}-{match[4]}"


def spelled(trace_id: int, span_id: int, flags: int) -> str:
    """The header's value, as version 00."""
    return f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"


def fields(traceparent: str) -> tuple[int, int, int]:
    """Trace id, span id and flags of a well-formed value."""
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    return int(trace_id, 16), int(span_id, 16), int(flags, 16)


def current() -> str | None:
    """Our own `traceparent` in what goes on here; None outside of any trace."""
    own: str | None = get_contextvars().get(TRACEPARENT)
    return own


def trace_id() -> str | None:
    """The id of the trace that this belongs to."""
    own = current()
    return own.split("-")[1] if own else None


def outgoing() -> dict[str, str]:
    """Headers that hand the current request's ids to the next service."""
    context = get_contextvars()
    named = {REQUEST_ID: "request_id", TRACEPARENT: TRACEPARENT}
    return {name: context[field] for name, field in named.items() if field in context}
