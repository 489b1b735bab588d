"""How the whole is, for anybody: a word for each part and engine, without reasons or addresses.

What does not answer in time is down; the answer comes whatever is down, and asks the others at
most every five seconds, however many want to know. Source: control-api section 3 (`/status`).
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from aiohttp import ClientSession, ClientTimeout
from msgspec import Struct
from sqlalchemy import func, select

from control_api.calls import Call
from control_api.outbox.tables import outbox
from control_api.route import Route, public
from control_api.schema import epg_import_run
from control_api.times import utc
from headwater.console import hearing, readings
from runtime.sql import Database, SqlError
from runtime.store import Store, StoreError

KEPT_S = 5
ANSWERS_S = 0.5  # all are asked at once, within one request's time


class Piece(Struct):
    name: str
    state: Literal["ok", "bad"]
    says: str


class Limited(Struct):
    """What operators switched off or down, of what viewers feel."""

    name: str
    says: str


class Status(Struct):
    """`outbox_lag_s` is how long the oldest event waits, `guide_age_s` how long ago a guide was
    imported; None where the database does not tell or there is none.
    """

    at: datetime
    state: Literal["ok", "bad"]
    parts: list[Piece]
    limited: list[Limited]
    outbox_lag_s: float | None
    guide_age_s: float | None


class _Ages(NamedTuple):
    """Epoch milliseconds."""

    waits_since_ms: int | None
    imported_ms: int | None


class Watch:
    """`ready` maps a service's name to where its /readyz is."""

    def __init__(self, ready: Mapping[str, str]) -> None:
        self._ready = ready
        self._looking = asyncio.Lock()
        self._seen: tuple[int, Status] | None = None

    def routes(self) -> tuple[Route, ...]:
        return (public("/status.json", self.status, Status, KEPT_S),)

    async def status(self, call: Call[None]) -> Status:
        """The state of each part and engine."""
        async with self._looking:
            if self._seen is None or not 0 <= call.now_ms - self._seen[0] < 1_000 * KEPT_S:
                self._seen = call.now_ms, await self._look(call)
            return self._seen[1]

    async def _look(self, call: Call[None]) -> Status:
        services = call.services
        async with ClientSession(timeout=ClientTimeout(total=ANSWERS_S)) as session:
            ages, stored, *ready = await asyncio.gather(
                _ages(services.database),
                _stored(services.store),
                *(
                    hearing.document(session, f"{url}/readyz", any_status=True)
                    for url in self._ready.values()
                ),
            )
        parts = [_piece("database", ages is not None), _piece("store", stored)]
        for name, said in zip(self._ready, ready, strict=True):
            good = readings.service(name, said).ready
            parts.append(_piece(name, good, "not ready" if said is not None else "no answer"))
        waits_ms, imported_ms = ages or _Ages(None, None)
        lag_s = None if ages is None else _ago_s(call.now_ms, waits_ms or call.now_ms)
        good = all(each.state == "ok" for each in parts) and (lag_s or 0.0) <= readings.WAITS_S
        return Status(
            utc(call.now_ms),
            "ok" if good else "bad",
            parts,
            [Limited(name, _said(value)) for name, value in services.flags.unusual().items()],
            lag_s,
            None if imported_ms is None else _ago_s(call.now_ms, imported_ms),
        )


def _piece(name: str, good: bool, why: str = "no answer") -> Piece:
    return Piece(name, "ok" if good else "bad", "ready" if good else why)


def _said(value: bool | int) -> str:
    """A flag's value in words; a number is a share of accounts."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"for {value} %"


def _ago_s(now_ms: int, at_ms: int) -> float:
    return round(max(now_ms - at_ms, 0) / 1_000, 1)


async def _ages(database: Database) -> _Ages | None:
    """None when the database does not answer."""
    waiting = outbox.c.published_ms.is_(None)
    oldest = select(outbox.c.created_ms).where(waiting).order_by(outbox.c.seq).limit(1)
    applied = epg_import_run.c.state == "applied"
    imported = select(func.max(epg_import_run.c.ended_ms)).where(applied)
    try:
        async with asyncio.timeout(ANSWERS_S), database.read() as connection:
            return _Ages(
                (await connection.execute(oldest)).scalar(),
                (await connection.execute(imported)).scalar(),
            )
    except (SqlError, TimeoutError):
        return None


async def _stored(store: Store) -> bool:
    try:
        async with asyncio.timeout(ANSWERS_S):
            await store.get("status")
    except (StoreError, TimeoutError):
        return False
    return True
