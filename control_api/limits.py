"""How often one may ask: by address, account, session (CTL-164).

One script of the store a rule; while the store is away each process counts for itself. Whoever is
beyond a limit gets 429 `rate_limited` with Retry-After.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from math import ceil
from typing import Any

from control_api.guarded import Shelf
from control_api.problems import Problem
from control_api.settings import Limits
from runtime import client_address, logs, metrics
from runtime.store import Limit, MemoryStore, StoreError

log = logs.get("control")
REFUSED = metrics.counter("control_limited", "requests beyond a limit", ("rule",))


@dataclass(frozen=True, slots=True)
class Rule:
    """`limit` a period, `burst` at once. `local`: counted by each process, without a round trip.
    `forgiven`: what succeeds does not count. `guesses`: what the server failed at does not either.
    """

    limit: int
    period_ms: int
    burst: int
    by: Callable[[Any], str]
    local: bool = False
    forgiven: bool = False
    guesses: bool = False


def rules(limits: Limits) -> Mapping[str, Rule]:
    """By the names that routes use."""
    return {
        "login": Rule(
            limits.login_per_min,
            60_000,
            limits.login_per_min,
            _address_and_user,
            forgiven=True,
            guesses=True,
        ),
        "login_address": Rule(
            limits.login_address_per_min,
            60_000,
            limits.login_address_per_min,
            _address,
            guesses=True,
        ),
        "user_code": Rule(  # RFC 8628 section 5.1
            limits.user_code_per_min, 60_000, limits.user_code_per_min, _asker, guesses=True
        ),
        "search": Rule(limits.search_per_s, 1_000, 2 * limits.search_per_s, _asker),
        "guide": Rule(limits.guide_per_s, 1_000, 2 * limits.guide_per_s, _asker, local=True),
        "guide_file": Rule(
            limits.guide_file_per_min, 60_000, limits.guide_file_per_min, _asker, local=True
        ),
        "start": Rule(limits.start_per_s, 1_000, 4 * limits.start_per_s, _asker),
        "key": Rule(limits.key_per_s, 1_000, 2 * limits.key_per_s, _asker),
        "account": Rule(limits.account_per_s, 1_000, 2 * limits.account_per_s, _asker),
        "heartbeat": Rule(
            limits.heartbeat_per_min, 60_000, limits.heartbeat_per_min, _session, local=True
        ),
    }


class Limiter:
    """The rules over the store."""

    def __init__(self, limits: Limits, shelf: Shelf) -> None:
        self._rules = rules(limits)
        self._shelf = shelf
        self._alone = MemoryStore()

    async def admit(self, names: Sequence[str], call: Any) -> None:
        """Count a request; raises what it is answered with beyond a limit."""
        for name in names:
            word = await self._count(name, call, 1)
            if not word.allowed:
                REFUSED.labels(name).inc()
                log.info("limited", rule=name)
                after_s = max(1, ceil(word.retry_after_ms / 1_000))
                raise Problem("rate_limited", limit=name, headers={"Retry-After": str(after_s)})

    async def refund(self, names: Sequence[str], call: Any) -> None:
        """The server failed at it: whoever asked has learnt nothing."""
        for name in names:
            if self._rules[name].guesses:
                await self._count(name, call, -1)

    async def _count(self, name: str, call: Any, cost: int) -> Limit:
        rule = self._rules[name]
        subject = rule.by(call)
        shape = {
            "limit": rule.limit,
            "period_ms": rule.period_ms,
            "burst": rule.burst,
            "cost": cost,
        }
        if rule.local:
            return await self._alone.gcra(f"{name} {subject}", **shape)
        key = _key(name, subject)
        try:
            return await self._shelf.ask(lambda store: store.gcra(key, **shape))
        except StoreError:
            return await self._alone.gcra(key, **shape)

    async def forgive(self, names: Sequence[str], call: Any) -> None:
        """It succeeded."""
        for name in names:
            if self._rules[name].forgiven:
                key = _key(name, self._rules[name].by(call))
                try:
                    await self._shelf.ask(lambda store, key=key: store.delete(key))  # type: ignore[misc]
                except StoreError:
                    await self._alone.delete(key)


def _key(name: str, subject: str) -> str:
    """Subjects are hashed: they may be long, and may be a person's address."""
    return f"rl:{name}:{blake2s(subject.encode(), digest_size=16).hexdigest()}"


def _address(call: Any) -> str:
    return client_address.counted(call.address)


def _address_and_user(call: Any) -> str:
    return f"{_address(call)} {call.body.username.casefold()}"


def _asker(call: Any) -> str:
    return str(call.caller.account_id) if call.caller is not None else _address(call)


def _session(call: Any) -> str:
    return str(call.path["id"])
