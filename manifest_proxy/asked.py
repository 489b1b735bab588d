"""What a URL of the proxy asks for: `/p/{pathways}/[s:{session}/][cat:{token}/]{origin path}`.

What the first request chooses binds to a session that later URLs hold (choices, MP-38).
Source: manifest-proxy MP-2, MP-45; HLS-M21.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote

import cat
from native.http import Request

from .choices import NOTHING, bound, windowed
from .choices import chosen as first
from .errors import BlackoutError, ProxyError, SessionError
from .manifest import Format, format_of
from .mpd_patches import OWN_PATCH
from .policy import Cohort, Pathway, read_cohort
from .rulebook import Blackout, Clip, Ruleset, pick
from .session import MARK, Chosen, Sessions
from .urls import without_dots

PREFIX = "/p/"
KNOWN_PARAMETERS = ("start", "end")  # CONTRACT: nothing else in a query changes bytes
KNOWN_PREFIX = "_HLS_"  # HLS-M21
SKIP = "_HLS_skip"
PATH_SAFE = "/:;@!$&'()*+,=~"
MAX_QUERY_CHARS = 1024
MAX_SESSIONS = 4096  # remembered, so that a signature is checked once


class Asked(NamedTuple):
    """`target` at the origin, and everything that its copy depends on but token and session id."""

    kind: Format
    cohort: Cohort
    path: str  # at the origin, as its bytes go into URLs
    target: str
    session: str  # `/s:...` or nothing
    rules: Ruleset | None
    found: cat.Found
    chosen: Chosen
    replaced: bool = False  # by a title in its place, which tells nobody of its rules
    skips: bool = False  # whether a delta of our own is asked for
    since_ms: int = 0  # publishTime of the MPD that a patch of our own is to begin with
    since_rules: str = ""  # digest of those that made it

    @property
    def opens(self) -> bool:
        """Whether a player starts with it: a master, as those stand above renditions, or an MPD."""
        bumper = self.rules and self.rules.bumper
        if not bumper or self.kind is Format.PATCH:
            return False
        return self.kind is Format.DASH or "/" not in bumper.leaf(self.path)

    @property
    def clip(self) -> tuple[str, str]:
        """Targets of the bumper and, for a rendition that it lacks, of its reference; or nothing.
        A master names renditions only, an MPD has them all.
        """
        bumper = self.rules and self.rules.bumper
        if not bumper or self.kind is Format.PATCH:
            return "", ""
        leaf = bumper.leaf(self.path)
        if self.kind is Format.HLS and "/" not in leaf:
            return "", ""
        reference = bumper.reference if self.kind is Format.HLS else ""
        return f"{bumper.folder}/{leaf}", reference and f"{bumper.folder}/{reference}"

    @property
    def slate(self) -> str:
        """What is served while the origin of a master or an MPD is down; nothing for the rest, for
        numbers of a playlist may not start anew (HLS-M10).
        """
        slate = self.rules and self.rules.slate
        return self._stand_in(slate) if slate else ""

    @property
    def silence(self) -> tuple[str, str, str]:
        """Of a live rendition or MPD that a slate may stand in for: its channel, and the targets of
        the slate and of its reference; or nothing. A window that was asked for is no live edge.
        """
        slate = self.rules and self.rules.slate
        live = self.kind is not Format.PATCH and "?" not in self.target
        if not slate or slate.after_targets is None or not live:
            return "", "", ""
        leaf = slate.leaf(self.path)
        if self.kind is Format.DASH:
            return self.path, f"{slate.folder}/{leaf}", ""
        if "/" not in leaf:
            return "", "", ""
        reference = slate.reference and f"{slate.folder}/{slate.reference}"
        return self.path.removesuffix(leaf), f"{slate.folder}/{leaf}", reference

    @property
    def delay_s(self) -> float:
        """How late the answer is to be, where rules ask for faults."""
        rules = self.rules.chaos if self.rules else ()
        return max((one.delay_s for one in rules if one.covers(self.found.path)), default=0.0)

    def _stand_in(self, clip: Clip) -> str:
        leaf = clip.leaf(self.path)
        return f"{clip.folder}/{leaf}" if leaf and "/" not in leaf else ""

    def shut(self, blackout: Blackout) -> "Asked":
        """The replacement's master or MPD; BlackoutError for the rest, and where there is none."""
        target = self._stand_in(blackout.replacement) if blackout.replacement else ""
        if not target or self.since_ms:
            raise BlackoutError("blackout", "not to be watched here and now")
        return self._replace(path=target, target=target).stood_in()

    def stood_in(self) -> "Asked":
        """With a title in its place, as that is."""
        return self._replace(rules=None, replaced=True)

    @property
    def key(self) -> Hashable:
        """Of what is compiled (MP-44)."""
        rules = self.rules and self.rules.digest
        return self.cohort, self.session, rules, self.skips, self.replaced

    @property
    def shares(self) -> bool:
        """Whether its URL says all that its copy depends on."""
        return not self.replaced and (self.rules is None or self.rules.shares)


class Medium(NamedTuple):
    """A segment that is asked of the proxy: its pathway, its path and the rules there."""

    pathway: Pathway
    path: str  # as its bytes go into URLs
    rules: Ruleset | None
    found: cat.Found
    pattern: bytes  # of the session's mark, where it has one

    @property
    def target(self) -> str:
        return f"{self.path}?{self.found.query}" if self.found.query else self.path


class Asking:
    """Reads requests; `rulesets` may be replaced at any time."""

    def __init__(
        self,
        pathways: Mapping[str, Pathway],
        rulesets: tuple[Ruleset, ...] = (),
        secret: bytes = b"",
    ) -> None:
        self._pathways = pathways
        self._sessions = Sessions(secret)
        self._signing = bool(secret)
        self._read: dict[str, Chosen] = {}
        self._rules: dict[tuple[str, Chosen], Ruleset | None] = {}
        self._rulesets = rulesets
        self.changed: Callable[[], None] = lambda: None  # told of other rules

    @property
    def rulesets(self) -> tuple[Ruleset, ...]:
        return self._rulesets

    @rulesets.setter
    def rulesets(self, rulesets: tuple[Ruleset, ...]) -> None:
        self._rulesets = rulesets
        self._rules.clear()
        self.changed()

    def read(self, request: Request) -> Asked | None:
        """None for a path that is no manifest of a cohort."""
        if not request.path.startswith(PREFIX):
            return None
        names, segment, found = _parts(request.path[len(PREFIX) :], request)
        since = OWN_PATCH.fullmatch(found.path)
        if since is not None:
            found = replace(found, path=since[1])
        kind = format_of(found.path)
        if kind is None or _climbs(found.path):
            return None
        cohort = read_cohort(names, self._pathways)
        if segment:
            chosen = self._chosen(segment)
        else:
            chosen = first(found.query, found.path, self._rulesets, signing=self._signing)
            segment = "" if chosen is NOTHING else self._sessions.sign(chosen)
        asked = self._asked(kind, cohort, found, segment, chosen)
        return (
            asked if since is None else asked._replace(since_ms=int(since[2]), since_rules=since[3])
        )

    def medium(self, rest: str, request: Request) -> Medium:
        """What is behind the pathway in a URL; ProxyError where that means nothing."""
        name, segment, found = _parts(rest, request)
        pathways, _ = read_cohort(name, self._pathways)
        if len(pathways) > 1 or _climbs(found.path):
            raise ProxyError("not_found", status=404)
        chosen = self._chosen(segment) if segment else NOTHING
        rules, path = self._ruled(found.path, chosen), quote(found.path, safe=PATH_SAFE)
        pattern = self._sessions.pattern(chosen.mark) if chosen.mark else b""
        return Medium(pathways[0], path, rules, found, pattern)

    def again(self, asked: Asked, segment: str) -> Asked:
        """The same manifest, asked for without a query in another session or in none."""
        chosen = self._chosen(segment) if segment else NOTHING
        found = replace(asked.found, query="")
        return self._asked(asked.kind, asked.cohort, found, segment, chosen)

    def _asked(
        self,
        kind: Format,
        cohort: Cohort,
        found: cat.Found,
        segment: str,
        chosen: Chosen,
    ) -> Asked:
        found = windowed(found, chosen) if segment else found
        path = quote(found.path, safe=PATH_SAFE)
        session = segment and f"/{segment}"
        rules = self._ruled(found.path, chosen)
        deltas, parts = rules is None or not rules.edits_media, rules is None or not rules.stands_in
        query = directives(found.query, deltas=deltas, parts=parts)
        asked = Asked(kind, cohort, path, path + query, session, rules, found, chosen)
        return asked if deltas else asked._replace(skips=_skips(found.query))

    def settled(self, asked: Asked) -> bool:
        """Whether its session has all that its copies depend on."""
        marks = asked.rules is not None and asked.rules.watermark is not None
        return not self.joins(asked) and (bool(asked.chosen.mark) or not marks)

    def joins(self, asked: Asked) -> bool:
        """Whether the place where a viewer of something live comes in is still to be bound."""
        return self._signing and asked.opens and not asked.chosen.joined_ms

    def marked(self, asked: Asked, token_id: str) -> Asked:
        """The same with the viewer's mark bound to its session, where rules ask for watermarks."""
        rules = asked.rules
        if rules is None or rules.watermark is None or asked.chosen.mark:
            return asked
        if not self._signing:
            raise SessionError("session_unsigned", "watermarks need a secret to bind marks with")
        if asked.kind is Format.PATCH:
            return asked
        if not token_id:
            raise SessionError("mark_nobody", "watermarks need tokens with an id")
        chosen = asked.chosen._replace(mark=self._sessions.mark(token_id))
        return asked._replace(session=f"/{self._sessions.sign(chosen)}", chosen=chosen)

    def pattern(self, asked: Asked) -> bytes:
        """The bits of the viewer's watermarks in an MPD, or in a playlist that has any."""
        mark = asked.rules and asked.rules.watermark
        if not mark or asked.kind is Format.PATCH:
            return b""
        if asked.kind is Format.HLS and not mark.covers(asked.found.path):
            return b""
        return self._sessions.pattern(asked.chosen.mark)

    def joined(self, asked: Asked, at_ms: int) -> Asked:
        """The same with the place bound to its session (MP-38, MP-45)."""
        chosen = asked.chosen._replace(joined_ms=at_ms)
        return asked._replace(session=f"/{self._sessions.sign(chosen)}", chosen=chosen)

    def _chosen(self, segment: str) -> Chosen:
        if (chosen := self._read.get(segment)) is None:
            if len(self._read) >= MAX_SESSIONS:
                self._read.clear()
            chosen = self._read[segment] = self._sessions.read(segment)
        return chosen

    def _ruled(self, path: str, chosen: Chosen) -> Ruleset | None:
        key = path, chosen._replace(joined_ms=0, mark="")  # these change no rules
        if key not in self._rules:
            rules = bound(pick(self._rulesets, path, chosen.cohort), chosen)
            if len(self._rules) >= MAX_SESSIONS:
                self._rules.clear()
            self._rules[key] = rules
        return self._rules[key]


def _parts(text: str, request: Request) -> tuple[str, str, cat.Found]:
    """Names of pathways, a session or nothing, and the path at the origin with its tokens."""
    names, slash, rest = text.partition("/")
    segment = ""
    if rest.startswith(MARK):
        segment, slash, rest = rest.partition("/")
    return names, segment, cat.candidates(slash + rest, request.query, request.headers)


def _climbs(path: str) -> bool:
    return without_dots(path.encode()) != path.encode()


def _skips(query: str) -> bool:
    """Whether a query asks for a delta; other values are ignored (HLS-22)."""
    return not {f"{SKIP}=YES", f"{SKIP}=v2"}.isdisjoint(query.split("&"))


def directives(query: str, *, deltas: bool = True, parts: bool = True) -> str:
    """The part of a query that the origin's answer depends on, in one order, with its mark; without
    `deltas` whole playlists are asked for (HLS-M22), without `parts` those of now (HLS-M25).
    """
    if len(query) > MAX_QUERY_CHARS:
        raise ProxyError("query_too_long", "more than 1,024 characters", status=414)
    names = ((pair, pair.partition("=")[0]) for pair in query.split("&"))
    known = sorted(
        pair
        for pair, name in names
        if name in KNOWN_PARAMETERS
        or (parts and name.startswith(KNOWN_PREFIX) and (deltas or name != SKIP))
    )
    return "?" + "&".join(known) if known else ""
