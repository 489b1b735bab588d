"""`Idempotency-Key`: the same request again has the same answer, and one effect (CTL-156).

Source: draft-ietf-httpapi-idempotency-key-header-07, sections 2.1 (a structured-field string),
2.2 (uniqueness), 2.6 (errors); a bare token is taken too.

Rules of the file
1. A key is an account's, for 24 h, of one request: method, path, query and body as we read them.
2. Whoever comes first holds the key, for `LEASE_MS` unless it answers sooner; who comes meanwhile
   hears 409. A holder that died frees it with time; one that comes back after that is undone.
3. An operation that calls `settle` in its transaction has effect and answer together or neither.
   Others are kept when they have answered, and are such as may be repeated: a start replaces the
   same device's session, a recording that is there is the answer.
4. What may be otherwise next time, 5xx and 429, is not kept. Answers may hold secrets: they are
   sealed.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.loops import Loop
from control_api.problems import Problem
from control_api.schema import metadata
from control_api.times import now_ms
from control_api.webhooks.vault import Vault
from runtime import logs, metrics
from runtime.plain import Answer
from runtime.sql import Database, SqlError

log = logs.get("control")
SEEN = metrics.counter("control_idempotent", "requests with a key, by outcome", ("outcome",))

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEPT_MS: Final = 86_400_000
LEASE_MS: Final = 60_000
SWEEP_S: Final = 600.0
PURPOSE: Final = b"headwater idempotent answers"
PRINTS: Final = b"headwater idempotent fingerprints"
MAX_CHARS: Final = 255
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # RFC 9651 section 3.3.3
_TOKEN: Final = re.compile(r"[!#-\[\]-~]+")

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("key", String(MAX_CHARS), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("lease", String(32), nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
    Column("status", BigInteger),
    Column("answer", Text),
    Column("expires_ms", BigInteger, nullable=False),
    Index(None, "expires_ms"),
)
row = idempotency_key.c


def read_key(text: str | None) -> str | None:
    """The key of the header; None without. 400 for what is neither a string nor a token."""
    if text is None:
        return None
    text = text.strip()
    string = _STRING.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", string[1]) if string else text
    if not 0 < len(key) <= MAX_CHARS or not (string or _TOKEN.fullmatch(text)):
        raise Problem("invalid", f"{HEADER} is no structured-field string")
    return key


@dataclass(slots=True)
class Claim:
    """A key that this request holds; `replay` is the answer of an earlier one instead."""

    vault: Vault
    account_id: str
    key: str
    lease: str
    replay: Answer | None = None
    settled: bool = field(default=False, init=False)

    @property
    def _name(self) -> str:
        return f"{self.account_id} {self.key}"

    async def settle(self, connection: AsyncConnection, answer: Answer) -> None:
        """Keep the answer in the open transaction; 409 if somebody else holds the key by now."""
        sealed = self.vault.seal(self._name, msgspec.msgpack.encode(answer))
        done = await connection.execute(
            update(idempotency_key)
            .where(*self.held())
            .values(status=answer.status, answer=sealed, lease_until_ms=0)
        )
        if done.rowcount != 1:
            raise _running()
        self.settled = True

    def held(self) -> tuple[Any, ...]:
        """The row, as long as it is this request's."""
        mine = (row.account_id == self.account_id, row.key == self.key)
        return (*mine, row.lease == self.lease, row.status.is_(None))

    def opened(self, text: str) -> Answer:
        return msgspec.msgpack.decode(self.vault.open(self._name, text), type=Answer)


def _running() -> Problem:
    SEEN.labels("running").inc()
    return Problem("idempotency_running", headers={"Retry-After": "1"})


class Claims:
    """The keys of all accounts."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._vault = Vault(secret, PURPOSE)
        self._print_key = hmac.digest(secret, PRINTS, hashlib.sha256)

    def fingerprint(self, method: str, path: str, query: Any, body: Any) -> str:
        """Of a request as it was understood: spaces and the order of members do not count. By a
        key of ours, since a body may hold a PIN, which a plain digest gives away.
        """
        said = msgspec.json.encode([method, path, query, body])
        return hmac.digest(self._print_key, said, hashlib.sha256).hex()

    async def begin(self, account_id: str, key: str, printed: str, at_ms: int) -> Claim:
        """Hold the key, or have the answer; 409 while it is held, 422 for another request."""
        claim = Claim(self._vault, account_id, key, secrets.token_hex(16))
        held = {
            "fingerprint": printed,
            "lease": claim.lease,
            "lease_until_ms": at_ms + LEASE_MS,
            "expires_ms": at_ms + KEPT_MS,
        }
        mine = (row.account_id == account_id, row.key == key)
        try:
            async with self._database.write() as connection:
                query = select(idempotency_key).where(*mine).with_for_update()
                known = (await connection.execute(query)).first()
                if known is not None and known.expires_ms <= at_ms:
                    await connection.execute(delete(idempotency_key).where(*mine))
                    known = None
                if known is None:
                    whose = {"account_id": account_id, "key": key}
                    await connection.execute(insert(idempotency_key).values(**whose, **held))
                    return claim
                if known.fingerprint != printed:
                    SEEN.labels("other").inc()
                    raise Problem("idempotency_mismatch")
                if known.answer is not None:
                    SEEN.labels("replayed").inc()
                    claim.replay = claim.opened(known.answer)
                elif known.lease_until_ms > at_ms:
                    raise _running()
                else:
                    await connection.execute(update(idempotency_key).where(*mine).values(held))
        except IntegrityError:
            raise _running() from None
        return claim

    async def keep(self, claim: Claim, answer: Answer) -> None:
        """Keep an answer that was not kept with its effect."""
        async with self._database.write() as connection:
            await claim.settle(connection, answer)

    async def release(self, claim: Claim) -> None:
        """The key is free again, unless its answer was kept."""
        async with self._database.write() as connection:
            await connection.execute(delete(idempotency_key).where(*claim.held()))

    async def sweep(self) -> None:
        """Forget what is over, now and then, for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                async with self._database.write(timeout_ms=30_000) as connection:
                    over = delete(idempotency_key).where(row.expires_ms <= now_ms())
                    await connection.execute(over)
            except SqlError as error:
                log.warning("keys_unswept", error=str(error))


def work(services: Any) -> list[Loop]:
    """What keys need done behind them."""
    claims = Claims(services.database, services.secret)
    return [Loop("idempotency-sweep", claims.sweep)]
