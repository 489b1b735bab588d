"""Purges: asked for, told to CDNs and proxies, settled by who does them (section 11)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from control_api import events
from control_api.catalogue.tables import audit_log
from control_api.jobs import purges, work
from control_api.jobs.tables import job
from control_api.outbox.tables import outbox
from manifest_proxy import purges as proxies
from runtime.store import MemoryStore

PURGE, JOBS = "/v1/admin/purge", "/v1/admin/jobs"


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def ask(api: Any, method: str, path: str, body: Any = None, **more: str) -> tuple[int, Any]:
    headers = api.bearer("acc_op", scopes=frozenset({"admin"})) | more
    answer: tuple[int, Any] = await api.send(method, path, body, headers=headers)
    return answer


async def told(api: Any) -> list[events.Event]:
    query = select(outbox.c.payload).where(outbox.c.topic == "cdn.purge_requested")
    async with api.database.read() as connection:
        rows = (await connection.execute(query.order_by(outbox.c.seq))).scalars()
        return [events.decode(each.encode()) for each in rows]


async def settle(api: Any, purge_id: str, cdn: str, outcome: str, **more: Any) -> tuple[int, Any]:
    body = {"cdn_id": cdn, "outcome": outcome, **more}
    return await ask(api, "POST", f"{PURGE}/{purge_id}/outcomes", body)


async def settled(api: Any) -> int:
    async with api.database.read() as connection:
        rows = (await connection.execute(select(audit_log.c.action))).scalars()
        return list(rows).count("purge.settled")


async def test_cdns_are_told_by_names_of_any_length(kept: Any, make_api: Any) -> None:
    names = ["eu-west." * 8, *(f"cdn-{n}" for n in range(20))]
    pathways = [{"id": each, "base_url": f"https://{n}.test"} for n, each in enumerate(names)]
    api = await make_api(kept, store=MemoryStore(), pathways=pathways)
    status, made = await ask(api, "POST", PURGE, {"content_id": "cnt_film", "cdns": names})
    assert (status, [each["cdn_id"] for each in made["cdns"]]) == (201, sorted(names)), made
    status, half = await settle(api, made["id"], names[0], "done")
    assert (status, half["done"]) == (200, 1)


async def test_each_cdn_is_told_and_none_is_taken_for_done(api: Any) -> None:
    asked = {"content_id": "cnt_film", "reason": "a wrong cut"}
    status, made = await ask(api, "POST", PURGE, asked)
    assert (status, made["state"], made["paths"]) == (201, "running", ["/vod/film/"])
    assert [(each["cdn_id"], each["state"]) for each in made["cdns"]] == [
        ("CDN-A", "asked"),
        ("CDN-B", "asked"),
    ]
    found = await told(api)
    assert [each.subject for each in found] == ["CDN-A", "CDN-B"]
    for each in found:
        assert (each.data["purge_id"], each.data["paths"]) == (made["id"], ["/vod/film/"])
        assert each.data["reason"] == "a wrong cut"
    status, half = await settle(api, made["id"], "CDN-A", "done", detail="surrogate key film")
    assert (status, half["state"], half["done"], half["total"]) == (200, "running", 1, 2)
    _, over = await settle(api, made["id"], "CDN-B", "done")
    assert (over["state"], over["done"], over["error"]) == ("done", 2, None)
    lines = await settled(api)
    for cdn, more in (("CDN-A", {"detail": "surrogate key film"}), ("CDN-B", {})):
        assert await settle(api, made["id"], cdn, "done", **more) == (200, over), "told again"
    assert await settled(api) == lines == 2
    assert (await settle(api, made["id"], "CDN-B", "failed"))[1]["code"] == "bad_state"
    assert (await ask(api, "GET", f"{JOBS}/{made['id']}"))[1]["kind"] == "purge"
    async with api.database.read() as connection:
        lines = (await connection.execute(select(audit_log.c.action, audit_log.c.actor))).all()
    actions = [line.action for line in lines if line.actor == "acc_op"]
    assert actions == ["job.purge", "purge.settled", "purge.settled"]


async def test_one_that_fails_somewhere_failed(api: Any) -> None:
    _, made = await ask(api, "POST", PURGE, {"channel_id": "ch_demo"})
    assert made["paths"] == ["/live/demo/"]
    assert (await settle(api, made["id"], "CDN-C", "done"))[1]["code"] == "unknown_reference"
    await settle(api, made["id"], "CDN-A", "failed", detail="429 from its API")
    _, over = await settle(api, made["id"], "CDN-B", "done")
    assert (over["state"], over["done"], over["error"]) == ("failed", 1, "purge_failed")
    status, one = await ask(api, "POST", PURGE, {"path": "/vod/x/y.mpd", "cdns": ["CDN-B"]})
    assert (status, [each["cdn_id"] for each in one["cdns"]]) == (201, ["CDN-B"])
    _, page = await ask(api, "GET", f"{PURGE}?limit=1")
    assert page["items"][0]["id"] == one["id"] and page["next_cursor"]
    status, refused = await ask(api, "POST", f"{JOBS}/{one['id']}/cancel")
    assert (status, refused["code"]) == (409, "bad_state")


ASKED: list[tuple[dict[str, Any], int]] = [
    ({}, 400),
    ({"path": "/a", "content_id": "cnt_film"}, 400),
    ({"path": "/"}, 400),
    ({"path": "//evil.example/"}, 400),
    ({"path": "/vod/../live/"}, 400),
    ({"path": "/vod/./x"}, 400),
    ({"path": "/vod/x\n"}, 400),
    ({"path": "/vod/%2e%2e/"}, 400),
    ({"path": "/vod/*"}, 201),
    ({"path": "vod/"}, 400),
    ({"path": "/vod/x?a=1"}, 400),
    ({"path": "/" + "a" * 255}, 400),
    ({"path": "/vod/", "cdns": []}, 400),
    ({"path": "/vod/", "cdns": ["CDN-A", "nowhere"]}, 422),
    ({"content_id": "cnt_none"}, 422),
    ({"channel_id": "ch_none"}, 422),
]


async def test_what_is_asked_for_is_a_plain_path_of_ours(api: Any) -> None:
    for body, status in ASKED:
        assert (await ask(api, "POST", PURGE, body))[0] == status, body
    good = sum(status == 201 for _, status in ASKED)
    assert len(await told(api)) == 2 * good


async def test_a_repeated_question_is_one_purge(api: Any) -> None:
    key = {"Idempotency-Key": "purge-1"}
    first = await ask(api, "POST", PURGE, {"path": "/vod/film/"}, **key)
    assert await ask(api, "POST", PURGE, {"path": "/vod/film/"}, **key) == first
    assert len(await told(api)) == 2
    other = await ask(api, "POST", PURGE, {"path": "/vod/else/"}, **key)
    assert other[1]["code"] == "idempotency_mismatch"


async def test_who_never_answers_failed(api: Any) -> None:
    _, made = await ask(api, "POST", PURGE, {"path": "/vod/film/"})
    await work.Worker(api.database).finish()
    assert (await ask(api, "GET", f"{PURGE}/{made['id']}"))[1]["state"] == "running"
    async with api.database.write() as connection:
        asked_ms = job.c.asked_ms - purges.PATIENCE_MS
        await connection.execute(update(job).values(asked_ms=asked_ms))
    await work.Worker(api.database).finish()
    _, over = await ask(api, "GET", f"{PURGE}/{made['id']}")
    assert (over["state"], over["error"], over["done"]) == ("failed", "unconfirmed", 0)


async def test_our_proxies_understand_what_is_told(api: Any) -> None:
    """From the request to a proxy's copies, over the store that both have."""
    gone: list[str] = []

    class Copies:
        def purge(self, purged: Callable[[str], bool]) -> None:
            gone.extend(each for each in ("/vod/film/a.mpd", "/vod/b.mpd") if purged(each))

        def doubt(self) -> None: ...

    copies: Any = Copies()
    part = proxies.Purges(api.services.store, copies, copies, lambda: None)
    await part.start()
    try:
        async with asyncio.timeout(60):
            while not gone:
                await ask(api, "POST", PURGE, {"path": "/vod/film/"})
                await asyncio.sleep(0.05)
    finally:
        await part.stop()
    assert set(gone) == {"/vod/film/a.mpd"}
