"""Who gets a manifest: the token of a request, judged, and the steering session that it names.

Source: CAT-90..CAT-92, CAT-110; RFC 8392 section 3.1.7.
"""

import re

import cat
from native.http import Answer, Entity, Request
from native.personal import Viewers
from runtime import client_address
from runtime.clock import Clock

CTI = 7  # label of the token's id
MAX_VIEWED = 4096  # URLs answered without a request
PLAIN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
OWN_HEADERS = frozenset({"content-type", "cache-control", "access-control-allow-origin"})


class Denied(Exception):
    """The token's verdict refuses."""

    def __init__(self, verdict: cat.Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class Admission:
    """Without `keys` no token is asked for and none is written. A token that names a country is
    judged by `country_header` of `proxies`; those who answer for us do not know it and leave such
    tokens to us.
    """

    def __init__(
        self,
        keys: cat.KeySet | None,
        options: cat.Options,
        public_url: str,
        clock: Clock,
        *,
        country_header: str = "",
        proxies: client_address.Networks = (),
    ) -> None:
        self._verifier = None if keys is None else cat.Verifier(keys, options)
        self._public_url = public_url
        self._clock = clock
        self._country_header = country_header.lower()
        self._proxies = proxies

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for."""
        return self._verifier is not None

    def viewers(self, *, reporting: bool) -> Viewers | None:
        """Who answers viewers whose URL is held and whose token is accepted."""
        if self._verifier is None:
            return None
        return Viewers(self._verifier.verify, _session, MAX_VIEWED, reporting)

    def admitted(self, request: Request, found: cat.Found, path: str) -> tuple[str, str]:
        """The accepted token and the session it names; Denied when there is none (CAT-91)."""
        if self._verifier is None:
            return "", ""
        context = cat.Context(
            uri=self.uri(found, path),
            now=self._clock.now_ms() / 1000,
            method=request.method,
            ip=request.peer,
            headers=found.headers,
            country=self.country(request),
        )
        for token in found.tokens:
            verdict = self._verifier.verify(token, context)
            if verdict.accept:
                return token.rstrip("="), session_of(verdict.claims.get(CTI))
        raise Denied(self._verifier.verify_any(found.tokens, context))

    def country(self, request: Request) -> str | None:
        """Where the viewer is, if a listed proxy says."""
        told = request.header(self._country_header) if self._country_header else None
        return client_address.country(request.peer, told or "", self._proxies) or None

    def uri(self, found: cat.Found, path: str) -> str:
        """What tokens are judged against."""
        query = f"?{found.query}" if found.query else ""
        return f"{self._public_url}{path}{query}"


def _session(verdict: cat.Verdict) -> bytes:
    return session_of(verdict.claims.get(CTI)).encode()


def session_of(cti: object) -> str:
    """The steering session of a token: its id as text when it is a plain name, else as hex."""
    if not isinstance(cti, bytes):
        return ""
    return cti.decode() if PLAIN_ID.fullmatch(cti) else cti.hex()


def denied(verdict: cat.Verdict) -> Answer:
    """CAT-110: every refusal of a token, never stored."""
    answer = cat.refusal(verdict)
    headers = [pair for pair in answer.headers if pair[0].lower() not in OWN_HEADERS]
    return Entity(
        answer.body,
        content_type="application/json",
        cache_control="no-store",
        headers=headers,
        status=answer.status,
        ranges=False,
    )
