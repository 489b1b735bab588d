"""A verifier with a store behind it: uses, draws and proofs are settled, lists asked in person.

Rules of the file
1. The store is asked last, after every other check passed (CAT-71), so that a refused request uses
   nothing up; revocations are the exception, they are asked of every token that came so far.
2. A store that is away refuses with `store` (CAT-72).
3. Everything that decides is one atomic operation of the store, so that any number of processes
   agree.
"""

import math
import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol

from cat.cleared import Cleared
from cat.context import Context
from cat.due import Due, Portion, Proof, Use
from cat.revocation import name_of, names_of
from cat.tables import LABELS, LIMITS
from cat.verifier import Verifier
from cat.verify import Verdict

REVOCATION_STEP = 12
_TAKEN = b"1"
_DRAW_BYTES, _DRAW_BITS = 7, 53  # a float in [0, 1)


class Store(Protocol):
    """The shared store's operations that a guard uses (runtime.store.Store has them)."""

    async def get(self, key: str) -> bytes | None: ...
    async def mget(self, keys: Sequence[str]) -> list[bytes | None]: ...
    async def put(self, key: str, value: bytes, ttl_ms: int | None = None) -> None: ...
    async def put_if_absent(self, key: str, value: bytes, ttl_ms: int) -> bool: ...


class Guard:
    """`verify` is `Verifier.verify` with everything settled. The verifier's options say `settled`;
    `away` is what the store raises when it cannot be reached; `cleared` hears of tokens that no
    list names.
    """

    def __init__(
        self,
        verifier: Verifier,
        store: Store,
        *,
        away: type[Exception] | tuple[type[Exception], ...] = OSError,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        cleared: Cleared | None = None,
    ) -> None:
        if not verifier.options.settled:
            raise ValueError("the verifier's options must say settled")
        self._verifier = verifier
        self._store = store
        self._away = away
        self._entropy = entropy
        self._cleared = cleared

    async def verify(self, token: str, context: Context) -> Verdict:
        """The verdict on one token."""
        verdict = self._verifier.verify(token, context)
        if verdict.step < REVOCATION_STEP or verdict.reason == "revoked":
            return verdict
        try:
            return await self._settled(verdict, context.now)
        except self._away:
            return _refused(verdict, "store", None)

    async def verify_any(self, tokens: Iterable[str], context: Context) -> Verdict:
        """The verdict on several candidates (CAT-91)."""
        best = Verdict(False, "missing")
        for token in islice(tokens, LIMITS.candidates):
            verdict = await self.verify(token, context)
            if verdict.accept:
                return verdict
            if verdict.step > best.step:
                best = verdict
        return best

    async def revoke(self, kind: str, *parts: object, ttl_s: float) -> None:
        """Revoke a cti, sub or kid for everybody who asks this store (CAT-73)."""
        await self._store.put(_listed(name_of(kind, *parts)), _TAKEN, _ms(ttl_s))

    async def revoke_before(self, issuer: str, before: float, ttl_s: float) -> None:
        """Revoke what an issuer issued before an epoch second."""
        await self._store.put(
            _listed(name_of("iss", issuer)), repr(float(before)).encode(), _ms(ttl_s)
        )

    async def _settled(self, verdict: Verdict, now: float) -> Verdict:
        revoked = await self._listed(verdict)
        if revoked is not None:
            return revoked
        if self._cleared is not None:
            self._cleared.note(verdict.claims, verdict.kid, now)
        pending = verdict.pending
        if pending is None:
            return verdict
        for due in pending.due:
            reason = await self._decided(due)
            if reason is not None:
                return pending.refused(reason, due)
        return pending.accepted()

    async def _listed(self, verdict: Verdict) -> Verdict | None:
        """Step 12 again, of the store in person."""
        names = list(names_of(verdict.claims, verdict.kid))
        issuer, at = verdict.claims.get(LABELS["iss"]), verdict.claims.get(LABELS["iat"])
        keys = [_listed(name) for name, _ in names]
        if isinstance(issuer, str):
            keys.append(_listed(name_of("iss", issuer)))
        for index, found in enumerate(await self._store.mget(keys) if keys else ()):
            if found is None:
                continue
            if index < len(names):
                return _refused(verdict, "revoked", names[index][1])
            if not isinstance(at, int | float) or at < float(found):
                return _refused(verdict, "revoked", "iss")
        return None

    async def _decided(self, due: Due) -> str | None:
        """The reason that a store refuses for, or None."""
        if isinstance(due, Portion):
            return await self._drawn(due)
        if await self._store.put_if_absent(due.key, _TAKEN, _ms(due.ttl_s)):
            return None
        if isinstance(due, Proof):
            return "dpop"
        await self._reused(due)
        return "replay"

    async def _drawn(self, due: Portion) -> str | None:
        """CAT-75: an id that fell into the portion stays there."""
        if await self._store.get(due.key) is not None:
            return "por"
        drawn = int.from_bytes(self._entropy(_DRAW_BYTES), "big") >> 8 * _DRAW_BYTES - _DRAW_BITS
        if drawn / 2**_DRAW_BITS >= due.probability:
            return None
        if due.ttl_s > 0:
            await self._store.put(due.key, _TAKEN, _ms(due.ttl_s))
        return "por"

    async def _reused(self, due: Use) -> None:
        """CAT-70: the second use revokes issuer and cti until exp, whatever later tokens say."""
        if due.revoke is not None:
            await self._store.put(_listed(bytes.fromhex(due.revoke)), _TAKEN, _ms(due.ttl_s))


def _listed(name: bytes) -> str:
    """Keys that are asked for together stand on one node of a cluster."""
    return f"{{cat:revoked}}:{name.hex()}"


def _ms(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))


def _refused(verdict: Verdict, reason: str, claim: str | None) -> Verdict:
    """Step 12's word, instead of whatever came after it."""
    return Verdict(False, reason, claim, verdict.claims, verdict.kid, REVOCATION_STEP)
