"""Works that outlast a request: listed, looked at, ended, carried out once (section 3, CTL-6)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from control_api import events, ids
from control_api.catalogue.tables import audit_log
from control_api.epg.intake import Intake
from control_api.epg.tables import epg_import_file
from control_api.jobs import replays, work
from control_api.jobs.steps import Step
from control_api.jobs.tables import job
from control_api.outbox import dead
from control_api.outbox.tables import dlq_message, outbox
from control_api.recordings.schema import recording_asset
from control_api.schema import epg_import_run, epg_source
from control_api.times import now_ms
from runtime.sql import SqlError
from runtime.store import MemoryStore

JOBS = "/v1/admin/jobs"
NOW_MS = 1_700_000_000_000


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def ask(api: Any, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    scopes = frozenset({"admin", "catalog:write"})
    headers = api.bearer("acc_op", scopes=scopes) | more.pop("headers", {})
    status, told = await api.send(method, path, body, headers=headers, **more)
    return status, told


async def over(api: Any, job_id: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            status, told = await ask(api, "GET", f"{JOBS}/{job_id}")
            assert status == 200
            if told["state"] not in ("queued", "running"):
                return told
            await asyncio.sleep(0.02)


async def bury(api: Any, count: int, consumer: str = "g") -> None:
    for n in range(count):
        data = {"account_id": "acc_1", "state": "active"}
        event = events.make("account.created", data, NOW_MS, event_id=f"msg_{consumer}{n}")
        payload = events.encode(event).decode()
        async with api.database.write() as connection:
            await dead.bury(connection, "evt:account", consumer, payload, "x", 4, NOW_MS)


async def rows(api: Any, column: Any) -> list[Any]:
    async with api.database.read() as connection:
        return list((await connection.execute(select(column))).scalars())


async def test_letters_go_back_together(api: Any, monkeypatch: Any) -> None:
    """Only what was asked for, each once; what holds no event stays and is counted (CTL-172)."""
    monkeypatch.setattr(replays, "BATCH", 2)
    await bury(api, 5)
    await bury(api, 1, "other")
    async with api.database.write() as connection:
        await dead.bury(connection, "evt:account", "g", "noise", "x", 4, NOW_MS)
    status, asked = await ask(api, "POST", "/v1/admin/dlq/replay", {"consumer": "g"})
    assert status == 202 and asked["total"] == 6 and asked["asked_by"] == "acc_op"
    told = await over(api, asked["id"])
    assert (told["state"], told["done"], told["kind"]) == ("done", 6, "dlq_replay")
    assert (told["report"]["replayed"], told["report"]["refused"]) == (5, 1)
    assert sorted(await rows(api, dlq_message.c.consumer)) == ["g", "other"]
    again = {each for each in await rows(api, outbox.c.id) if each.startswith("msg_g")}
    assert len(again) == 5
    assert "job.dlq_replay" in await rows(api, audit_log.c.action)


async def test_an_import_of_titles_is_kept_with_what_it_refused(api: Any) -> None:
    raw = '{"kind":"movie","texts":[{"lang":"en","title":"One"}]}\n{"kind":"none"}\n'
    headers = {"Content-Type": "application/x-ndjson"}
    status, report = await ask(api, "POST", "/v1/admin/contents/imports", data=raw, headers=headers)
    assert status == 200 and (report["created"], report["rejected"]) == (1, 1)
    _, page = await ask(api, "GET", f"{JOBS}?kind=catalog_import")
    (told,) = page["items"]
    assert (told["state"], told["done"], told["total"]) == ("done", 1, 2)
    _, told = await ask(api, "GET", f"{JOBS}/{told['id']}")
    assert [row["row"] for row in told["report"]["rows"]] == [2]


async def guide(api: Any, state: str, **more: Any) -> str:
    run_id = ids.new("import")
    row = {"id": run_id, "source_id": "src_a", "state": state, "started_ms": now_ms()}
    file = more.pop("file", None)
    async with api.database.write() as connection:
        known = select(epg_source.c.id).where(epg_source.c.id == "src_a")
        if (await connection.execute(known)).first() is None:
            source = {"id": "src_a", "format": "xmltv"}
            await connection.execute(insert(epg_source).values(source))
        await connection.execute(insert(epg_import_run).values(row | more))
        if file is not None:
            waiting = {"run_id": run_id, "packed": b"", "forced": False, "taken_ms": file or None}
            await connection.execute(insert(epg_import_file).values(waiting))
    return run_id


async def nothing(_: Any) -> None:
    """Nobody takes what waits."""


async def test_imports_of_guides_are_jobs_as_they_stand(api: Any, monkeypatch: Any) -> None:
    """Nothing is kept of them twice."""
    monkeypatch.setattr(Intake, "_take", nothing)
    words = "the root element is not <tv>; give an XMLTV file"
    for state, more, shown, error in (
        ("applied", {"report": {"seen": 9, "kept": 7}}, "done", None),
        ("held", {"reason": "7 of 9 rows have no good time"}, "held", None),
        ("failed", {"reason": f"html: {words}"}, "failed", "not_xmltv"),
        ("failed", {"reason": "interrupted; bring it again"}, "failed", "interrupted"),
        ("failed", {"reason": "internal"}, "failed", "internal"),
        ("running", {"file": now_ms()}, "running", None),
        ("running", {"file": 0}, "queued", None),
        ("running", {}, "running", None),
    ):
        run_id = await guide(api, state, **more)
        status, told = await ask(api, "GET", f"{JOBS}/{run_id}")
        assert status == 200 and told["kind"] == "guide_import", told
        assert (told["state"], told["error"]) == (shown, error)
        assert (told["started_at"] is None) == (shown == "queued")
    _, page = await ask(api, "GET", f"{JOBS}?kind=guide_import&state=done")
    assert [(each["done"], each["total"]) for each in page["items"]] == [(7, 9)]


async def test_private_copies_are_jobs_while_they_are_made(api: Any) -> None:
    """CTL-127: by the recording's own row."""
    row = {"channel_id": "ch_demo", "start_ms": NOW_MS, "end_ms": NOW_MS + 1, "tries": 0}
    row |= {"account_id": "acc_demo", "missing_ms": 0, "copied_objects": 3, "left_objects": 4}
    async with api.database.write() as connection:
        for n, (mode, state) in enumerate(
            (("private", "checking"), ("private", "complete"), ("shared", "checking"))
        ):
            own = {"id": f"ras_{n}", "copy_mode": mode, "state": state, "end_ms": NOW_MS + n + 1}
            await connection.execute(insert(recording_asset).values(row | own))
    _, page = await ask(api, "GET", f"{JOBS}?kind=recording_copy")
    (told,) = page["items"]
    assert (told["id"], told["state"], told["done"], told["total"]) == ("ras_0", "running", 3, 7)
    assert (await ask(api, "GET", f"{JOBS}/ras_0"))[1]["report"] is None
    assert (await ask(api, "POST", f"{JOBS}/ras_0/cancel"))[1]["code"] == "bad_state"


async def test_pages_miss_nothing_while_others_come(api: Any) -> None:
    made = [await guide(api, "held", started_ms=NOW_MS + n) for n in range(5)]
    seen: list[str] = []
    path = f"{JOBS}?limit=2"
    while True:
        _, page = await ask(api, "GET", path)
        seen += [each["id"] for each in page["items"]]
        await guide(api, "held")
        if page["next_cursor"] is None:
            break
        path = f"{JOBS}?limit=2&cursor={page['next_cursor']}"
    assert seen == made[::-1]
    foreign = (await ask(api, "GET", f"{JOBS}?limit=1"))[1]["next_cursor"]
    status, told = await ask(api, "GET", f"{JOBS}?kind=purge&cursor={foreign}")
    assert (status, told["code"]) == (400, "bad_cursor")


async def test_what_nobody_works_on_is_ended_and_nothing_else(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(work, "EXECUTORS", {})
    monkeypatch.setattr(Intake, "_take", nothing)
    await bury(api, 1)
    _, asked = await ask(api, "POST", "/v1/admin/dlq/replay", {})
    waits = await guide(api, "running", file=0)
    for job_id in (asked["id"], waits):
        status, told = await ask(api, "POST", f"{JOBS}/{job_id}/cancel")
        assert (status, told["state"]) == (200, "cancelled"), told
        assert told["ended_at"] is not None
        status, told = await ask(api, "POST", f"{JOBS}/{job_id}/cancel")
        assert (status, told["code"]) == (409, "bad_state")
    busy = await guide(api, "running", file=now_ms())
    for job_id, code in ((busy, "bad_state"), ("job_none", "not_found")):
        assert (await ask(api, "POST", f"{JOBS}/{job_id}/cancel"))[1]["code"] == code
    assert await rows(api, dlq_message.c.id), "the letter lies where it lay"
    assert (await rows(api, audit_log.c.action)).count("job.cancelled") == 2


async def test_a_job_is_taken_up_where_its_process_died(kept: Any) -> None:
    """Not while somebody works on it."""
    worker = work.Worker(kept)
    row = {"id": "job_a", "kind": "dlq_replay", "asked_by": "acc_op", "asked_ms": NOW_MS}
    row |= {"state": "running", "told": {"consumer": None, "topic": None}}
    async with kept.write() as connection:
        await connection.execute(insert(job).values(row | {"taken_ms": now_ms()}))
    await worker.finish()
    assert await _state(kept) == "running", "somebody is at it"
    async with kept.write() as connection:
        await connection.execute(update(job).values(taken_ms=now_ms() - work.ABANDONED_MS))
    await worker.finish()
    assert await _state(kept) == "done"


async def test_a_job_that_fails_says_so_and_old_ones_go(kept: Any, monkeypatch: Any) -> None:
    async def step(*_: Any) -> Any:
        raise LookupError

    monkeypatch.setattr(work, "EXECUTORS", {"dlq_replay": step})
    row = {"kind": "dlq_replay", "asked_by": "acc_op", "asked_ms": NOW_MS, "told": {}}
    async with kept.write() as connection:
        await connection.execute(insert(job).values(row | {"id": "job_a", "state": "queued"}))
        old = {"id": "job_b", "state": "done", "ended_ms": now_ms() - work.KEPT_MS}
        await connection.execute(insert(job).values(row | old))
    await work.Worker(kept).finish()
    async with kept.read() as connection:
        (left,) = (await connection.execute(select(job))).all()
    assert (left.id, left.state, left.error) == ("job_a", "failed", "internal")


@pytest.mark.parametrize(
    "error", [SqlError("timeout", "late"), OperationalError("", {}, Exception("locked"))]
)
async def test_what_the_database_refuses_is_tried_a_few_times(
    kept: Any, monkeypatch: Any, error: Exception
) -> None:
    """Each once in a while, beside what goes well; a step that went well begins the count anew."""
    good = 1

    async def step(_: Any, row: Any, __: int) -> Any:
        nonlocal good
        if row.id == "job_b":
            return Step(1, True, {})
        if good:
            good -= 1
            return Step(1, False, {})
        raise error

    monkeypatch.setattr(work, "EXECUTORS", {"dlq_replay": step})
    row = {"kind": "dlq_replay", "asked_by": "acc_op", "told": {}, "state": "queued"}
    async with kept.write() as connection:
        for at_ms, job_id in enumerate(("job_a", "job_b"), NOW_MS):
            await connection.execute(insert(job).values(row | {"id": job_id, "asked_ms": at_ms}))
    worker, found = work.Worker(kept), []
    for tried in range(2 * work.TRIES):
        good = tried == work.TRIES - 1
        await worker.finish()
        await worker.finish()
        async with kept.write() as connection:
            states = (await connection.execute(select(job.c.state).order_by(job.c.id))).scalars()
            found.append(tuple(states))
            await connection.execute(update(job).values(taken_ms=now_ms() - work.ABANDONED_MS))
    failed = found.index(("failed", "done"))
    assert set(found[:failed]) == {("running", "done")} and failed == 2 * work.TRIES - 2
    async with kept.read() as connection:
        (told,) = (await connection.execute(select(job).where(job.c.id == "job_a"))).all()
    assert (told.error, told.ended_ms is not None, worker._refused) == ("database", True, {})


async def _state(database: Any) -> Any:
    async with database.read() as connection:
        return (await connection.execute(select(job.c.state))).scalar_one()
