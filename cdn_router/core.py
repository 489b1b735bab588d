"""The router without its sockets: health in, decisions and steering manifests out.

A poll is answered from the snapshot in memory; the session's state comes with the poll, signed, and
leaves with RELOAD-URI. Whatever is wrong with a poll, the answer is a usable manifest (ST-21).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from . import report, steering
from .errors import NotFound
from .health import Change, Health, Limits, Outcome
from .moves import Move, Moves
from .pathways import Admin, Pathway
from .policy import Condition, Decision, Snapshot, decide
from .reasons import SENTENCES, Reason
from .sessions import Session, Sessions, Viewer
from .state import Signer, State

MAX_SESSION_ID_CHARS = 64


@dataclass(slots=True)
class Site:
    """A pathway with all that is known of it."""

    pathway: Pathway
    health: Health
    admin: Admin = Admin.ENABLED
    reason: Reason = Reason.PRIORITY
    why: str = "as at start"
    since_ms: int = 0
    probe_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A steering manifest, for whom, and what was wrong with the poll (ST-31)."""

    body: bytes
    session: Session
    issues: tuple[str, ...]


class Router:
    def __init__(
        self,
        pathways: Sequence[Pathway],
        *,
        signer: Signer,
        public_url: str,
        ttl_s: int,
        state_ttl_s: int,
        limits: Limits,
        max_sessions: int,
        now_ms: int,
        new_id: Callable[[], str],
    ) -> None:
        self.sites = {p.id: Site(p, Health(limits), since_ms=now_ms) for p in pathways}
        self.sessions = Sessions(max_sessions)
        self.moves = Moves()
        self.ttl_s = ttl_s
        self._pathways = tuple(pathways)
        self._signer = signer
        self._public_url = public_url
        self._state_ttl_s = state_ttl_s
        self._new_id = new_id
        self._version = 1
        self._decision = decide(self._pathways, self.snapshot())

    def snapshot(self) -> Snapshot:
        conditions = {i: Condition(s.health.state, s.admin) for i, s in self.sites.items()}
        return Snapshot(self._version, conditions)

    # -- what changes the snapshot -----------------------------------------------------------------

    def probed(
        self, pathway_id: str, outcome: Outcome, took_ms: float | None, now_s: float, now_ms: int
    ) -> Change | None:
        """Take the result of one probe."""
        site = self.sites[pathway_id]
        site.probe_ms = took_ms
        change = site.health.observe(outcome, now_s)
        if change is not None:
            self._changed(site, change.reason, change.why, now_ms)
        return change

    def administer(self, pathway_id: str, admin: Admin, now_ms: int) -> Site:
        """Drain or enable a pathway; NotFound for an unknown one."""
        site = self.sites.get(pathway_id)
        if site is None:
            raise NotFound("pathway_unknown", "no such pathway")
        if site.admin is not admin:
            site.admin = admin
            reason = Reason.DRAINED if admin is Admin.DRAINED else Reason.ENABLED
            self._changed(site, reason, SENTENCES[reason].format(pathway=pathway_id), now_ms)
        return site

    def _changed(self, site: Site, reason: Reason, why: str, now_ms: int) -> None:
        site.reason, site.why, site.since_ms = reason, why, now_ms
        self._version += 1
        before, self._decision = self._decision, decide(self._pathways, self.snapshot())
        old, new = before.ids[0], self._decision.ids[0]
        if old != new:
            sentence = f"moved from {old} to {new}: {why}"
            move = Move(now_ms, site.pathway.id, reason, sentence, old, new, self._version)
            self.moves.add(move)

    # -- what reads it -----------------------------------------------------------------------------

    def start(self, session_id: str, viewer: Viewer, now_ms: int) -> tuple[Session, Decision]:
        """The first decision of a session; the manifest is written in this order (ST-5)."""
        session = self.sessions.seen(session_id or self._new_id(), now_ms)
        session.viewer = viewer
        session.declared = self._decision.ids
        session.decided(self._decision, self._decision.ids)
        return session, self._decision

    def steering_url(self, proto: str, session: Session, polls: int, now_ms: int) -> str:
        """Where a session polls next; always absolute (ST-14)."""
        expires_s = now_ms // 1000 + self._state_ttl_s
        state = State(session.id, session.declared, polls, expires_s)
        return f"{self._public_url}/steer/{proto}?ss={self._signer.seal(state)}"

    def poll(self, proto: str, query: str, now_ms: int) -> Answer:
        """The steering manifest for a poll, whatever its query says."""
        told = report.parse(query, self.sites)
        session, state, issue = self._session(query, now_ms)
        issues = (issue, *told.issues) if issue else told.issues
        session.polled(told, issues, now_ms)
        polls = state.polls if state else 0
        session.declared = (state.declared if state else session.declared) or tuple(self.sites)
        order = [i for i in self._decision.ids if i in session.declared] or self._decision.ids
        session.decided(self._decision, order)
        body = steering.emit(
            order,
            ttl_s=steering.jittered(self.ttl_s, session.id, polls),
            reload_uri=self.steering_url(proto, session, polls + 1, now_ms),
            declared=self.sites,
        )
        return Answer(body, session, issues)

    def _session(self, query: str, now_ms: int) -> tuple[Session, State | None, str]:
        """Who polls: by signed state, else the plain id of a first poll, else a fresh session."""
        values = parse_qs(query[: report.MAX_QUERY_CHARS], errors="replace")
        sealed, plain = values.get("ss", [""])[0], values.get("sid", [""])[0]
        if sealed:
            state = self._signer.open(sealed, now_ms / 1000)
            if state is None:
                return self.sessions.seen(self._new_id(), now_ms), None, "state refused"
            return self.sessions.seen(state.session_id, now_ms), state, ""
        if plain and is_session_id(plain):
            return self.sessions.seen(plain, now_ms), None, ""
        issue = "session id refused" if plain else ""
        return self.sessions.seen(self._new_id(), now_ms), None, issue


def is_session_id(text: str) -> bool:
    """Ids that need no quoting anywhere, at most 64 characters."""
    return len(text) <= MAX_SESSION_ID_CHARS and quote(text, safe="") == text
