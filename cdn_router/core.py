"""The router without its sockets: health and evidence in, decisions and steering manifests out.

A poll is answered from what is in memory; the session's state comes with the poll, signed, and
leaves with RELOAD-URI. Whatever is wrong with a poll, the answer is a usable manifest (ST-21).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from msgspec import Struct

from . import polls, steering
from .admin.plan import Plan
from .admin.plans import Plans
from .clones import Clone
from .decider import Choice, Decider, Question
from .errors import Gone, NotFound
from .health import Change, Health, Limits, Outcome
from .health import State as HealthState
from .moves import Move, Moves
from .pathways import Admin, Pathway
from .policies.face import Policy, Stand
from .policies.face import Snapshot as Picture
from .policy import NAME as STATIC
from .policy import Condition, Snapshot
from .reasons import SENTENCES, Reason
from .report import Report
from .rules.rule import Who
from .sessions import Session, Sessions, Viewer
from .state import Signer, State
from .steering import Mold

MAX_SESSION_ID_CHARS = 64
MAX_MOLDS = 10_000
CLONE_PRIORITY = 1_000  # behind what manifests name, unless a rule says otherwise

Recorder = Callable[[int, str, Decider, Question, Choice], None]


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


class Answer(Struct, frozen=True, gc=False):
    """A steering manifest, for whom, and what was wrong with the poll (ST-31)."""

    body: bytes
    session: Session
    issues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """TTLs in seconds; how old a snapshot may be that policies decide on (RT-15)."""

    ttl_s: int
    risk_ttl_s: int
    state_ttl_s: int
    snapshot_max_ms: int


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
        base: Plan | None = None,
        policies: Mapping[str, Policy] | None = None,
        risk_ttl_s: int = 10,
        snapshot_max_ms: int = 10_000,
    ) -> None:
        self.sites = {p.id: Site(p, Health(limits), since_ms=now_ms) for p in pathways}
        self.sessions = Sessions(max_sessions)
        self.moves = Moves()
        self.bounds = Bounds(ttl_s, min(risk_ttl_s, ttl_s), state_ttl_s, snapshot_max_ms)
        self.policies = dict(policies or {})
        self.plans = Plans(base or Plan(), tuple(self.sites), (STATIC, *self.policies))
        self.picture: Picture | None = None
        self.record: Recorder | None = None
        self.heard: Callable[[Session, Report, int], None] | None = None
        self.planned: Callable[[Plan], None] = lambda _plan: None
        self.trial: Callable[[str, int], str] = lambda _region, _now_ms: ""
        self._signer = signer
        self._public_url = public_url
        self._new_id = new_id
        self._version = 1
        self._molds: dict[tuple[tuple[str, ...], tuple[str, ...]], Mold] = {}
        self._restood(now_ms)
        self._last: Decider | None = None
        self.decider = self._made()

    def snapshot(self) -> Snapshot:
        conditions = {i: Condition(s.health.state, s.admin) for i, s in self.sites.items()}
        return Snapshot(self._version, conditions)

    # -- what changes decisions --------------------------------------------------------------------

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

    def site(self, pathway_id: str) -> Site:
        """A pathway by its id; NotFound for an unknown one."""
        site = self.sites.get(pathway_id)
        if site is None:
            raise NotFound("pathway_unknown", "no such pathway")
        return site

    def administer(self, pathway_id: str, admin: Admin, now_ms: int) -> Site:
        """Drain, kill or enable a pathway; NotFound for an unknown one."""
        site = self.site(pathway_id)
        if site.admin is not admin:
            self.apply(self.plans.with_stand(pathway_id, admin), now_ms)
        return site

    def apply(self, plan: Plan, now_ms: int) -> None:
        """Let a plan hold from now on; RequestError or Conflict when it may not."""
        self.plans.accept(plan, now_ms)
        self._planned(now_ms)

    def hear(self, plan: Plan, now_ms: int) -> bool:
        """Let a plan that another node accepted hold here too; False when it is no news here,
        RequestError when it cannot hold.
        """
        news = self.plans.hear(plan, now_ms)
        if news:
            self._planned(now_ms)
        return news

    def use(self, picture: Picture, ready: Decider | None = None) -> None:
        """Decide upon this snapshot from now on; its CDNs are the pathways, in their order. What
        `ready` has planned of it need not be planned again.
        """
        self.picture, self._last = picture, ready or self._last
        self.decider = self._made()

    def upon(self, picture: Picture) -> Decider:
        """What would decide upon this snapshot now."""
        return self._decider(self.plans.current, self._stands(), picture)

    def _stands(self) -> dict[str, Admin]:
        return {name: site.admin for name, site in self.sites.items()}

    def tick(self, now_ms: int) -> None:
        """Once a second: plans end, maintenance begins and ends."""
        ended = self.plans.tick(now_ms)
        stands = {name: self.plans.current.stand(name, now_ms) for name in self.sites}
        if ended or any(stands[name] is not site.admin for name, site in self.sites.items()):
            self._planned(now_ms)

    def _planned(self, now_ms: int) -> None:
        """Take over what the plan that holds says now."""
        self._molds.clear()
        self.planned(self.plans.current)
        changed = self._restood(now_ms)
        for site in changed:
            reason = Reason.ENABLED if site.admin is Admin.ENABLED else Reason.DRAINED
            self._changed(site, reason, SENTENCES[reason].format(pathway=site.pathway.id), now_ms)
        if not changed:
            self.decider = self._made()

    def _restood(self, now_ms: int) -> list[Site]:
        """Take the plan's stands; the pathways whose stand is new."""
        changed = []
        for name, site in self.sites.items():
            admin = self.plans.current.stand(name, now_ms)
            if admin is not site.admin:
                site.admin = admin
                changed.append(site)
        return changed

    def _changed(self, site: Site, reason: Reason, why: str, now_ms: int) -> None:
        site.reason, site.why, site.since_ms = reason, why, now_ms
        self._version += 1
        old = self.decider.default().ids[0]
        self.decider = self._made()
        new = self.decider.default().ids[0]
        if old != new:
            sentence = f"moved from {old} to {new}: {why}"
            move = Move(now_ms, site.pathway.id, reason, sentence, old, new, self._version)
            self.moves.add(move)

    def _made(self) -> Decider:
        self._last = self._decider(self.plans.current, self._stands(), self.picture)
        return self._last

    def made(self, plan: Plan, now_ms: int) -> Decider:
        """What would decide if this plan held."""
        stands = {name: plan.stand(name, now_ms) for name in self.sites}
        return self._decider(plan, stands, self.picture)

    def _decider(self, plan: Plan, stands: Mapping[str, Admin], picture: Picture | None) -> Decider:
        conditions = {n: Condition(s.health.state, stands[n]) for n, s in self.sites.items()}
        if picture is not None:
            picture = replace(picture, stands=tuple(map(Stand, stands.values())))
        clones = [Pathway(spec.id, "", CLONE_PRIORITY) for spec in plan.clones]
        for clone in clones:
            admin = plan.stands.get(clone.id, Admin.ENABLED)
            conditions[clone.id] = Condition(HealthState.UP, admin)
        return Decider(
            [*(site.pathway for site in self.sites.values()), *clones],
            conditions,
            plan,
            self._version,
            self.policies.get(plan.policy),
            picture,
            self._last,
        )

    # -- what reads it -----------------------------------------------------------------------------

    def stale(self, now_ms: int) -> bool:
        """Whether the snapshot is older than its bound."""
        picture = self.picture
        return picture is not None and picture.age_ms(now_ms) > self.bounds.snapshot_max_ms

    def ttl_s(self, choice: Choice, who: Who, now_ms: int) -> int:
        """By plan and rule; short where something is wrong: with a CDN, with what is known, or with
        a circuit of the region (ST-51).
        """
        ttl_s = choice.ttl_s or self.decider.plan.ttl_s or self.bounds.ttl_s
        well = self.decider.well(who.region) and not self.stale(now_ms)
        return ttl_s if well else min(ttl_s, self.bounds.risk_ttl_s)

    def start(self, session_id: str, viewer: Viewer, now_ms: int) -> tuple[Session, Choice]:
        """The first decision of a session; the manifest is written in this order (ST-5)."""
        session = self.sessions.seen(session_id or self._new_id(), now_ms)
        session.known(viewer)
        lot, seed = steering.drawn(session.origin, 0)
        trial = self.trial(session.who.region, now_ms)
        question = Question(session.who, lot, "", 0.0, seed, self.stale(now_ms), trial)
        choice = self.decider.decide(question)
        if self.record is not None:
            self.record(now_ms, session.id, self.decider, question, choice)
        named = tuple(self._own(choice.ids))
        session.declared = named
        session.decided(choice, named, now_ms)
        return session, choice

    def steers(self, session: Session) -> bool:
        """Whether a session may poll."""
        return self.decider.steers(session.who, steering.drawn(session.origin, 0)[0])

    def steering_url(self, proto: str, session: Session, polls: int, now_ms: int) -> str:
        """Where a session polls next; always absolute (ST-14)."""
        expires_s = now_ms // 1000 + self.bounds.state_ttl_s
        lead = session.order[0] if session.order else ""
        state = State(
            session.id,
            session.declared,
            polls,
            expires_s,
            session.who,
            lead,
            session.moved_ms // 1000,
        )
        return f"{self._public_url}/steer/{proto}?ss={self._signer.seal(state)}"

    def poll(self, proto: str, query: str, now_ms: int) -> Answer:
        """The steering manifest for a poll, whatever its query says; Gone when a rule ends it."""
        poll = polls.read(query, self.decider.conditions)
        told = poll.told
        session, state, issue = self._session(poll, now_ms)
        issues = (issue, *told.issues) if issue else told.issues
        session.polled(told, issues, now_ms)
        if self.heard is not None:
            self.heard(session, told, now_ms)
        count = state.polls if state else 0
        if state is not None:
            session.recalled(state)
        session.declared = session.declared or tuple(self.sites)
        decider = self.decider
        question = self._question(session, poll, count, now_ms)
        if not decider.steers(question.who, question.lot):
            raise Gone("steering_off", "keep to the last order")
        choice = decider.decide(question)
        if self.record is not None:
            self.record(now_ms, session.id, decider, question, choice)
        mold = self._mold(choice.ids, session.declared, decider)
        session.decided(choice, mold.order, now_ms)
        body = mold.fill(
            steering.jittered(self.ttl_s(choice, session.who, now_ms), question.seed),
            self.steering_url(proto, session, count + 1, now_ms),
        )
        return Answer(body, session, issues)

    def _question(self, session: Session, poll: polls.Poll, count: int, now_ms: int) -> Question:
        """HLS players say where they are (ST-30); of others we know what they were told."""
        entries = poll.told.entries
        told = entries[0][0] if poll.told.proto == "hls" and entries else ""
        lead = session.order[0] if session.order else ""
        current = told if told in self.decider.conditions else lead
        dwell_s = max(0, now_ms - session.moved_ms) / 1000
        lot, seed = steering.drawn(session.origin, count + 1)
        trial = self.trial(session.who.region, now_ms)
        return Question(session.who, lot, current, dwell_s, seed, self.stale(now_ms), trial)

    def _mold(self, ids: tuple[str, ...], declared: tuple[str, ...], decider: Decider) -> Mold:
        """The manifest of an order for players of a manifest: what that names, and its clones."""
        key = (ids, declared)
        found = self._molds.get(key)
        if found is None:
            if len(self._molds) >= MAX_MOLDS:
                self._molds.clear()
            usable, clones = set(declared), []
            for spec in decider.plan.clones:
                if spec.base_id in usable and spec.id not in usable:
                    clones.append(spec.clone())
                    usable.add(spec.id)
            named = [i for i in declared if i in self.sites]
            left = [i for i in decider.default().ids if i in named]
            order = [i for i in ids if i in usable] or left or named or self._own(ids)
            needed, listed = set(order), list[Clone]()
            for clone in reversed(clones):
                if clone.id in needed:
                    needed.add(clone.base_id)
                    listed.insert(0, clone)
            found = self._molds[key] = Mold(order, declared=self.sites, clones=listed)
        return found

    def _own(self, ids: Sequence[str]) -> list[str]:
        """Those of the settings, which manifests may name; where a plan leaves clones alone, those
        that it would lead to without its rules.
        """
        found = [i for i in ids if i in self.sites]
        return found or [i for i in self.decider.default().ids if i in self.sites] or [*self.sites]

    def _session(self, poll: polls.Poll, now_ms: int) -> tuple[Session, State | None, str]:
        """Who polls: by signed state, else the plain id of a first poll, else a fresh session."""
        if poll.sealed:
            state = self._signer.open(poll.sealed, now_ms / 1000)
            if state is None:
                return self.sessions.seen(self._new_id(), now_ms), None, "state refused"
            return self.sessions.seen(state.session_id, now_ms), state, ""
        if poll.plain and is_session_id(poll.plain):
            return self.sessions.seen(poll.plain, now_ms), None, ""
        issue = "session id refused" if poll.plain else ""
        return self.sessions.seen(self._new_id(), now_ms), None, issue


def is_session_id(text: str) -> bool:
    """Ids that need no quoting anywhere, at most 64 characters."""
    return len(text) <= MAX_SESSION_ID_CHARS and quote(text, safe="") == text
