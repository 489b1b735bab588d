"""The guide for many: kept answers, a programme with its rights, live changes (CTL-131, 185)."""

import asyncio
import io
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from control_api.epg import importer, store
from control_api.guide import handlers
from control_api.kept import FRESH_MS, MOST, SETTLE_MS, STALE_MS, Kept
from control_api.schema import channel, epg_event
from control_api.times import epoch_ms, now_ms, utc
from runtime.sql import Database, SqlError

HOUR_MS = 3_600_000


def row(start_ms: int, title: str) -> str:
    start, stop = (f"{utc(at):%Y%m%d%H%M%S}" for at in (start_ms, start_ms + HOUR_MS))
    return (
        f'<programme start="{start}" stop="{stop}" channel="one">'
        f'<title lang="en">{title}</title><title lang="fr">Le {title}</title></programme>'
    )


async def put(api: Any, *titles: str, first_ms: int | None = None) -> int:
    """Import a schedule of an hour each, from half an hour ago. Start of the first."""
    first_ms = first_ms or now_ms() // 1_000 * 1_000 - HOUR_MS // 2
    async with api.database.write() as connection:
        await store.source(connection, "src_a", lang="en")
        await store.map_channels(connection, "src_a", {"one": "demo"}, 1)
    rows = [row(first_ms + n * HOUR_MS, title) for n, title in enumerate(titles)]
    file = io.BytesIO(f"<tv>{''.join(rows)}</tv>".encode())
    await importer.run(api.database, "src_a", file, now_ms)
    return first_ms


async def test_programme_and_its_rights(api: Any) -> None:
    """Its own word, else its channel's; catch-up until catchup_h after its end."""
    first_ms = await put(api, "News", "Film")
    async with api.database.write() as connection:
        change = update(channel).where(channel.c.id == "ch_demo")
        await connection.execute(
            change.values(allow_startover=True, catchup_h=24, allow_npvr=False, dvr_window_s=60)
        )
        query = select(epg_event.c.id).order_by(epg_event.c.start_ms)
        news, film = (await connection.execute(query)).scalars()
        own = {"allow_catchup": False, "allow_npvr": True, "allow_startover": False}
        await connection.execute(update(epg_event).where(epg_event.c.id == film).values(**own))
    status, found = await api.send("GET", f"/v1/epg/events/{news}?lang=fr")
    assert (status, found["title"], found["channel_id"]) == (200, "Le News", "ch_demo")
    until = f"{utc(first_ms + 25 * HOUR_MS):%Y-%m-%dT%H:%M:%SZ}"
    allowed = {"startover": True, "catchup": True, "catchup_until": until, "npvr": False}
    assert found["rights"] == allowed and found["langs"] == ["en", "fr"]
    status, found = await api.send("GET", f"/v1/epg/events/{film}")
    allowed = {"startover": False, "catchup": False, "catchup_until": None, "npvr": True}
    assert found["rights"] == allowed
    assert (await api.send("GET", "/v1/epg/events/evt_none"))[0] == 404
    async with api.database.write() as connection:
        await connection.execute(update(channel).values(status="archived"))
    assert (await api.send("GET", f"/v1/epg/events/{film}"))[0] == 404


async def test_grid_is_made_once_and_sent_packed(api: Any) -> None:
    """Bytes made once; each coding has its own strong tag and its 304."""
    first_ms = await put(api, "News")
    url, tags = f"{api.url}/v1/epg?channels=ch_demo", {}
    bodies = set()
    for coding in ("gzip", "identity"):
        headers = {"Accept-Encoding": coding}
        async with api.client.get(url, headers=headers) as response:
            assert response.headers.get("Content-Encoding", "identity") == coding
            tags[coding] = response.headers["ETag"]
            bodies.add(await response.read())
        headers["If-None-Match"] = tags[coding]
        async with api.client.get(url, headers=headers) as again:
            assert again.status == 304
    assert tags["gzip"] != tags["identity"] and len(bodies) == 1
    await put(api, "Other", first_ms=first_ms)
    window = {"from": utc(first_ms).isoformat(), "channels": "ch_demo"}
    _status, grid = await api.send("GET", "/v1/epg", params=window)
    assert [each["title"] for each in grid["channels"][0]["events"]] == ["Other"], "asked anew"


async def test_guide_is_served_stale_while_the_database_is_away(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """control-api section 12: EPG from cache, marked; a question never asked before is 503."""
    await put(api, "News")
    url = f"{api.url}/v1/epg?channels=ch_demo"
    async with api.client.get(url) as response:
        fresh = await response.json()
        assert "X-Source" not in response.headers
    for copy in handlers.pages(api.services.database)._copies.values():
        copy.made_ms -= FRESH_MS

    def away(*_: Any, **__: Any) -> Any:
        raise SqlError("unavailable", "gone")

    monkeypatch.setattr(Database, "read", away)
    async with api.client.get(url) as response:
        assert (response.status, response.headers.get("X-Source")) == (200, "stale")
        assert await response.json() == fresh
    async with api.client.get(f"{api.url}/v1/epg?channels=ch_arena") as response:
        assert response.status == 503


async def test_changes_are_told_as_they_happen(api: Any) -> None:
    """A programme that comes, moves or goes reaches who listens to its channel, nobody else."""
    first_ms = await put(api, "One")
    async with (
        api.client.get(f"{api.url}/v1/epg/live?channels=ch_demo") as mine,
        api.client.get(f"{api.url}/v1/epg/live?channels=ch_arena") as other,
    ):
        assert mine.headers["Content-Type"] == "text/event-stream"
        assert await mine.content.readuntil(b"\n\n") == b": still here\n\n"
        assert await other.content.readuntil(b"\n\n") == b": still here\n\n"
        await put(api, "One", "Two", first_ms=first_ms)
        async with asyncio.timeout(60):
            while True:
                lines = (await mine.content.readuntil(b"\n\n")).decode().split("\n")
                if lines[1] == "event: epg.event.created" and '"Two"' in lines[2]:
                    break
        data = json.loads(lines[2].removeprefix("data: "))
        assert data["channel_id"] == "ch_demo"
        assert epoch_ms(utc(first_ms)) == first_ms and data["starts_at"].startswith(
            f"{utc(first_ms + HOUR_MS):%Y-%m-%dT%H:%M:%S}"
        )
        assert b"event" not in b"".join(other.content._buffer), "a slow machine hears of silence"


@pytest.mark.parametrize("listed", ["", "ch demo", "ch_demo,", "ch_demo,,ch_arena", "c" * 65])
async def test_channels_that_none_can_have_are_refused(api: Any, listed: str) -> None:
    for path in ("/v1/epg/live", "/v1/epg", "/v1/epg/now", "/v1/epg/xmltv"):
        status, problem = await api.send("GET", path, params={"channels": listed})
        assert (status, problem["code"]) == (400, "invalid"), path


async def test_programmes_are_found(api: Any) -> None:
    """An import makes its programmes searchable, and a later one takes away what went."""
    first_ms = await put(api, "Gardening", "Weather")
    ask = {"q": "gardenning"}
    status, found = await api.send("GET", "/v1/search", params=ask)
    assert [(hit["kind"], hit["title"]) for hit in found["items"]] == [("programme", "Gardening")]
    await put(api, "Gardening", "Cooking", first_ms=first_ms)
    for q, n in (("weather", 0), ("cooking", 1)):
        status, found = await api.send("GET", "/v1/search", params={"q": q})
        assert (status, len(found["items"])) == (200, n)


async def test_kept_answers_age_and_are_bounded() -> None:
    """Fresh for a while, stale for a day, at most so many; many who ask share one making."""
    kept: Kept[int, int] = Kept()
    made: list[int] = []

    async def good() -> int:
        await asyncio.sleep(0)
        made.append(1)
        return len(made)

    async def bad() -> int:
        raise SqlError("timeout", "late")

    answers = await asyncio.gather(*(kept.get(1, 0, good) for _ in range(9)))
    assert set(answers) == {(1, False)} and len(made) == 1
    assert await kept.get(1, FRESH_MS - 1, bad) == (1, False)
    assert await kept.get(1, FRESH_MS, bad) == (1, True)
    assert await kept.get(1, FRESH_MS, good) == (2, False)
    with pytest.raises(SqlError):
        await kept.get(1, FRESH_MS + STALE_MS, bad)
    for key in range(2, MOST + 2):
        await kept.get(key, 0, good)
    assert len(kept._copies) == MOST and 1 not in kept._copies


async def told(api: Any, after: str = "") -> Any:
    """The live changes, from behind an event on."""
    headers = {"Last-Event-ID": after} if after else {}
    return api.client.get(f"{api.url}/v1/epg/live?channels=ch_demo", headers=headers)


async def test_who_was_away_gets_what_was_missed(api: Any) -> None:
    """`Last-Event-ID` of the HTML standard, section 9.2.4; of other families nothing is told."""
    first_ms = await put(api, "One")

    async def read(stream: Any, title: str) -> tuple[list[str], str]:
        seen = []
        async with asyncio.timeout(60):
            while True:
                lines = (await stream.content.readuntil(b"\n\n")).decode().split("\n")
                seen += [line for line in lines if line.startswith("event: ")]
                if f'"{title}"' in lines[-3]:
                    return seen, lines[0].removeprefix("id: ")

    async with await told(api) as stream:
        await stream.content.readuntil(b"\n\n")
        await put(api, "One", "Two", first_ms=first_ms)
        _, last = await read(stream, "Two")
    await put(api, "One", "Two", "Three", first_ms=first_ms)
    async with await told(api, last) as stream:
        seen, _ = await read(stream, "Three")
    assert seen == ["event: epg.event.created"]


async def test_who_was_away_too_long_asks_for_the_guide_anew(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "MOST_MISSED", 1)
    first_ms = await put(api, "One")

    async def next_event(stream: Any) -> tuple[str, str]:
        async with asyncio.timeout(60):
            while True:
                told = (await stream.content.readuntil(b"\n\n")).decode()
                if "event: " in told:
                    fields = dict(line.split(": ", 1) for line in told.strip().split("\n"))
                    return fields.get("id", ""), fields["event"]

    async with await told(api) as stream:
        await stream.content.readuntil(b"\n\n")
        await put(api, "One", "Two", first_ms=first_ms)
        last, _ = await next_event(stream)
        await put(api, "One", "Two", "Three", "Four", first_ms=first_ms)
        for _ in range(2):
            await next_event(stream)
    async with await told(api, "msg_forgotten") as stream:
        assert await next_event(stream) == ("", "reload"), "nobody knows what it missed"
    async with await told(api, last) as stream:
        assert await next_event(stream) == ("", "reload")
        await put(api, "One", "Two", "Three", "Four", "Five", first_ms=first_ms)
        assert (await next_event(stream))[1] == "epg.event.created"


async def test_a_change_is_seen_by_who_asks_behind_it(api: Any) -> None:
    """Kept for an hour, the grid still follows an import of another process."""
    handlers.pages(api.services.database)._fresh_ms = HOUR_MS
    first_ms = await put(api, "Old")
    path = f"/v1/epg?channels=ch_demo&from={utc(first_ms):%Y-%m-%dT%H:%M:%SZ}"

    async def titles() -> list[str]:
        _, grid = await api.send("GET", path)
        return [event["title"] for event in grid["channels"][0]["events"]]

    assert await titles() == ["Old"]
    await put(api, "Old", "New", first_ms=first_ms)
    async with asyncio.timeout(60):
        while await titles() != ["Old", "New"]:
            await asyncio.sleep(0.05)


async def test_copies_age_with_changes() -> None:
    """One that began before a change is not fresh behind it, whoever waits for it; only what was
    made behind one already lasts a while when others follow.
    """
    kept: Kept[str, int] = Kept(HOUR_MS)
    release = asyncio.Event()

    async def slow() -> int:
        await release.wait()
        return 1

    async def two() -> int:
        return 2

    async def three() -> int:
        return 3

    early = asyncio.create_task(kept.get("k", 1_000, slow))
    await asyncio.sleep(0)
    kept.changed(1_001)
    late = asyncio.create_task(kept.get("k", 1_002, slow))
    await asyncio.sleep(0)
    release.set()
    assert await early == await late == (1, False)
    assert await kept.get("k", 1_003, two) == (2, False), "nobody is told the old behind the word"
    kept.changed(1_004)
    assert await kept.get("k", 1_002 + SETTLE_MS, three) == (2, False), "changes come in crowds"
    assert await kept.get("k", 1_003 + SETTLE_MS, three) == (3, False)
    assert await kept.get("k", 1_002 + SETTLE_MS + HOUR_MS, slow) == (3, False)
