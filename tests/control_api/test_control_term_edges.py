"""Beginnings and ends of windows and blackouts are told once, by time or by edit (CTL-33); a token
that was taken back is told of (CTL-105).
"""

import asyncio
import json
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from control_api import ids, seed
from control_api.outbox.tables import outbox
from control_api.schema import channel, content, rights_window
from control_api.terms import edges
from control_api.terms.edges import Edges
from control_api.terms.tables import blackout, edge_mark
from control_api.times import now_ms, utc

HOUR = 3_600_000


async def told(database: Any) -> list[str]:
    """Types and ids of what was told since the last look."""
    async with database.write() as connection:
        rows = (await connection.execute(select(outbox).order_by(outbox.c.seq))).all()
        await connection.execute(delete(outbox))
    found = []
    for row in rows:
        data = json.loads(row.payload)["data"]
        about = data.get("window_id") or data.get("blackout_id") or data.get("cti")
        found.append(f"{row.topic} {about}")
    return found


def window(name: str, start_ms: int, end_ms: int, **more: Any) -> dict[str, Any]:
    row = {"id": name, "content_id": "cnt_film", "territory": "**", "licence": "svod"}
    return row | {"platform": "*", "start_ms": start_ms, "end_ms": end_ms} | more


async def test_what_comes_with_time_is_told_once(kept: Any, monkeypatch: Any) -> None:
    """By two processes that look at the same time, in steps, over a stop."""
    monkeypatch.setattr(edges, "BATCH", 2)
    at = 1_800_000_000_000
    async with kept.write() as connection:
        for table, row in seed.ROWS:
            if table in (content, channel):
                await connection.execute(insert(table).values(row))
    one, two = Edges(kept), Edges(kept)
    assert await one.tell(at) == 0, "what was before the first look is nobody's news"
    async with kept.write() as connection:
        rows = [window(f"w{n}", at + 10, at + 20 + n) for n in range(5)]
        rows.append(window(ids.PREFIXES["window"] + ids.uuid7(at + 15, 7), at + 11, at + HOUR))
        await connection.execute(insert(rights_window), rows)
        dark = {"id": "b", "channel_id": "ch_demo", "territories": ["**"]}
        dark |= {"start_ms": at + 5, "end_ms": at + 30, "updated_ms": at + 7}
        await connection.execute(insert(blackout).values(dark))
    assert await one.tell(at + 9) == 1 and await told(kept) == [], "an edit told of that one"
    async with kept.write() as connection:
        assert await edges._told(connection, edges.EDGES[0], at + 12) == 2
        other = asyncio.create_task(two.tell(at + 12))
        await asyncio.wait({other}, timeout=0.2)
        assert not other.done(), "it waits for what is being told"
    await asyncio.gather(one.tell(at + 12), other)
    assert await told(kept) == [f"rights.window.opened w{n}" for n in range(5)]
    assert await Edges(kept).tell(at + 12) == 0
    await Edges(kept).tell(at + HOUR)
    late = [f"rights.window.closed w{n}" for n in range(5)]
    found = await told(kept)
    assert found[:5] == late and found[5].startswith("rights.window.closed rwn_")
    assert found[6:] == ["blackout.ended b"]
    async with kept.read() as connection:
        assert len((await connection.execute(select(edge_mark))).all()) == len(edges.EDGES)


async def test_edits_tell_what_they_open_and_close(kept: Any, make_api: Any) -> None:
    """Titles and channels alike; a new text over the same windows is none of it."""
    api = await make_api(kept)
    headers = api.bearer(scopes=frozenset({"catalog:write"}))
    at = now_ms()

    def there(start_ms: int, end_ms: int) -> dict[str, str]:
        return {
            "licence": "svod",
            "start_at": utc(at + start_ms).isoformat(),
            "end_at": utc(at + end_ms).isoformat(),
        }

    async def patch(path: str, **change: Any) -> list[str]:
        _, entry = await api.send("GET", f"/v1/admin/{path}", headers=headers)
        asked = headers | {"If-Match": f'"v{entry["version"]}"'}
        asked["Content-Type"] = "application/merge-patch+json"
        place = "catalog" if path.startswith("contents") else "admin"
        status, answer = await api.send("PATCH", f"/v1/{place}/{path}", change, headers=asked)
        assert status == 200, answer
        return sorted(each.split()[0] for each in await told(kept) if "rights" in each)

    for path in ("contents/cnt_film", "channels/ch_demo"):
        opened, coming = there(-HOUR, HOUR), there(HOUR, 2 * HOUR)
        assert await patch(path, windows=[opened, coming]) == [
            *("rights.window.closed", "rights.window.opened", "rights.window.updated")
        ]
    assert await patch(path, windows=[coming, opened]) == []
    assert await patch(path, windows=[]) == ["rights.window.closed", "rights.window.updated"]


async def test_tokens_that_were_taken_back_are_told(kept: Any, make_api: Any) -> None:
    """CTL-105: ended by others or replaced; who stops keeps the rest of the token's life."""
    api = await make_api(kept)
    sessions = [(await api.start("one"))[1]["session_id"] for _ in range(2)]
    await api.services.playback.ledger.flush()
    assert [each.split()[0] for each in await told(kept) if "token" in each] == ["token.revoked"]
    assert (await api.send("POST", f"/v1/sessions/{sessions[1]}/stop"))[0] == 204
    assert not [each for each in await told(kept) if "token" in each]
    session_id = (await api.start("one"))[1]["session_id"]
    assert (await api.send("POST", f"/v1/sessions/{session_id}/terminate"))[0] == 204
    assert [each.split()[0] for each in await told(kept) if "token" in each] == ["token.revoked"]


def test_ids_tell_when_they_were_made() -> None:
    assert ids.made_ms("window", ids.PREFIXES["window"] + ids.uuid7(123_456, 9)) == 123_456
    assert [ids.made_ms("window", name) for name in ("rwn_film", "rwn_" + "z" * 32, "")] == [
        0,
        0,
        0,
    ]


def test_ids_of_one_millisecond_sort_as_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that dead letters are brought again, and deeds listed, in the order they came."""
    begun_ns = 1_700_000_000_000_000_000
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=count(begun_ns, 250).__next__))
    made = [ids.new("dead") for _ in range(4_001)]
    assert made == sorted(made)
    told = [ids.made_ms("dead", made[at]) for at in (0, 3_999, 4_000)]
    assert told == [begun_ns // 1_000_000 + later for later in (0, 0, 1)]
