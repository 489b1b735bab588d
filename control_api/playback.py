"""Playback start, heartbeat and stop: what a player needs, from entitlement to manifest URL.

Start (CTL-100): CheckAccess, then admission and token, then router decision, row and resume point
side by side, then the URLs. Every allow and every deny is one line in the log with its reason
(CTL-114).
"""

import asyncio
import random
import secrets
from collections.abc import Sequence
from math import inf
from typing import Any

from control_api import addresses, ids, kept, key_systems, refusals, rights, sessions, types
from control_api.arrivals import Arrival
from control_api.cases import Cases
from control_api.content_tokens import CTI_BYTES, Signer, native_signers
from control_api.entitlement import Allowed, Denied
from control_api.guarded import Shelf
from control_api.issuer import Caller, Passwords
from control_api.judge import Cleared, Judge
from control_api.known import Known
from control_api.ledger import Ledger
from control_api.problems import Problem
from control_api.qoe import Quality
from control_api.refusals import Refused
from control_api.routerclient import Decision, Question, Router
from control_api.settings import Settings
from control_api.slots import Slot
from control_api.streams import Streams
from control_api.times import utc
from control_api.viewers.resume import Resume
from runtime import logs, tracing
from runtime.abreast import abreast
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore, Store

log = logs.get("control")

STRETCH = 2  # of interval and TTL while the store is away (CTL-188)
JITTER = 0.1  # of the heartbeat interval, either way (CTL-106)
BODY_PROFILES: dict[str, types.DeviceClass] = {"tv": "tv", "mobile": "mobile", "web": "web"}


class Playback:
    """The playback operations over their dependencies; holds no state of its own."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        router: Router,
        signer: Signer,
        secret: bytes,
        *,
        store: Store | None = None,
        clearkey: bool = False,
        passwords: Passwords | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clearkey = clearkey
        self._router = router
        self._signer = signer
        self._secret = secret
        self._natives = native_signers(settings)
        self._resume = Resume(database)
        self._times = sessions.Clockwork(
            settings.session_ttl_s, settings.terminated_kept_s, settings.termination_code_s
        )
        self.shelf = Shelf(store or MemoryStore(), settings.timeouts.breaker_s)
        self.quality = Quality(settings.pathways)
        self.ledger = Ledger(database, flush_s=settings.flush_s, latest_ms=self.shelf.latest_ms)
        self.cases = Cases(
            database,
            self.shelf,
            self._times,
            kept_ms=1_000 * settings.access_cache_s,
            late_ms=settings.timeouts.access_ms,
        )
        self.judge = Judge(settings, database, self.cases, passwords or Passwords())
        self.streams = Streams(database, self.shelf, self.ledger, secret, self._times)

    async def check(
        self, caller: Caller, body: types.CheckRequest, now_ms: int
    ) -> types.CheckAnswer:
        """CheckAccess alone; a denial is a problem with its code (CTL-70..79)."""
        cleared = await self.judge.clear(caller, body, "web", now_ms)
        return types.CheckAnswer(
            allowed=True,
            via=cleared.allowed.via,
            licence=cleared.allowed.licence,
            expires_at=utc(cleared.allowed.expires_ms),
            constraints=_constraints(cleared.allowed),
            streams=types.Streams(cleared.max_streams, cleared.found.in_use),
            source=cleared.found.source,
        )

    async def start(
        self,
        caller: Caller,
        body: types.StartRequest,
        profile: str,
        now_ms: int,
        budget_ms: float = inf,
    ) -> types.StartAnswer:
        """A session with everything its player needs (CTL-101), within the caller's budget."""
        limit_ms = min(self._settings.timeouts.start_ms, budget_ms)
        try:
            async with asyncio.timeout(limit_ms / 1_000):
                patience_s = kept.patience_s(limit_ms)
                return await self._start(caller, body, BODY_PROFILES[profile], now_ms, patience_s)
        except TimeoutError:
            raise Problem("unavailable", headers={"Retry-After": "1"}) from None
        except Problem as problem:
            device_class = body.device.device_class or BODY_PROFILES[profile]
            refused = Refused(caller.account_id, body, device_class, problem)
            await refusals.tell(self._database, self.shelf, refused, now_ms)
            raise

    async def _start(
        self,
        caller: Caller,
        body: types.StartRequest,
        default_class: types.DeviceClass,
        now_ms: int,
        patience_s: float,
    ) -> types.StartAnswer:
        looked = self.cases.epoch()
        cleared = await self.judge.clear(caller, body, default_class, now_ms)
        cti = secrets.token_bytes(CTI_BYTES)
        newcomer = sessions.Newcomer(
            id=ids.new("session"),
            account_id=caller.account_id,
            device_id=cleared.device_id,
            kind=cleared.mode,
            target_id=body.event_id or cleared.target.id,
            cti=cti.hex(),
            limit=cleared.max_streams,
            spends=cleared.allowed.spends,
            profile_id=body.profile_id,
            country=caller.country,
            pin_passed=cleared.pin_passed,
        )
        session_id = newcomer.id
        arrival = Arrival(
            newcomer,
            body.device,
            cleared.device_class,
            cleared.device_known,
            cleared.title,
            open=cleared.found.source == "open",
        )
        counted = await self.streams.admit(arrival, body.terminate, now_ms)
        with logs.bound(session_id=session_id):
            try:
                token, expires_ms = self._token(
                    cleared.target, cti, cleared.allowed, now_ms, cleared.slot
                )
                recorded = asyncio.create_task(
                    self.streams.record(arrival, body.terminate, counted, now_ms, patience_s)
                )
                placed = asyncio.create_task(self._resume.position_ms(caller, body, patience_s))
                decided = asyncio.create_task(self._decide(cti, caller.country, cleared))
                await abreast(recorded, placed, decided)
                if newcomer.spends is not None:
                    await self.cases.changed(caller.account_id)
                elif not (cleared.device_known or arrival.open):
                    # others hear of it as `device.registered`
                    self.cases.forget(caller.account_id)
                known = await self.streams.known(caller.account_id, session_id)
            except BaseException as error:
                withdrawn = self.streams.withdraw(newcomer, now_ms)
                if not isinstance(error, asyncio.CancelledError):  # else nobody has time for it
                    await asyncio.wait([withdrawn])
                raise
            known.watched_id = cleared.target.id
            known.channel_id = cleared.target.channel_id
            known.until_ms = cleared.allowed.expires_ms
            known.reviewed = looked
            in_use, decision = recorded.result(), decided.result()
            log.info(
                "playback_started",
                account=caller.account_id,
                target=cleared.target.id,
                via=cleared.allowed.via,
                cohort=decision.cohort,
                reason=decision.reason,
            )
        protocol = (body.device.protocols or ["hls"])[0]
        path = cleared.target.origin_path
        bound = cleared.slot.span if cleared.slot else None
        manifests = addresses.manifests(self._settings, decision, path, bound, token)
        return types.StartAnswer(
            session_id=session_id,
            manifest_url=getattr(manifests, protocol),
            protocol=protocol,
            manifests=manifests,
            token=token,
            expires_at=utc(expires_ms),
            cdns=addresses.cdns(self._natives, decision, path, expires_ms),
            decision=types.Decision(decision.reason, decision.sentence, decision.ttl_s),
            steering=addresses.steering(decision),
            drm=key_systems.offered(self._settings, token, clearkey=self._clearkey),
            position_ms=placed.result(),
            offset_ms=cleared.target.offset_ms,
            constraints=_constraints(cleared.allowed),
            heartbeat=types.Heartbeat(
                f"{self._settings.public_url}/v1/sessions/{session_id}/heartbeat",
                self._settings.heartbeat_s,
                self._settings.session_ttl_s,
            ),
            stop_url=f"{self._settings.public_url}/v1/sessions/{session_id}/stop",
            limits=types.Limits(cleared.max_streams, in_use),
        )

    async def heartbeat(
        self, caller: Caller, session_id: str, told: types.HeartbeatRequest, now_ms: int
    ) -> types.HeartbeatAnswer:
        """Keeps a session alive, and its token while the account may still watch (CTL-106)."""
        stored = await self.streams.beat(caller.account_id, session_id, told, now_ms)
        stretch = 1 if stored else STRETCH
        interval_s = stretch * self._settings.heartbeat_s
        commands: list[types.RenewToken | types.Stop] = []
        try:
            known = await self.streams.known(caller.account_id, session_id)
            if known.country != caller.country:
                known.country, known.reviewed, known.renewed_ms = caller.country, -1, None
            self.quality.note(known.cti, told, now_ms)
            commands += await self._reviewed(session_id, known, now_ms)
        except SqlError as error:
            log.warning("renewal_waits", error=str(error))
        jitter = random.uniform(1 - JITTER, 1 + JITTER)
        next_in_s = max(1, round(interval_s * jitter))
        return types.HeartbeatAnswer(next_in_s, stretch * self._settings.session_ttl_s, commands)

    async def stop(self, caller: Caller, session_id: str, now_ms: int) -> None:
        """Ends a session and frees its slot at once; twice is as good as once (CTL-109)."""
        await self.streams.end(caller.account_id, session_id, "stopped", now_ms)

    async def review(self, row: Any, now_ms: int) -> tuple[rights.Case, Allowed | Denied]:
        """CheckAccess again, for a session that runs."""
        return (await self.judge.again(row, now_ms))[:2]

    async def _decide(self, cti: bytes, country: str, cleared: Cleared) -> Decision:
        """Asked under the token's id, the name under which the session will poll."""
        question = Question(
            session_id=cti.hex(),
            country=country,
            content=cleared.target.origin_path,
            device_class=cleared.device_class,
        )
        timeout_s = self._settings.timeouts.router_ms / 1_000
        decision = await self._router.decide(question, timeout_s)
        return addresses.judging(self._settings, decision) if cleared.slot else decision

    def _token(
        self,
        target: rights.Target,
        cti: bytes,
        allowed: Allowed,
        now_ms: int,
        slot: Slot | None,
    ) -> tuple[str, int]:
        """A token and its end: after `content_token_s`, or when access ends (CTL-112)."""
        bound = slot.span if slot else None
        country = allowed.country if self._settings.names_country else None
        now_s = now_ms // 1_000
        expires_s = min(now_s + self._settings.content_token_s, allowed.expires_ms // 1_000)
        try:
            with tracing.span("token.issue"):
                token = self._signer.sign(target.origin_path, cti, now_s, expires_s, bound, country)
        except Exception as error:
            log.error("token_failed", error=type(error).__name__)
            raise Problem("token_unavailable", headers={"Retry-After": "1"}) from None
        return token, 1_000 * expires_s

    async def _reviewed(
        self, session_id: str, known: Known, now_ms: int
    ) -> Sequence[types.RenewToken | types.Stop]:
        """The word to stop when access is gone: looked at when it was told to have changed, when
        it ends and when the token needs a new one, at half its life or where another process made
        it (CTL-132).
        """
        subjects = (known.account_id, known.watched_id, known.channel_id)
        half_ms = 500 * self._settings.content_token_s
        late = known.renewed_ms is None or now_ms - known.renewed_ms >= half_ms
        due = late or now_ms >= known.until_ms
        if not due and known.reviewed >= self.cases.epoch(*subjects):
            return ()
        looked = self.cases.epoch()
        case, verdict, slot = await self.judge.again(known, now_ms)
        target = case.target
        known.reviewed = looked
        if target is not None:
            known.watched_id, known.channel_id = target.id, target.channel_id
        if isinstance(verdict, Denied) or target is None:
            reason = verdict.code if isinstance(verdict, Denied) else "content_not_found"
            log.info(
                "playback_cut", account=known.account_id, target=known.target_id, reason=reason
            )
            await self.streams.end(known.account_id, session_id, reason, now_ms)
            return (types.Stop(reason),)
        known.until_ms = verdict.expires_ms
        if not due:
            return ()
        token, expires_ms = self._token(target, bytes.fromhex(known.cti), verdict, now_ms, slot)
        known.renewed_ms = now_ms
        return (types.RenewToken(token, utc(expires_ms)),)


def _constraints(allowed: Allowed) -> types.Constraints:
    return types.Constraints(
        max_height=allowed.max_height,
        hdcp=allowed.hdcp,
        offline=allowed.offline,
        ads="required" if allowed.ads == "required" else "none",
    )
