"""Recordings without a listener: a database, an origin of wax, a clock that is set by hand."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update

from control_api import ids, seed
from control_api.outbox.tables import outbox
from control_api.problems import Problem
from control_api.recordings import admission, look, programmes, states, store
from control_api.recordings.admission import Desk, Pads
from control_api.recordings.origin import Copied, Held, OriginAway, OriginRefused
from control_api.recordings.planner import Planner
from control_api.recordings.schema import quota, recording, recording_asset
from control_api.recordings.settings import Recordings
from control_api.schema import account, channel, epg_event, epg_event_text, epg_source
from runtime.sql import Database

T0 = 1_774_656_000_000  # 2026-03-28T00:00Z
MIN = 60_000
HOUR = 60 * MIN
PADS = Pads(120, 300)


class WaxOrigin:
    """Holds what it is told to; `away` and `refuse` spoil calls, `lacks` the look at an asset; when
    `gone` nothing is left of it. `copy` is what it tells of private ones.
    """

    def __init__(self) -> None:
        self.holds: dict[str, Held] = {}
        self.calls: list[tuple[str, str]] = []
        self.away = False
        self.refuse: str | None = None
        self.lacks: tuple[look.Gap, ...] = ()
        self.gone = False
        self.size_bytes: int | None = None
        self.busy = 0
        self.copy: Copied | None = Copied("complete", 9)

    async def hold(self, held: Held) -> None:
        self._spoilt("hold", held.id)
        known = self.holds.get(held.id)
        if known is not None and known.end_ms is not None and known != held:
            raise OriginRefused("conflict")
        self.holds[held.id] = held

    async def release(self, asset_id: str, channel: str) -> None:
        self._spoilt("release", asset_id)
        self.holds.pop(asset_id, None)

    async def copied(self, asset_id: str, channel: str) -> Copied | None:
        self._spoilt("copied", asset_id)
        return self.copy

    async def look(
        self, asset_id: str, channel: str, start_ms: int, end_ms: int
    ) -> look.Report | None:
        self._spoilt("look", asset_id)
        assert asset_id in self.holds
        if self.busy:
            self.busy -= 1
            return None
        if self.gone:
            return look.report({}, start_ms, end_ms)
        missing_ms = look.lacking(self.lacks, start_ms, end_ms)
        return look.Report(start_ms - 400, missing_ms, self.lacks, {"v": 9}, self.size_bytes)

    def _spoilt(self, name: str, asset_id: str) -> None:
        self.calls.append((name, asset_id))
        if self.away:
            raise OriginAway("test")
        if self.refuse is not None:
            raise OriginRefused(self.refuse)


@dataclass
class Recorder:
    """One account or more, one channel, and everything that becomes of them."""

    database: Database
    settings: Recordings = field(default_factory=Recordings)
    origin: WaxOrigin = field(default_factory=WaxOrigin)
    now_ms: int = T0

    @property
    def desk(self) -> Desk:
        return Desk(self.settings, "ZZ")

    def planner(self) -> Planner:
        return Planner(self.database, self.origin, self.desk, lambda: self.now_ms)

    async def begin(self, *accounts: str, quota_s: int = 151_200, dvr_s: int = 1_800) -> None:
        async with self.database.write() as connection:
            for table, row in seed.ROWS:
                await connection.execute(insert(table).values(row))
            demo = update(channel).where(channel.c.id == "ch_demo")
            await connection.execute(demo.values(allow_npvr=True, dvr_window_s=dvr_s))
            await connection.execute(update(account).values(npvr_quota_s=quota_s))
            await connection.execute(insert(epg_source).values(id="src", format="xmltv"))
        for name in accounts:
            await self.household(name, quota_s)

    async def household(self, name: str, quota_s: int = 151_200) -> None:
        """Another account with the same package."""
        owner = dict(seed.ROWS[0][1]) | {"id": name, "npvr_quota_s": quota_s}
        row = dict(next(row for table, row in seed.ROWS if table.name == "entitlement"))
        grant = row | {"id": f"ent_{name}", "account_id": name, "source_ref": name}
        async with self.database.write() as connection:
            await connection.execute(insert(account).values(owner))
            await connection.execute(insert(seed.entitlement).values(grant))

    async def event(self, start_ms: int, end_ms: int, title: str = "Show", **more: Any) -> str:
        """A programme of the guide."""
        event_id = ids.new("event")
        row = {
            "id": event_id,
            "channel_id": "ch_demo",
            "start_ms": start_ms,
            "end_ms": end_ms,
            "source_id": "src",
            "lang": "en",
            "hash": "",
            **more,
        }
        async with self.database.write() as connection:
            await connection.execute(insert(epg_event).values(row))
            text = {"event_id": event_id, "lang": "en", "title": title}
            await connection.execute(insert(epg_event_text).values(text))
        return event_id

    async def order(
        self, event_id: str, account_id: str = seed.ACCOUNT, pads: Pads = PADS
    ) -> tuple[Any, bool]:
        async with self.database.write() as connection:
            wanted = await programmes.one(connection, event_id)
            if wanted is None:
                raise Problem("event_not_found")
            return await admission.record(
                connection, self.desk, account_id, wanted, pads, self.now_ms
            )

    async def delete(self, recording_id: str, account_id: str = seed.ACCOUNT) -> None:
        async with self.database.write() as connection:
            await store.delete(connection, self.desk, account_id, recording_id, self.now_ms)

    async def restore(self, recording_id: str, account_id: str = seed.ACCOUNT) -> Any:
        async with self.database.write() as connection:
            return await store.restore(connection, self.desk, account_id, recording_id, self.now_ms)

    async def until(self, now_ms: int) -> None:
        """Let the clock jump, and a new planner do everything that is due."""
        self.now_ms = now_ms
        planner = self.planner()
        for _ in range(100):
            if not await planner.turn():
                return
        raise AssertionError("the planner finds no rest")

    async def one(self, recording_id: str) -> Any:
        async with self.database.read() as connection:
            query = select(recording).where(recording.c.id == recording_id)
            return (await connection.execute(query)).one()

    async def state(self, recording_id: str) -> str:
        return str((await self.one(recording_id)).state)

    async def assets(self) -> list[Any]:
        async with self.database.read() as connection:
            query = select(recording_asset).order_by(recording_asset.c.id)
            return list((await connection.execute(query)).all())

    async def told(self, prefix: str = "recording.") -> list[str]:
        """The types of all events so far."""
        async with self.database.read() as connection:
            query = select(outbox.c.topic).order_by(outbox.c.seq)
            topics = (await connection.execute(query)).scalars().all()
        return [topic for topic in topics if topic.startswith(prefix)]

    async def counted(self, account_id: str = seed.ACCOUNT) -> tuple[int, int]:
        """Used and reserved seconds as the quota row has them."""
        counts = await self.counts(account_id)
        return counts.used_s, counts.reserved_s

    async def counts(self, account_id: str = seed.ACCOUNT) -> states.Counts:
        """The whole quota row."""
        async with self.database.read() as connection:
            query = select(quota).where(quota.c.account_id == account_id)
            row = (await connection.execute(query)).first()
        return states.Counts(0, 0, 0, 0) if row is None else states.Counts(*row[1:])
