"""Sources and imports of the guide as editors see them (CTL-62, CTL-68)."""

import io
from typing import Any

from sqlalchemy import update

from control_api.epg import importer, store
from control_api.epg.errors import EpgError
from control_api.schema import epg_import_run
from control_api.times import now_ms

EDITOR = frozenset({"epg:import"})
GUIDE = (
    b'<tv><channel id="x"/>'
    b'<programme channel="x" start="20300101000000 +0000" stop="20300101010000 +0000">'
    b"<title>One</title></programme></tv>"
)


async def brought(api: Any, source_id: str, text: bytes, url: str | None = None) -> None:
    async with api.database.write() as connection:
        await store.source(connection, source_id, **({"url": url} if url else {}))
        await store.map_channels(connection, source_id, {"x": "demo"}, 0)
    await importer.run(api.database, source_id, io.BytesIO(text), now_ms)


async def asked(api: Any, path: str, scopes: Any = EDITOR) -> tuple[int, Any]:
    answer: tuple[int, Any] = await api.send("GET", path, headers=api.bearer(scopes=scopes))
    return answer


async def test_sources_tell_how_they_are(kept: Any, make_api: Any) -> None:
    api = await make_api(kept)
    await brought(api, "src_a", GUIDE, "https://example/guide.xml?token=hunter2")
    await brought(api, "src_b", GUIDE)
    async with kept.write() as connection:
        old = epg_import_run.c.source_id == "src_b"
        aged = {"started_ms": 1, "ended_ms": 2}
        await connection.execute(update(epg_import_run).where(old).values(aged))
    try:
        await importer.run(kept, "src_b", io.BytesIO(b"<tv><programme"), now_ms)
    except EpgError as error:
        assert error.code == "not_well_formed"
    status, told = await asked(api, "/v1/admin/epg/sources", frozenset({"admin:read"}))
    assert status == 200 and "hunter2" not in repr(told)
    first, second = told["items"]
    assert (first["id"], first["stale"], first["channels"]) == ("src_a", False, 1)
    assert first["known_until"] == "2030-01-01T01:00:00Z" and second["known_until"] is None
    assert first["last_run"]["state"] == "applied" and first["last_run"]["report"]["kept"] == 1
    assert (second["id"], second["stale"]) == ("src_b", True), "a failed run freshens nothing"
    assert (second["last_run"]["state"], second["last_run"]["report"]["kept"]) == ("failed", 0)


async def test_imports_are_listed_by_pages(kept: Any, make_api: Any) -> None:
    api = await make_api(kept)
    for _ in range(3):
        await brought(api, "src_a", GUIDE)
    await brought(api, "src_b", GUIDE)
    seen, cursor = [], ""
    for _ in range(3):
        path = f"/v1/admin/epg/imports?source_id=src_a&limit=1{cursor}"
        status, page = await asked(api, path)
        assert status == 200 and len(page["items"]) == 1
        seen += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None and {each["source_id"] for each in seen} == {"src_a"}
    assert len({each["id"] for each in seen}) == 3
    assert [each["report"]["created"] for each in seen] == [0, 0, 1], "the newest first"
    assert len((await asked(api, "/v1/admin/epg/imports"))[1]["items"]) == 4
    other = f"/v1/admin/epg/imports?source_id=src_b{cursor.replace('None', 'x.y')}"
    assert (await asked(api, other))[1]["code"] == "bad_cursor"
    assert (await asked(api, "/v1/admin/epg/imports", {"playback"}))[0] == 403
    older = frozenset({"catalog:write"})  # what these two asked of keys once
    for path, status in (("imports", 200), ("sources", 200), ("sources/src_a", 403)):
        assert (await asked(api, f"/v1/admin/epg/{path}", older))[0] == status, path
