"""Who may have a licence now: token, session, content, rights, concurrency (PR-121, PR-131).

The viewer's content token comes along with each licence request. Its id names the playback session,
and the session alone says what is played, by whom, on which device: a request's body binds nothing.
What was found of a session is remembered for `FRESH_MS`; while the database is away an older
finding stands in (CTL-84). Rule ids PR-* are those of specs/protection.md, section 9.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from aiohttp import web
from sqlalchemy import select

import cat
from cat.tables import LABELS
from control_api import sessions
from control_api.content_tokens import HEADER
from control_api.entitlement import Denied
from control_api.playback import Playback
from control_api.problems import Problem
from control_api.schema import playback_session
from control_api.times import now_ms
from runtime.asking import within
from runtime.flight import SingleFlight
from runtime.sql import Database, SqlError

QUERY = "CAT"
CTI = LABELS["cti"]
FRESH_MS = 2_000
STALE_MS = 900_000  # CTL-84
KEPT = 65_536  # tokens

Word = Literal["ok", "no_session", "insufficient_proof", "not_authorized", "unavailable"]


class Refusal(NamedTuple):
    """An answer of PR-133."""

    status: int
    type: str
    title: str


_DASHIF = "https://dashif.org/drm-problems/"
REFUSALS: Mapping[str, Refusal] = {
    "no_session": Refusal(401, "about:blank", "No playback session"),
    "insufficient_proof": Refusal(
        403, f"{_DASHIF}insufficient-proof-of-authorization", "The token is not for this content"
    ),
    "not_authorized": Refusal(403, f"{_DASHIF}not-authorized", "Not authorized"),
    "too_large": Refusal(413, "about:blank", "The request is too large"),
    "rate_limited": Refusal(429, "about:blank", "Too many licence requests"),
    "upstream_broken": Refusal(502, "about:blank", "The licence server gave no good answer"),
    "upstream_dead": Refusal(503, "about:blank", "The licence server is away"),
    "unavailable": Refusal(503, "about:blank", "Rights cannot be checked now"),
    "upstream_late": Refusal(504, "about:blank", "The licence server is late"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a session; `word` says whether licences go out to it."""

    word: Word
    session_id: str = ""
    device_id: str = ""
    path: str = ""  # of the content at the origin: "/vod/film/"
    reason: str = ""  # the rule that refuses: a code of `problems.TABLE`
    read_ms: int = 0


STANDING = web.RequestKey("standing", Standing)  # one licence may have many keys


class Gate:
    """Standings of sessions by their tokens."""

    def __init__(
        self,
        database: Database,
        playback: Playback,
        keys: cat.KeySet,
        issuer: str,
        times: sessions.Clockwork,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = database
        self._playback = playback
        self._verifier = cat.Verifier(keys, cat.Options(issuers=(issuer,), require=("exp", "cti")))
        self._times = times
        self._clock = clock
        self._known: OrderedDict[str, Standing] = OrderedDict()
        self._flight: SingleFlight[str, Standing] = SingleFlight()

    async def standing(self, request: web.Request) -> Standing:
        """The session behind a request, and whether it may have a licence."""
        token = request.headers.get(HEADER) or request.query.get(QUERY, "")
        now = self._clock()
        found = self._known.get(token)
        if found is None or now - found.read_ms >= FRESH_MS:
            claims = self._verdict(token, "/", request.remote, now).claims if token else {}
            cti = claims.get(CTI)
            if not isinstance(cti, bytes):
                return Standing("no_session", reason="token")
            found = await self._found(token, cti.hex(), now)
        if found.word != "ok":
            return found
        verdict = self._verdict(token, found.path, request.remote, now)
        if verdict.accept:
            return found
        word: Word = "insufficient_proof" if verdict.claim == "catu" else "no_session"
        return replace(found, word=word, reason=verdict.reason)

    async def judge(self, request: web.Request, serves: Callable[[str], bool]) -> Word:
        """Whether a request may have a key of some content; `serves` tells whether the key is used
        at an origin path.
        """
        found = request.get(STANDING) or await self.standing(request)
        request[STANDING] = found
        return "insufficient_proof" if found.word == "ok" and not serves(found.path) else found.word

    def _verdict(self, token: str, path: str, address: str | None, now: int) -> cat.Verdict:
        context = cat.Context(f"https://localhost{path}", now / 1_000, "GET", ip=address)
        return self._verifier.verify(token, context)

    async def _found(self, token: str, cti: str, now: int) -> Standing:
        known = self._known.get(token)
        try:
            found = await self._flight.do(cti, lambda: self._read(cti, now))
        except (SqlError, TimeoutError):
            if known is not None and now - known.read_ms < STALE_MS:
                return known
            return Standing("unavailable", reason="entitlement_unavailable")
        self._known[token] = found
        self._known.move_to_end(token)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found

    async def _read(self, cti: str, now: int) -> Standing:
        query = select(playback_session).where(playback_session.c.cti == cti)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
            if row is None:
                return Standing("no_session", reason="session_not_found", read_ms=now)
            in_use = await sessions.count(within(connection), row.account_id, self._times, now)
        known = Standing("ok", row.id, row.device_id, read_ms=now)
        unseen_ms = now - row.last_seen_ms
        if row.ended_ms is not None or unseen_ms >= 1_000 * self._times.ttl_s:
            return replace(known, word="no_session", reason="session_terminated")
        try:
            case, verdict = await self._playback.review(row, now)
        except Problem as problem:
            return replace(known, word="not_authorized", reason=problem.code)
        if isinstance(verdict, Denied) or case.target is None:
            reason = verdict.code if isinstance(verdict, Denied) else "content_not_found"
            return replace(known, word="not_authorized", reason=reason)
        if in_use > case.max_streams:
            return replace(known, word="not_authorized", reason="stream_limit")
        return replace(known, path=case.target.origin_path)
