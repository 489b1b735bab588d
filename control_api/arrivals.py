"""Starts that the store admitted, on their way into the database.

Rules of the file
1. Those that come while a transaction is on its way make the next one, with one statement for all
   their rows (SQLite: one a table). Alone, a start waits for nobody.
2. New devices count under their accounts' locks (CTL-72).
3. One is nobody else's trouble: a start of an account that is held meanwhile, one that spends a use
   and each of a transaction that the database refused or undid has a transaction of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import TextClause, text

from control_api import devices, ledger, outbox, sessions, types
from control_api.problems import Problem
from control_api.sessions import Newcomer
from runtime.asking import REFUSED, Ask
from runtime.sql import Database, Dialect, SqlError
from runtime.together import Together

MAX_TOGETHER = 64


@dataclass(frozen=True, slots=True)
class Arrival:
    """A start that CheckAccess allowed; `open` where nothing is known of its account."""

    newcomer: Newcomer
    device: types.DeviceInfo
    device_class: types.DeviceClass
    device_known: bool
    title: str
    open: bool = False

    def device_row(self, now_ms: int) -> dict[str, Any]:
        """Of a device that is new."""
        one = self.newcomer
        return devices.made(one.account_id, one.device_id, self.device, self.device_class, now_ms)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A start's rows as JSON; `device` and its event `registered` where it was not known before."""

    account_id: str
    device_id: str
    session: msgspec.Raw
    started: msgspec.Raw
    device: msgspec.Raw | None = None
    registered: msgspec.Raw | None = None


@dataclass(slots=True)
class _Room:
    """The devices of an account, and how many more it may have."""

    devices: set[str]
    left: int


class Arrivals:
    """One process's way into the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together: Together[_Entry, bool] = Together(self._enter, most=MAX_TOGETHER)

    async def enter(self, arrival: Arrival, now_ms: int) -> None:
        """Committed. Raises SqlError, and Problem where there is no room for a new device or no
        use left.
        """
        one = arrival.newcomer
        if one.spends is None and await self._together.do(_entry(arrival, now_ms)):
            return
        async with self._database.change() as ask:
            if not arrival.device_known or one.spends is not None:
                await devices.see(ask, arrival.device_row(now_ms))
            await sessions.enter(ask, one, now_ms)

    async def settled(self) -> None:
        """Nothing that was asked for before is on its way any more."""
        await self._together.settled()

    async def _enter(self, entries: Sequence[_Entry]) -> Sequence[bool | Problem]:
        """Which were written; those that were not have to go alone, or have a problem."""
        try:
            async with self._database.change() as ask:
                return await _written(ask, self._database.dialect, entries)
        except REFUSED:
            return [False] * len(entries)
        except SqlError as error:
            if error.code != "undone":
                raise
            return [False] * len(entries)


def _entry(arrival: Arrival, now_ms: int) -> _Entry:
    one = arrival.newcomer
    session = one.row(now_ms)
    started = outbox.row("playback.session.started", ledger.subject(session), now_ms)
    written = [session, started]
    if not arrival.device_known:
        device = arrival.device_row(now_ms)
        written += [device, outbox.row("device.registered", devices.subject(device), now_ms)]
    return _Entry(
        one.account_id, one.device_id, *(msgspec.Raw(msgspec.json.encode(row)) for row in written)
    )


async def _written(
    ask: Ask, dialect: Dialect, entries: Sequence[_Entry]
) -> Sequence[bool | Problem]:
    rooms = await _rooms(ask, dialect, {each.account_id for each in entries if each.device})
    rows: dict[str, list[msgspec.Raw | None]] = {table: [] for table in COLUMNS}
    found: list[bool | Problem] = []
    for entry in entries:
        room = rooms.get(entry.account_id)
        if entry.device and room is None:
            found.append(False)
            continue
        if entry.device and room and entry.device_id not in room.devices:
            if not room.left:
                found.append(Problem("device_limit", devices=[]))
                continue
            room.left -= 1
            room.devices.add(entry.device_id)
            rows["device"].append(entry.device)
            rows["outbox"].append(entry.registered)
        rows["playback_session"].append(entry.session)
        rows["outbox"].append(entry.started)
        found.append(True)
    values = {table: msgspec.json.encode(many).decode() for table, many in rows.items()}
    for statement in _ENTER[dialect]:
        await ask(statement, values)
    return found


async def _rooms(ask: Ask, dialect: Dialect, accounts: set[str]) -> Mapping[str, _Room]:
    """Of those accounts that nobody else holds: they are ours to the end of the transaction."""
    if not accounts:
        return {}
    named = {"accounts": msgspec.json.encode(sorted(accounts)).decode()}
    rooms = {row.id: _Room(set(), row.max_devices) for row in await ask(_HOLD[dialect], named)}
    for row in await ask(_DEVICES[dialect], named):
        if (room := rooms.get(row.account_id)) is not None:
            room.devices.add(row.id)
            room.left = max(0, room.left - row.in_use)
    return rooms


COLUMNS = {
    "device": ("id", "account_id", "class", "name", "drm", "last_seen_ms"),
    "playback_session": (
        "id",
        "account_id",
        "profile_id",
        "pin_passed",
        "country",
        "device_id",
        "kind",
        "target_id",
        "cti",
        "started_ms",
        "last_seen_ms",
    ),
    "outbox": ("id", "topic", "key", "payload", "created_ms"),
}
_LISTED: Mapping[Dialect, str] = {  # the accounts of a JSON array
    "postgresql": "= ANY(ARRAY(SELECT json_array_elements_text(CAST(:accounts AS text)::json)))",
    "sqlite": "IN (SELECT value FROM json_each(:accounts))",
}
_HOLD: Mapping[Dialect, TextClause] = {
    "postgresql": text(
        f"SELECT id, max_devices FROM account WHERE id {_LISTED['postgresql']}"
        " FOR NO KEY UPDATE SKIP LOCKED"
    ),
    "sqlite": text(f"SELECT id, max_devices FROM account WHERE id {_LISTED['sqlite']}"),
}
_DEVICES: Mapping[Dialect, TextClause] = {
    dialect: text(
        "SELECT account_id, id, CASE WHEN revoked_ms IS NULL THEN 1 ELSE 0 END AS in_use"
        f" FROM device WHERE account_id {listed}"
    )
    for dialect, listed in _LISTED.items()
}


def _inserts(dialect: Dialect) -> list[str]:
    """Of each table the rows of a JSON array."""
    made = []
    for table, columns in COLUMNS.items():
        names = ", ".join(columns)
        if dialect == "postgresql":
            rows = f"json_populate_recordset(NULL::{table}, CAST(:{table} AS text)::json)"
            made.append(f"INSERT INTO {table} ({names}) SELECT {names} FROM {rows}")
        else:
            read = ", ".join(f"json_extract(value, '$.{name}')" for name in columns)
            made.append(f"INSERT INTO {table} ({names}) SELECT {read} FROM json_each(:{table})")
    return made


def _enters() -> Mapping[Dialect, Sequence[TextClause]]:
    first, second, last = _inserts("postgresql")
    return {
        "postgresql": [text(f"WITH first AS ({first}), second AS ({second}) {last}")],
        "sqlite": [text(each) for each in _inserts("sqlite")],
    }


_ENTER = _enters()
