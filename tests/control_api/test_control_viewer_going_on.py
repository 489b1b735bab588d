"""What to go on with: many titles in few statements, and recordings among them (CTL-142)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from control_rigs.recorder import HOUR, Recorder
from sqlalchemy import delete, event, insert, select
from sqlalchemy.engine import Engine

from control_api import seed
from control_api.recordings import states
from control_api.recordings.schema import recording
from control_api.schema import (
    asset,
    content,
    content_text,
    entitlement,
    package_content,
    rights_window,
)
from control_api.times import now_ms, utc

CONTENT, FILM_ASSET, FILM_TEXT, FILM_WINDOW = (
    next(row for table, row in seed.ROWS if table is wanted and "film" in str(row))
    for wanted in (content, asset, content_text, rights_window)
)


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    recorder = Recorder(kept, now_ms=now_ms())
    await recorder.begin("acc_b", dvr_s=4 * HOUR // 1_000)
    api = await make_api(kept)
    api.recorder = recorder
    _, api.profile = await api.send("POST", "/v1/profiles", {"name": "Ada"})
    return api


async def films(api: Any, count: int, licence: str = "svod") -> list[str]:
    """Films like the demo's, each in its package if a subscription opens it."""
    keys = [f"cnt_{licence}{n:02}" for n in range(count)]
    async with api.database.write() as connection:
        for key in keys:
            await connection.execute(insert(content).values({**CONTENT, "id": key}))
            rows = (
                (content_text, FILM_TEXT | {"title": key}),
                (asset, FILM_ASSET | {"id": f"ast_{key}"}),
                (rights_window, FILM_WINDOW | {"id": f"rwn_{key}", "licence": licence}),
            )
            for table, row in rows:
                await connection.execute(insert(table).values({**row, "content_id": key}))
            part = {"package_id": "pkg_basic", "target_kind": "content", "target_id": key}
            if licence == "svod":
                await connection.execute(insert(package_content).values(part))
    return keys


async def stop(api: Any, key: str, position_ms: int = 50_000, ago_ms: int = 0) -> None:
    at = utc(now_ms() - ago_ms).isoformat()
    body = {"position_ms": position_ms, "duration_ms": 100_000, "updated_at": at}
    status, told = await api.send("PUT", f"/v1/bookmarks/{key}", body)
    assert status == 200, told


async def going_on(api: Any, **query: Any) -> list[Any]:
    status, found = await api.send("GET", "/v1/continue-watching", params=query)
    assert status == 200, found
    return list(found["items"])


@contextmanager
def counted(api: Any, patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Statements to the database, whichever way they take."""
    said: list[str] = []
    ask = api.database.ask

    async def asked(statement: Any, values: Any) -> Any:
        said.append(str(statement))
        return await ask(statement, values)

    def heard(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", heard)
    with patch.context() as patched:
        patched.setattr(type(api.database), "ask", lambda _self, *told: asked(*told))
        yield said
    event.remove(Engine, "before_cursor_execute", heard)


def about_rights(said: list[str]) -> int:
    tables = ("rights_window", "package_content", "entitlement", "asset")
    return sum(any(f"FROM {table}" in each for table in tables) for each in said)


async def test_forty_titles_cost_what_one_costs(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = await films(home, 40)
    counts = []
    for keys in ([first], rest):
        for key in keys:
            await stop(home, key)
        with counted(home, monkeypatch) as said:
            shown = await going_on(home, limit=50)
        counts.append(about_rights(said))
    assert len(shown) == 40
    assert counts[0] == counts[1] > 0, counts


async def test_a_list_is_filled_from_behind_what_is_hidden(home: Any) -> None:
    """What nobody may play any more does not take the place of what somebody may."""
    shown, hidden = await films(home, 3), await films(home, 4, "tvod")
    for n, key in enumerate([*hidden, *shown]):
        await stop(home, key, ago_ms=1_000 * n)
    assert [each["content_id"] for each in await going_on(home, limit=2)] == shown[:2]
    rental: dict[str, Any] = {
        "id": "ent_r",
        "account_id": seed.ACCOUNT,
        "content_id": hidden[3],
        "source": "t",
    }
    rental |= {"source_ref": "r", "state": "active", "start_ms": 0}
    async with home.database.write() as connection:
        await connection.execute(insert(entitlement).values(rental))
    listed = [each["content_id"] for each in await going_on(home, limit=2)]
    assert listed == [hidden[3], shown[0]], "a rental opens its own title and no other"


async def recorded(api: Any, hours: int = 2) -> str:
    """A recording of an hour that can be played."""
    recorder = api.recorder
    start_ms = recorder.now_ms - hours * HOUR
    row, _ = await recorder.order(await recorder.event(start_ms, start_ms + HOUR))
    async with api.database.write() as connection:
        rows = await states.locked(connection, recording.c.id == row.id)
        for state in states.WAY[states.WAY.index(rows[0].state) + 1 :]:
            rows = list(await states.move(connection, rows, state, recorder.now_ms))
    return str(row.id)


async def test_a_recording_is_gone_on_with(home: Any) -> None:
    key = await recorded(home)
    (film,) = await films(home, 1)
    await stop(home, film, ago_ms=5_000)
    await stop(home, key)
    first, second = await going_on(home)
    assert (first["content_id"], first["kind"], first["position_ms"]) == (key, "recording", 50_000)
    assert (second["content_id"], second["kind"]) == (film, "content")
    status, begun = await home.start(recording_id=key, profile_id=home.profile["id"])
    assert (status, begun["position_ms"]) == (201, 50_000)
    assert (await home.send("DELETE", f"/v1/recordings/{key}"))[0] == 204
    assert [each["content_id"] for each in await going_on(home)] == [film]
    assert (await home.send("POST", f"/v1/recordings/{key}/restore"))[0] == 200
    await stop(home, key, 96_000)
    assert [each["content_id"] for each in await going_on(home)] == [film], "it was watched"


async def test_many_recordings_cost_what_one_costs(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for hours in (2, 3, 4):
        await stop(home, await recorded(home, hours))
        with monkeypatch.context() as patched, counted(home, patched) as said:
            shown = await going_on(home)
        counts.append(about_rights(said))
    assert len(shown) == 3
    assert counts == counts[:1] * 3 and counts[0] > 0, counts


async def test_a_recording_without_rights_is_hidden(home: Any) -> None:
    key = await recorded(home)
    await stop(home, key)
    assert len(await going_on(home)) == 1
    async with home.database.write() as connection:
        await connection.execute(delete(rights_window))
        assert (await connection.execute(select(recording.c.id))).scalar_one() == key
    await home.services.playback.cases.changed("ch_demo")
    assert await going_on(home) == []
