"""Who comes with an API key (CTL-163): looked up by its prefix, compared by its hash.

A key that was just looked up is not asked for again for `FRESH_MS`, nor for `STALE_MS` while the
database is away: so long a revoked one may still be let in.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update

from control_api.api_keys.secrets import digest, prefix_of
from control_api.api_keys.tables import api_key
from control_api.issuer import BadToken, Caller
from runtime import logs
from runtime.sql import Database, SqlError

log = logs.get("control")
FRESH_MS = 2_000
STALE_MS = 60_000
USED_EVERY_MS = 60_000
MAX_KEPT = 10_000
row = api_key.c


@dataclass(frozen=True, slots=True)
class _Found:
    caller: Caller
    until_ms: int | None
    read_ms: int


class Door:
    """What one process knows of keys; the keys themselves are not kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[str, _Found] = OrderedDict()

    async def find(self, text: str, now_ms: int) -> Caller:
        """The caller; raises BadToken."""
        prefix, hashed = prefix_of(text), digest(text)
        if prefix is None:
            raise BadToken("no key")
        known = self._kept.get(hashed)
        if known is None or now_ms - known.read_ms >= FRESH_MS:
            try:
                known = await self._read(prefix, hashed, now_ms)
            except SqlError:
                if known is None or now_ms - known.read_ms >= STALE_MS:
                    raise
        if known.until_ms is not None and now_ms >= known.until_ms:
            raise BadToken("key over")
        return known.caller

    async def _read(self, prefix: str, hashed: str, now_ms: int) -> _Found:
        query = select(api_key).where(or_(row.prefix == prefix, row.old_prefix == prefix))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = next((each for each in rows if _matches(each, hashed)), None)
        if found is None or found.revoked_ms is not None:
            self._kept.pop(hashed, None)
            raise BadToken("unknown key" if found is None else "key revoked")
        await self._used(found, now_ms)
        ends = (
            [found.expires_ms] if found.sha256 == hashed else [found.expires_ms, found.old_until_ms]
        )
        until_ms = min((each for each in ends if each is not None), default=None)
        caller = Caller(found.id, frozenset(found.scopes), key_id=found.id)
        self._kept[hashed] = known = _Found(caller, until_ms, now_ms)
        self._kept.move_to_end(hashed)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return known

    async def _used(self, found: Any, now_ms: int) -> None:
        """Note the use, now and then."""
        if found.last_used_ms is not None and now_ms - found.last_used_ms < USED_EVERY_MS:
            return
        try:
            async with self._database.write() as connection:
                mine = update(api_key).where(row.id == found.id)
                await connection.execute(mine.values(last_used_ms=now_ms))
        except SqlError as error:
            log.warning("key_use_unnoted", key=found.id, error=str(error))


def _matches(each: Any, hashed: str) -> bool:
    stored = (each.sha256, each.old_sha256 or "")
    return any([hmac.compare_digest(one, hashed) for one in stored])
