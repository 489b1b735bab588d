"""The ids that travel with a request: ours and W3C Trace Context (Recommendation, 23 Nov 2021).

A caller's `X-Request-Id` is taken over when it fits CTL-2's pattern, else one is made (CTL-9). A
caller's `traceparent` is continued: the trace id stays, each hop puts its own span id.
"""

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
    return given if _ID.fullmatch(given) else secrets.token_hex(16)


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


def outgoing() -> dict[str, str]:
    """Headers that hand the current request's ids to the next service."""
    context = get_contextvars()
    headers = {REQUEST_ID: context["request_id"]} if "request_id" in context else {}
    if parent := continued(context.get("traceparent")):
        headers[TRACEPARENT] = parent
    return headers
