"""A guide over the API: sources, upload, report, what is held and applied by hand (CTL-62, 68)."""

import asyncio
import gzip
import io
from typing import Any

import pytest
from sqlalchemy import select, update

from control_api import events
from control_api.epg import importer, intake
from control_api.epg.intake import Intake
from control_api.epg.tables import epg_import_file
from control_api.outbox.tables import outbox
from control_api.schema import epg_event, epg_import_run
from control_api.times import now_ms

EDITOR = frozenset({"epg:import"})
SOURCE, IMPORTS = "/v1/admin/epg/sources/src_a", "/v1/admin/epg/imports"
UPLOAD = f"{IMPORTS}?source_id=src_a"
MAPPED = {"channels": [{"xmltv_id": "x", "channel_id": "ch_demo"}], "tz": "+0200", "lang": "de"}


def guide(hours: int, bad: int = 0) -> bytes:
    rows = [
        f'<programme channel="x" start="203001010{n}00" stop="203001010{n + 1}00">'
        f"<title>No. {n}</title></programme>"
        for n in range(hours)
    ]
    rows += ['<programme channel="x" start="soon"><title>?</title></programme>'] * bad
    return f"<tv>{''.join(rows)}</tv>".encode()


async def edit(api: Any, method: str, path: str, body: Any = None, raw: Any = None) -> Any:
    headers = api.bearer("ed", scopes=EDITOR)
    more: dict[str, Any] = {} if raw is None else {"data": raw}
    if raw is not None:
        headers["Content-Type"] = "application/xml"
    return await api.send(method, path, body, headers=headers, **more)


async def ended(api: Any, told: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while told["state"] == "running":
            await asyncio.sleep(0.02)
            _, told = await edit(api, "GET", f"{IMPORTS}/{told['id']}")
    return told


async def stored(api: Any) -> list[int]:
    query = select(epg_event.c.start_ms).order_by(epg_event.c.start_ms)
    async with api.database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def told_of(api: Any) -> list[tuple[str, Any]]:
    query = select(outbox.c.payload).where(outbox.c.topic.like("epg.import.%"))
    async with api.database.read() as connection:
        rows = (await connection.execute(query.order_by(outbox.c.seq))).scalars()
        found = [events.decode(row.encode()) for row in rows]
    return [(each.type.rpartition(".")[2], each.data) for each in found]


@pytest.fixture
async def desk(kept: Any, make_api: Any) -> Any:
    api = await make_api(kept)
    status, made = await edit(api, "PUT", SOURCE, MAPPED)
    assert status == 200 and made["document"]["channels"][0]["priority"] == 0
    return api


async def test_an_upload_is_carried_out_behind_its_answer(desk: Any) -> None:
    status, begun = await edit(desk, "POST", UPLOAD, raw=gzip.compress(guide(4)))
    assert (status, begun["state"], begun["source_id"]) == (202, "running", "src_a")
    done = await ended(desk, begun)
    assert (done["state"], done["reason"], done["report"]["created"]) == ("applied", None, 4)
    assert (await stored(desk))[0] == 1_893_448_800_000, "the source's zone is +0200"
    again = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(4)))[1])
    assert (again["report"]["created"], again["report"]["unchanged"]) == (0, 4), "CTL-65"
    verbs = [verb for verb, _ in await told_of(desk)]
    assert verbs == ["started", "completed", "started", "completed"]


async def test_what_is_held_waits_for_a_word(desk: Any) -> None:
    await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(6)))[1])
    held = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(2, bad=3)))[1])
    assert (held["state"], held["report"]["rejected_bad_time"]) == ("held", 3)
    assert "3 of 5" in held["reason"] and len(await stored(desk)) == 6, "nothing was changed"
    status, begun = await edit(desk, "POST", f"{IMPORTS}/{held['id']}/apply")
    assert (status, begun["state"], begun["reason"]) == (202, "running", None)
    done = await ended(desk, begun)
    assert (done["state"], done["report"]["unchanged"]) == ("applied", 2)
    assert (await edit(desk, "POST", f"{IMPORTS}/{held['id']}/apply"))[1]["code"] == "bad_state"
    verbs = dict(await told_of(desk))
    assert verbs["held"]["reason"] == held["reason"] and verbs["completed"]["removed"] == 0
    async with desk.database.read() as connection:
        assert (await connection.execute(select(epg_import_file))).all() == []


async def test_a_newer_file_takes_the_place_of_a_held_one(desk: Any) -> None:
    held = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(1, bad=3)))[1])
    forced = await ended(
        desk, (await edit(desk, "POST", UPLOAD + "&force=true", raw=guide(1, 3)))[1]
    )
    assert (held["state"], forced["state"]) == ("held", "applied")
    status, refused = await edit(desk, "POST", f"{IMPORTS}/{held['id']}/apply")
    assert (status, refused["code"]) == (409, "bad_state")


async def test_a_bad_file_fails_whole(desk: Any) -> None:
    failed = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(3)[:-9]))[1])
    assert failed["state"] == "failed" and "well-formed" in failed["reason"]
    assert await stored(desk) == []
    assert dict(await told_of(desk))["failed"]["error"] == failed["reason"]


async def test_no_file_ends_the_process(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(importer, "normalise", fall)
        failed = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(1)))[1])
    assert (failed["state"], failed["reason"]) == ("failed", "internal")
    done = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(1)))[1])
    assert done["state"] == "applied", "the next one is carried out"


async def test_two_runs_of_a_source_never_meet(desk: Any) -> None:
    async with desk.database.write() as connection:
        run_id = await importer.begin(connection, "src_a", now_ms())
    status, refused = await edit(desk, "POST", UPLOAD, raw=guide(1))
    assert (status, refused["code"]) == (409, "bad_state") and run_id


async def test_what_a_killed_process_left_is_taken_again(desk: Any) -> None:
    begun = now_ms() - importer.ABANDONED_MS
    async with desk.database.write() as connection:
        run_id = await importer.begin(connection, "src_a", begun)
        row = {"run_id": run_id, "packed": guide(2), "forced": False, "taken_ms": begun + 1_000}
        await connection.execute(epg_import_file.insert().values(row))
    work = Intake(desk.database, desk.services.store)
    await work.finish()
    assert await stored(desk) == [], "its process may live still"
    async with desk.database.write() as connection:
        await connection.execute(update(epg_import_file).values(taken_ms=begun))
    await work.finish()
    async with desk.database.read() as connection:
        states = (await connection.execute(select(epg_import_run.c.state))).scalars().all()
    assert states == ["applied"] and len(await stored(desk)) == 2


async def test_sources_say_nothing_that_does_not_hold(desk: Any) -> None:
    channel = {"xmltv_id": "x", "channel_id": "ch_demo"}
    for body, status, code in (
        ({"channels": [channel, channel]}, 400, "invalid"),
        ({"tz": "Mars/Olympus"}, 400, "invalid"),
        ({"channels": [channel | {"tz": "LMT1"}]}, 400, "invalid"),
        ({"channels": [channel | {"channel_id": "ch_none"}]}, 422, "unknown_reference"),
    ):
        answer, problem = await edit(desk, "PUT", SOURCE, body)
        assert (answer, problem["code"]) == (status, code), body
    assert (await edit(desk, "GET", SOURCE))[1]["document"]["lang"] == "de", "nothing was written"
    assert (await edit(desk, "GET", SOURCE + "x"))[0] == 404
    assert (await edit(desk, "POST", UPLOAD + "x", raw=guide(1)))[0] == 404


async def test_a_source_is_put_by_many_at_once(desk: Any) -> None:
    """One word behind the other, new or not; the last holds whole."""
    for path in (SOURCE + "_new", SOURCE):
        said = [MAPPED | {"lang": lang} for lang in ("de", "fr", "nl", "pl")]
        answers = await asyncio.gather(*(edit(desk, "PUT", path, each) for each in said))
        assert [status for status, _ in answers] == [200] * len(said), answers
        document = (await edit(desk, "GET", path))[1]["document"]
        assert document["lang"] in {each["lang"] for each in said}
        assert len(document["channels"]) == 1


async def test_one_guide_comes_in_at_a_time(desk: Any) -> None:
    async with intake._TAKING:
        status, refused = await edit(desk, "POST", UPLOAD, raw=guide(1))
        assert (status, refused["code"]) == (429, "rate_limited")
    done = await ended(desk, (await edit(desk, "POST", UPLOAD, raw=guide(1)))[1])
    assert done["state"] == "applied"


def test_a_file_is_packed_the_quickest_way() -> None:
    """RFC 1952, section 2.3.1: XFL 4."""
    packed = importer.packed(io.BytesIO(guide(9)))
    assert packed is not None and packed[8] == 4 and gzip.decompress(packed) == guide(9)
    assert importer.packed(io.BytesIO(packed)) == packed
