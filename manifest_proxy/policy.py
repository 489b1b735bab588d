"""Where a viewer's child URIs lead: the pathways of the cohort in order, and who steers them.

Source: manifest-proxy MP-40..MP-42; steering ST-1..ST-5; pathway ids: ST-12.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .errors import CohortError
from .holes import SESSION, TOKEN, TOKEN_MARK, Piece

PATHWAY_ID = re.compile(r"[A-Za-z0-9._-]+")
COHORT_SEPARATOR = "~"
UNSTEERED = ";unsteered"  # a path parameter (RFC 3986 section 3.3), which no id can end with
TOKEN_PARAMETER = b"CAT"  # CTA-5007-B section 4.2: where a token stands in a query

# How a child URI carries the token: as a path prefix, in its query, or as a variable or template
# that the player fills in, so that all viewers share the bytes (MP-42).
Carrier = Literal["path", "query", "define"]


@dataclass(frozen=True, slots=True)
class Pathway:
    """One way to the content: a CDN's base URL, without a slash at its end."""

    id: str
    base_url: str


class Cohort(NamedTuple):
    """Pathways in the order of a decision; `steered` while steering may change it (ST-20)."""

    pathways: tuple[Pathway, ...]
    steered: bool = True

    @property
    def name(self) -> str:
        """What `read_cohort` reads."""
        names = COHORT_SEPARATOR.join(pathway.id for pathway in self.pathways)
        return names if self.steered else names + UNSTEERED


@dataclass(frozen=True, slots=True)
class Policy:
    """What is written into a manifest.

    `refresh_url` is this proxy's own prefix for MPD updates, `clock_url` a time source that players
    reach without a token; empty ones leave those URLs to the first pathway. With `playlists_url`
    media playlists come through this proxy too: a pathway's id, `session` and token follow it.
    """

    pathways: tuple[Pathway, ...]
    steering_url: str = ""  # ends where the session id begins; empty: the manifest is not steered
    refresh_url: str = ""
    clock_url: str = ""
    tokenised: bool = True
    playlists_url: str = ""
    session: str = ""  # a path segment with its slash, or nothing
    carrier: Carrier = "path"
    chaos_url: str = ""  # what stands before a segment that is to fail
    variants_url: str = ""  # what stands before a segment that is A or B by the session's mark
    patches: bool = False  # whether the origin's MPD patches still fit
    steered: bool = True  # else pathways are named as with steering, and nobody who steers

    @property
    def first(self) -> Pathway:
        return self.pathways[0]

    def lead(self, pathway: Pathway, *, playlist: bool = False) -> list[Piece]:
        """What stands before an origin path; the token is a path prefix (CAT-93, MP-42)."""
        base = pathway.base_url.encode()
        if playlist and self.playlists_url:
            base = f"{self.playlists_url}/{pathway.id}{self.session}".encode()
        if not self.tokenised or self.carrier != "path":
            return [base]
        return [base + b"/cat:", TOKEN]

    def tail(self) -> list[Piece]:
        """What a child URI's query ends with; nothing when the path has the token."""
        if not self.tokenised or self.carrier == "path":
            return []
        if self.carrier == "define":
            return [b"%b={$%b}" % (TOKEN_PARAMETER, TOKEN_PARAMETER)]
        return [TOKEN_PARAMETER + b"=", TOKEN]

    def child(self, pathway: Pathway, path: bytes) -> list[Piece]:
        """The URI of an origin path on a pathway."""
        return [*self.lead(pathway), path]

    def steering(self) -> list[Piece]:
        return [self.steering_url.encode(), SESSION]

    def fault(self, rule: int, path: bytes, *, asks: bool = True) -> bytes:
        """Where this proxy hands on a segment under a rule for faults, the token marked; without
        `asks` the player adds it to queries itself.
        """
        return self._segment(f"{self.chaos_url}/at-{rule}", path, asks=asks)

    def variant(self, path: bytes) -> bytes:
        """Where this proxy leads to one of two variants of a segment in DASH, the token marked."""
        return self._segment(self.variants_url, path, asks=False)

    def _segment(self, place: str, path: bytes, *, asks: bool) -> bytes:
        url = f"{place}/{self.first.id}{self.session}".encode()
        if not self.tokenised or (self.carrier != "path" and not asks):
            return url + path
        if self.carrier == "path":
            return b"%b/cat:%b%b" % (url, TOKEN_MARK, path)
        filled = b"{$%b}" % TOKEN_PARAMETER if self.carrier == "define" else TOKEN_MARK
        return b"%b%b%b%b=%b" % (url, path, b"&" if b"?" in path else b"?", TOKEN_PARAMETER, filled)

    def clock(self, path: bytes) -> list[Piece]:
        """The origin's own time source as players reach it."""
        return [self.clock_url.encode()] if self.clock_url else self.child(self.first, path)

    def refresh(self, path: bytes) -> list[Piece]:
        """The URL at which a player asks this proxy again for an origin path."""
        url = self.refresh_url.encode() + path
        if not self.tokenised:
            return [url]
        if self.carrier == "define":
            return [url]  # the query of the MPD's own URL is added (ISO/IEC 23009-1 annex I)
        return [url, b"&" if b"?" in path else b"?", TOKEN_PARAMETER + b"=", TOKEN]


def read_cohort(text: str, known: Mapping[str, Pathway]) -> Cohort:
    """What `CDN-A~CDN-B` names, or `CDN-A~CDN-B;unsteered`."""
    names = text.removesuffix(UNSTEERED)
    ids = names.split(COHORT_SEPARATOR)
    if len(set(ids)) != len(ids):
        raise CohortError("cohort_repeats", "a pathway stands twice in the cohort")
    try:
        return Cohort(tuple(known[pathway_id] for pathway_id in ids), names == text)
    except KeyError:
        raise CohortError("pathway_unknown", "the cohort names no configured pathway") from None
