"""Dead letters over HTTP and on the command line; the stream of events (CTL-162, CTL-172)."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects import sqlite
from typer.testing import CliRunner

from control_api import events
from control_api.migrations import LOCATION
from control_api.outbox import dead, emit, feed, line, types
from control_api.outbox.cli import events_app
from control_api.outbox.feed import follow
from control_api.outbox.relay import Relay
from control_api.outbox.tables import dlq_message, outbox
from runtime.clock import ManualClock
from runtime.sql import Database
from runtime.store import MemoryStore

NOW_MS = 1_700_000_000_000
ADMIN = frozenset({"admin"})


async def bury(database: Database, *names: str) -> list[str]:
    """A letter for each event of these states; one without an event for "noise"."""
    letters = []
    for name in names:
        data = {"account_id": "acc_1", "state": name}
        event = events.make("account.created", data, NOW_MS, event_id=f"msg_{name}")
        payload = "noise" if name == "noise" else events.encode(event).decode()
        async with database.write() as connection:
            letters.append(
                await dead.bury(connection, "evt:account", "g", payload, "ValueError: x", 4, NOW_MS)
            )
    return letters


async def sent(database: Database) -> set[str]:
    async with database.read() as connection:
        query = select(outbox.c.id).where(outbox.c.topic == "account.created")
        return set((await connection.execute(query)).scalars())


async def call(api: Any, method: str, path: str, scopes: Any = ADMIN) -> Any:
    headers = api.bearer("acc_admin", scopes=scopes)
    return await api.send(method, path, headers=headers)


async def test_operators_replay_and_drop(api: Any) -> None:
    first, second, noise = await bury(api.database, "a", "b", "noise")
    status, page = await call(api, "GET", "/v1/admin/dlq?limit=2")
    assert status == 200 and [item["id"] for item in page["items"]] == [first, second]
    assert page["items"][0]["event"]["data"] == {"account_id": "acc_1", "state": "a"}
    _, rest = await call(api, "GET", f"/v1/admin/dlq?cursor={page['next_cursor']}")
    assert [(item["id"], item["event"]) for item in rest["items"]] == [(noise, None)]
    assert (await call(api, "GET", "/v1/admin/outbox"))[1]["dead"] == 3
    status, shown = await call(api, "GET", f"/v1/admin/dlq/{second}")
    assert (status, shown) == (200, page["items"][1])
    assert (await call(api, "GET", "/v1/admin/dlq/dlq_none"))[0] == 404
    assert (await call(api, "POST", f"/v1/admin/dlq/{first}/replay"))[0] == 204
    assert (await call(api, "POST", f"/v1/admin/dlq/{first}/replay"))[0] == 404
    assert (await call(api, "POST", f"/v1/admin/dlq/{noise}/replay"))[0] == 409
    assert (await call(api, "DELETE", f"/v1/admin/dlq/{second}"))[0] == 204
    assert (await call(api, "DELETE", f"/v1/admin/dlq/{second}"))[0] == 404
    assert await sent(api.database) == {"msg_a"}
    viewer = frozenset({"playback", "webhook:manage"})
    for method, path in (
        ("GET", "/v1/admin/dlq"),
        ("GET", f"/v1/admin/dlq/{noise}"),
        ("POST", f"/v1/admin/dlq/{noise}/replay"),
        ("DELETE", f"/v1/admin/dlq/{noise}"),
        ("GET", "/v1/admin/outbox"),
        ("GET", "/v1/events/stream"),
    ):
        assert (await call(api, method, path, viewer))[0] == 403, path


async def test_a_long_line_is_counted_no_further_than_told(api: Any) -> None:
    many = text(
        "INSERT INTO dlq_message (id, topic, consumer, event_id, payload, error, attempts, at_ms)"
        " WITH RECURSIVE line(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM line WHERE n < :most)"
        " SELECT 'dead_' || n, 't', 'g', '', '', 'x', 4, n FROM line"
    )
    async with api.database.write() as connection:
        await connection.execute(many, {"most": line.COUNTED})
    _, told = await call(api, "GET", "/v1/admin/outbox")
    assert told["dead"] == line.COUNTED
    assert f"{line.COUNTED:,}" in str(types.Backlog.__doc__)


async def test_the_stream_tells_what_was_missed_and_what_happens(api: Any) -> None:
    async def tell(state: str) -> str:
        async with api.database.write() as connection:
            data = {"account_id": "acc_1", "state": state}
            return await emit(connection, "account.created", data, NOW_MS)

    async def published() -> bool:
        async with api.database.read() as connection:
            query = select(outbox.c.id).where(outbox.c.published_ms.is_(None))
            return (await connection.execute(query)).first() is None

    ids = [await tell("a"), await tell("b")]
    async with asyncio.timeout(60):
        while not await published():
            await asyncio.sleep(0.02)
        headers = api.bearer("acc_admin", scopes=ADMIN) | {"Last-Event-ID": ids[0]}
        url = api.url + "/v1/events/stream?types=account.*"
        async with api.client.get(url, headers=headers) as answer:
            assert answer.content_type == "text/event-stream"
            told: list[str] = []
            while len(told) < 2:
                line = (await answer.content.readline()).decode()
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: "))["data"]["state"])
                    if told == ["b"]:
                        await tell("c")
    assert told == ["b", "c"]


async def test_who_missed_a_family_reads_nothing_else(migrated: Database) -> None:
    """Each of its types by itself, and yet all in the order in which they were published."""
    state, device = {"account_id": "acc_1", "state": "x"}, {"account_id": "acc_1", "device_id": "d"}
    kinds = ("account.created", "account.deleted", "device.removed", "account.suspended") * 5
    async with migrated.write() as connection:
        told = [
            (kind, await emit(connection, kind, device if "device" in kind else state, NOW_MS))
            for kind in kinds
        ]
    store = MemoryStore()
    await Relay(migrated, store, owner="r", clock=ManualClock(NOW_MS)).turn()
    ours = [event_id for kind, event_id in told if kind.startswith("account.")]
    async with aclosing(follow(migrated, store, ours[2], family="account.", ping_s=60)) as missed:
        assert await anext(missed) is None
        heard = [await anext(missed) for _ in ours[3:]]
    assert [event.id for event in heard if isinstance(event, events.Event)] == ours[3:]
    if migrated.dialect == "sqlite":
        query = feed._behind((0, 0), "account.", 2).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
        async with migrated.read() as connection:
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")).all()
        looks = [step.detail for step in plan if "outbox" in step.detail]
        assert len(looks) == 3, "one a type"
        assert all("ix_outbox_topic_published_ms_seq (topic=?" in look for look in looks)


async def test_a_listener_hears_each_event_once(migrated: Database) -> None:
    """What is published between the subscription and the look back comes twice to us, once out."""
    store, clock = MemoryStore(), ManualClock(NOW_MS)
    relay = Relay(migrated, store, owner="r", clock=clock)

    async def tell(state: str) -> str:
        async with migrated.write() as connection:
            data = {"account_id": "acc_1", "state": state}
            made = await emit(connection, "account.created", data, NOW_MS)
        await relay.turn()
        return made

    first = await tell("a")
    listening = follow(migrated, store, first, ping_s=60)
    assert await anext(listening) is None
    await tell("b")
    await tell("c")
    heard = [await anext(listening) for _ in range(2)]
    await tell("d")
    heard.append(await anext(listening))
    assert [event.data["state"] for event in heard if event] == ["b", "c", "d"]
    await listening.aclose()
    quiet = follow(migrated, store, ping_s=0.001)
    assert [await anext(quiet), await anext(quiet)] == [None, None]
    await quiet.aclose()


def test_the_command_line(tmp_path: Path) -> None:
    def database(*_: Any) -> Database:
        return Database(f"sqlite:///{tmp_path / 'x.sqlite'}", timeout_ms=10_000)

    async def prepared() -> list[str]:
        async with database() as opened:
            await opened.upgrade(LOCATION)
            return await bury(opened, "a", "noise", "b")

    async def after() -> tuple[set[str], int]:
        async with database() as opened:
            async with opened.read() as connection:
                left = (await connection.execute(select(dlq_message))).all()
            return await sent(opened), len(left)

    letters = asyncio.run(prepared())
    run = CliRunner().invoke
    app = events_app(database)
    shown = run(app, ["dead"])
    assert shown.exit_code == 0
    assert [json.loads(line)["id"] for line in shown.stdout.splitlines()] == letters
    assert run(app, ["replay", "dlq_none"]).exit_code == 1
    assert run(app, ["replay", "all"]).exit_code == 1, "one holds no event"
    assert asyncio.run(after()) == ({"msg_a", "msg_b"}, 1)
    assert run(app, ["drop", letters[1]]).exit_code == 0
    assert asyncio.run(after())[1] == 0
    assert run(app, ["replay", "all"]).exit_code == 0


def test_all_is_more_than_one_batch(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(dead, "BATCH", 2)

    def database(*_: Any) -> Database:
        return Database(f"sqlite:///{tmp_path / 'x.sqlite'}", timeout_ms=10_000)

    async def prepared() -> None:
        async with database() as opened:
            await opened.upgrade(LOCATION)
            await bury(opened, *"abcde")

    asyncio.run(prepared())
    run, app = CliRunner().invoke, events_app(database)
    assert len(run(app, ["dead"]).stdout.splitlines()) == 5
    assert len(run(app, ["replay", "all"]).stdout.splitlines()) == 5
    assert run(app, ["dead"]).stdout == ""


async def test_a_webhooks_letter_goes_to_its_endpoint_again(api: Any) -> None:
    from control_api.webhooks.tables import webhook_delivery, webhook_endpoint

    headers = api.bearer("acc_admin", scopes=frozenset({"webhook:manage"}))
    body = {"url": "https://hooks.example/in", "topics": ["catalog.*"]}
    _, made = await api.send("POST", "/v1/webhooks", body, headers=headers)
    endpoint_id = made["endpoint"]["id"]
    event = events.make("account.created", {"account_id": "a", "state": "x"}, 1, event_id="msg_w")
    payload = events.encode(event).decode()
    row = {
        "id": "whd_1",
        "endpoint_id": endpoint_id,
        "event_id": "msg_w",
        "seq": 1,
        "topic": "account.created",
        "key": "a",
        "payload": payload,
        "status": "dead",
        "attempt": 5,
        "next_ms": 0,
        "created_ms": 0,
        "log": [],
    }
    async with api.database.write() as connection:
        pause = webhook_endpoint.update().values(state="paused", probe_ms=2**60)
        await connection.execute(pause)
        await connection.execute(insert(webhook_delivery).values(row))
        letter = await dead.bury(
            connection, f"webhook:{endpoint_id}", "webhooks", payload, "status 500", 5, NOW_MS
        )
    assert (await call(api, "POST", f"/v1/admin/dlq/{letter}/replay"))[0] == 204
    path = f"/v1/webhooks/{endpoint_id}/deliveries"
    _, listed = await api.send("GET", path, headers=headers)
    (delivery,) = listed["items"]
    assert (delivery["status"], delivery["attempts"]) == ("pending", 0)


async def test_an_unknown_place_is_now(migrated: Database) -> None:
    listening = follow(migrated, MemoryStore(), "msg_unknown", ping_s=0.001)
    assert [await anext(listening), await anext(listening)] == [None, None]
    await listening.aclose()
