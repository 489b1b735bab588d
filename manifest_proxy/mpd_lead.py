"""What a policy writes into the MPDs of one URL; made once for all versions of them.

Source: DASH-M8..M10; ST-4..ST-6; ISO/IEC 23009-1:2022 section 5.8.4.11.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from .holes import Piece
from .mpd import xml_text
from .policy import Policy
from .urls import Origin, Url

MAX_LEADS = 256
MAX_TEXTS = 64  # of what versions may differ in


def escaped(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces as text or attribute values."""
    return [xml_text(piece) if isinstance(piece, bytes) else piece for piece in pieces]


class Lead:
    def __init__(self, url: Url, origin: Origin, policy: Policy) -> None:
        self._url = url
        self._origin = origin
        self._policy = policy
        self._tops: dict[tuple[bytes, bytes, bool, bool], Sequence[Piece]] = {}
        self._clocks: dict[str, Sequence[Piece]] = {}

    def top(self, begin: bytes, end: bytes, *, based: bool, located: bool) -> Sequence[Piece]:
        """A BaseURL per pathway to the MPD's folder unless it is `based`, where MPDs of a session
        are asked for again unless that is `located`, and the steering element; `begin` and `end`
        are what tags begin with.
        """
        key = begin, end, based, located
        if key not in self._tops:
            if len(self._tops) >= MAX_TEXTS:
                self._tops.clear()
            self._tops[key] = self._top(begin, end, based=based, located=located)
        return self._tops[key]

    def _top(self, begin: bytes, end: bytes, *, based: bool, located: bool) -> list[Piece]:
        url, policy = self._url, self._policy
        there = Url(url.root, url.path[: url.path.rfind(b"/") + 1])
        folder = None if based else self._origin.public_path(there)
        pieces: list[Piece] = []
        for pathway in policy.pathways if folder else ():
            name = xml_text(pathway.id.encode())
            pieces.append(b'%bBaseURL serviceLocation="%b">' % (begin, name))
            pieces += [*escaped(policy.child(pathway, folder or b"")), end + b"BaseURL>"]
        if policy.session and not located:
            path = self._origin.public_path(url) or b""
            pieces.append(begin + b"Location>")
            pieces += [*escaped(policy.refresh(path)), end + b"Location>"]
        if policy.steering_url and policy.steered:
            first = xml_text(policy.first.id.encode())
            pieces.append(b'%bContentSteering defaultServiceLocation="%b"' % (begin, first))
            pieces.append(b' queryBeforeStart="false">')
            pieces += [*escaped(policy.steering()), end + b"ContentSteering>"]
        return pieces

    def clocks(self, written: str) -> Sequence[Piece]:
        """A time source's URLs, made absolute: no BaseURL applies to them (5.8.4.11)."""
        if written not in self._clocks:
            if len(self._clocks) >= MAX_TEXTS:
                self._clocks.clear()
            pieces: list[Piece] = []
            for reference in written.split():
                path = self._origin.public_path(self._url.join(reference.encode()))
                child = self._policy.clock(path) if path else [reference.encode()]
                pieces += [b" ", *child] if pieces else child
            self._clocks[written] = escaped(pieces)
        return self._clocks[written]


@lru_cache(MAX_LEADS)
def lead_of(url: Url, origin: Origin, policy: Policy) -> Lead:
    """The one for MPDs fetched from `url`."""
    return Lead(url, origin, policy)
