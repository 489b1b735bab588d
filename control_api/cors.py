"""Who may read answers from another origin's page (Fetch standard, section 3.2).

Bearer tokens only, never credentials, so `*` is safe.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from runtime.plain import Answer

ASKS_FIRST: Final = "Access-Control-Request-Method"
EXPOSE_HEADERS: Final = "ETag, Idempotency-Replayed, Location, Retry-After, X-Request-Id"
PREFLIGHT: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, CTA-Common-Access-Token, Idempotency-Key, If-Match,"
        " If-None-Match, Last-Event-ID, Parental-Pin, SOAPAction, traceparent, tracestate,"
        " X-Request-Timeout-Ms"
    ),
    "Access-Control-Max-Age": "7200",
}


class Cors:
    """The origins of a setting; `*` are all."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = origins
        self._all = "*" in origins

    def fields(self, origin: str | None, vary: str | None) -> Mapping[str, str]:
        """What an answer to a page of `origin` carries; `vary` is what it varies by so far."""
        if origin is None:
            return {}
        varies = {} if self._all else {"Vary": f"{vary}, Origin" if vary else "Origin"}
        if not self._all and origin not in self._origins:
            return varies
        return varies | {
            "Access-Control-Allow-Origin": "*" if self._all else origin,
            "Access-Control-Expose-Headers": EXPOSE_HEADERS,
        }

    def preflight(self, origin: str | None) -> Answer:
        """May a page of `origin` ask, and what?"""
        told = self.fields(origin, None)
        allowed = PREFLIGHT if "Access-Control-Allow-Origin" in told else {}
        return Answer(204, "", {**told, **allowed}, b"")

    def on(self, origin: str | None, answer: Answer) -> Answer:
        """The answer with them."""
        if origin is None:
            return answer
        told = self.fields(origin, answer.headers.get("Vary"))
        return answer._replace(headers={**answer.headers, **told})
