"""Messages to endpoints: signed, repeated, paused, probed, guarded (CTL-150..154)."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from control_rigs.hooks import SETTINGS, VAULT, Desk, Site
from sqlalchemy import update

from control_api.outbox import dead
from control_api.outbox.tables import outbox
from control_api.webhooks import deliveries, endpoints
from control_api.webhooks.sender import fetcher
from control_api.webhooks.settings import Webhooks
from control_api.webhooks.signature import secret_bytes, verify
from runtime.sql import Database, SqlError


async def test_a_message_is_signed_and_sent_once(desk: Desk, site: Site) -> None:
    _, secret = await desk.endpoint()
    await desk.endpoint("/other", "recording.*")
    await desk.tell("a1")
    await desk.turn()
    await desk.turn()
    ((path, headers, body),) = site.got
    (row,) = await desk.rows()
    now_s = desk.clock.now_ms() // 1_000
    assert path == "/hook" and verify([secret], headers, body, now_s, 0) == row.event_id
    assert json.loads(body) == {
        "type": "account.created",
        "timestamp": "2023-11-14T22:13:20Z",
        "data": {"account_id": "acc_a", "state": "a1"},
    }
    assert (row.status, row.attempt, row.log[0]["status"]) == ("done", 1, 200)


async def test_five_attempts_then_a_dead_letter_and_a_pause(desk: Desk, site: Site) -> None:
    """CTL-151, CTL-152: at 0, +5, +10, +20, +40 s; the same id and body each time."""
    endpoint_id, secret = await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    sent = []
    for wait_s in (0, 5, 10, 20, 40):
        desk.clock.advance(max(wait_s - 0.1, 0))
        await desk.turn()
        assert len(site.got) == len(sent) + (wait_s == 0), "not before its time"
        desk.clock.advance(0.1 if wait_s else 0)
        await desk.turn()
        sent.append(desk.clock.now_ms() // 1_000)
        assert len(site.got) == len(sent)
    ids = {
        verify([secret], headers, body, at_s, 0)
        for (_, headers, body), at_s in zip(site.got, sent, strict=True)
    }
    assert len(ids) == 1 and len({body for _, _, body in site.got}) == 1
    assert await desk.state(endpoint_id) == ("paused", "failing")
    assert await desk.told() == [
        "dlq.message_added",
        "webhook.delivery_failed",
        "webhook.endpoint_paused",
    ]
    async with desk.database.read() as connection:
        (letter,) = await dead.letters(connection, None, 9)
    assert (letter.topic, letter.attempts) == (f"webhook:{endpoint_id}", 5)
    assert [entry["status"] for entry in (await desk.rows())[0].log] == [500] * 5


async def test_a_paused_one_queues_and_resumes_in_order(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint()
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, "acc_1", endpoint_id)
        await deliveries.close(connection, row, ("paused", "failing"), 5, 2**60, 0)
    await desk.tell("a1", "b1", "a2", "a3")
    await desk.turn()
    assert site.got == []
    async with desk.database.write() as connection:
        await endpoints.resume(connection, row, desk.clock.now_ms())
    await desk.turn()
    assert [state for state in site.states() if state[0] == "a"] == ["a1", "a2", "a3"]
    assert len(site.got) == 4 and await desk.state(endpoint_id) == ("active", None)


async def test_a_probe_every_five_minutes_brings_it_back(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    await desk.tries()
    await desk.tell("b1", "b2")
    assert (await desk.state(endpoint_id))[0] == "paused"
    desk.clock.advance(299)
    await desk.turn()
    assert len(site.got) == 5
    desk.clock.advance(2)
    await desk.turn()
    assert (len(site.got), await desk.state(endpoint_id)) == (6, ("paused", "failing"))
    site.says(204)
    desk.clock.advance(301)
    await desk.turn()
    assert await desk.state(endpoint_id) == ("active", None)
    await desk.turn()
    assert site.states()[-2:] == ["b1", "b2"], "the probe was b1 itself, sent once"


async def test_bounds_of_a_queue(desk: Desk) -> None:
    endpoint_id, _ = await desk.endpoint()
    await desk.tell("a1", "a2")
    desk.clock.advance(100)
    await desk.tell("a3", "a4", "a5")
    now_ms = desk.clock.now_ms()
    async with desk.database.write() as connection:
        assert await deliveries.trim(connection, endpoint_id, now_ms - 50_000, 10) == 2
        assert await deliveries.trim(connection, endpoint_id, now_ms - 50_000, 2) == 1
        assert (await endpoints.look(connection, None, endpoint_id)).queued == 2
        row = await endpoints.find(connection, None, endpoint_id)
        assert row.dropped == 3
        assert await deliveries.again(connection, endpoint_id, now_ms) == 3
    assert [row.status for row in await desk.rows()] == ["pending"] * 5


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
async def test_all_but_success_is_failure(desk: Desk, site: Site, status: int) -> None:
    await desk.endpoint()
    site.says(status, Location=desk.base + "/elsewhere")
    await desk.tell("a1")
    await desk.turn()
    (row,) = await desk.rows()
    assert (row.status, row.last_error) == ("pending", f"status {status}")
    assert [path for path, _, _ in site.got] == ["/hook"], "no redirect is followed"


async def test_gone_disables(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint()
    site.says(410)
    await desk.tell("a1", "a2")
    await desk.turn()
    assert await desk.state(endpoint_id) == ("disabled", "gone") and len(site.got) == 1
    assert await desk.told() == ["webhook.endpoint_disabled"]
    await desk.tell("a3")
    assert len(await desk.rows()) == 2, "nothing more is kept for it"


async def test_gone_disables_a_paused_one(desk: Desk, site: Site) -> None:
    """CTL-151: a probe that is answered 410 is the last; who resumes it finds the rest waiting."""
    endpoint_id, _ = await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    await desk.tries()
    assert await desk.state(endpoint_id) == ("paused", "failing")
    await desk.tell("b1", "b2")
    site.says(410)
    for _ in range(3):
        desk.clock.advance(301)
        await desk.turn()
    assert await desk.state(endpoint_id) == ("disabled", "gone") and len(site.got) == 6
    assert (await desk.told()).count("webhook.endpoint_disabled") == 1
    rows = {row.status: row.log for row in (await desk.rows())[1:3]}
    assert rows["dead"][0]["status"] == 410 and rows["pending"] == []


async def test_gone_is_told_once(desk: Desk, site: Site) -> None:
    """However many messages were on their way."""
    endpoint_id, _ = await desk.endpoint("/slow")
    site.says(410, "/slow")
    await desk.tell("a1", "b1", "c1")
    tasks = await desk.dispatcher.turn()
    async with asyncio.timeout(60):
        while len(site.got) < 3:
            await asyncio.sleep(0.01)
    site.slow.set()
    await asyncio.gather(*tasks)
    assert await desk.state(endpoint_id) == ("disabled", "gone")
    assert await desk.told() == ["webhook.endpoint_disabled"]
    assert [row.status for row in await desk.rows()] == ["dead"] * 3


async def test_retry_after_is_kept(desk: Desk, site: Site) -> None:
    await desk.endpoint()
    site.says(503, **{"Retry-After": "120"})
    await desk.tell("a1")
    await desk.turn()
    (row,) = await desk.rows()
    assert row.next_ms == desk.clock.now_ms() + 120_000


async def test_a_failed_one_lets_those_behind_it_pass(desk: Desk, site: Site) -> None:
    await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    await desk.turn()
    site.says(200)
    await desk.tell("a2", "a3")
    await desk.turn()
    assert site.states() == ["a1", "a2", "a3"]
    desk.clock.advance(6)
    await desk.turn()
    assert site.states() == ["a1", "a2", "a3", "a1"]


async def test_a_slow_endpoint_delays_no_other(desk: Desk, site: Site) -> None:
    await desk.endpoint("/slow")
    await desk.endpoint("/hook")
    await desk.tell("a1")
    tasks = await desk.dispatcher.turn()
    async with asyncio.timeout(60):
        while not site.states("/hook"):
            await asyncio.sleep(0.01)
    await desk.tell("a2")
    await desk.dispatcher.turn()
    async with asyncio.timeout(60):
        while site.states("/hook") != ["a1", "a2"]:
            await asyncio.sleep(0.01)
            await desk.dispatcher.turn()
    assert site.states("/slow") == ["a1"], "one at a time of a subject"
    site.slow.set()
    await asyncio.gather(*tasks)


async def test_who_stops_gives_back_its_endpoints(desk: Desk, site: Site) -> None:
    """They would else wait for the end of the lease."""
    endpoint_id, _ = await desk.endpoint("/slow")
    await desk.tell("a1")
    running = asyncio.create_task(desk.dispatcher.run())
    async with asyncio.timeout(60):
        while not site.states("/slow"):
            await asyncio.sleep(0.01)
    assert await desk.store.get(f"evt:hook:{endpoint_id}")
    running.cancel()
    await asyncio.wait([running])
    assert await desk.store.get(f"evt:hook:{endpoint_id}") is None


async def test_nothing_is_sent_any_more_to_an_endpoint_that_was_given_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not take what became of one while another is on its way."""
    sending, over = asyncio.Event(), list[str]()

    async def attempt(_: object, row: Any) -> bool:
        if row.key == "acc_a":
            await sending.wait()
            raise SqlError("unavailable", "killed")
        sending.set()
        try:
            return await asyncio.Event().wait()
        finally:
            over.append(row.key)

    monkeypatch.setattr(desk.dispatcher, "_attempt", attempt)
    await desk.endpoint()
    await desk.tell("a1", "b1")
    await desk.turn()
    assert over == ["acc_b"]


async def test_both_secrets_sign_during_rotation(desk: Desk, site: Site) -> None:
    endpoint_id, old = await desk.endpoint()
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, "acc_1", endpoint_id)
        shown = await endpoints.rotate(connection, VAULT, SETTINGS, row, desk.clock.now_ms())
    new = secret_bytes(shown.secret)
    await desk.tell("a1")
    await desk.turn()
    desk.clock.advance(86_401)
    await desk.tell("a2")
    await desk.turn()
    marks = [headers["webhook-signature"].split(" ") for _, headers, _ in site.got]
    assert [len(each) for each in marks] == [2, 1]
    first, second = site.got
    at_s = int(first[1]["webhook-timestamp"])
    assert verify([old], first[1], first[2], at_s, 0) == verify([new], first[1], first[2], at_s, 0)
    assert verify([new], second[1], second[2], int(second[1]["webhook-timestamp"]), 0)


async def test_repeats_of_the_relay_are_sent_once(desk: Desk, site: Site) -> None:
    await desk.endpoint()
    await desk.tell("a1")
    await desk.turn()
    async with desk.database.write() as connection:
        await connection.execute(update(outbox).values(published_ms=None))
    await desk.relay.turn()
    await desk.turn()
    assert site.states() == ["a1"]


async def test_a_clock_that_was_ahead_delays_nothing(desk: Desk, site: Site) -> None:
    await desk.endpoint()
    desk.clock.advance(3_600)
    await desk.tell("a1")
    await desk.relay.turn()
    desk.clock._now_ms -= 3_600_000
    await desk.turn()
    assert site.states() == ["a1"]


@pytest.mark.parametrize(
    ("topics", "filters", "wanted"),
    [
        (["*"], {}, True),
        (["account.created"], {}, True),
        (["account.*"], {"state": ["a1", "z"]}, True),
        (["account.*"], {"state": ["z"]}, False),
        (["account.*"], {"missing": ["z"]}, False),
        (["account.deleted", "acc.*", "account.created.*"], {}, False),
    ],
)
async def test_filters(
    desk: Desk, topics: list[str], filters: dict[str, list[str]], wanted: bool
) -> None:
    await desk.endpoint("/hook", *topics, filters=filters)
    await desk.tell("a1")
    assert len(await desk.rows()) == int(wanted)


async def test_an_answer_that_drips_ends_in_time(migrated: Database) -> None:
    """The limit is of the whole attempt, not of each byte."""
    let_go = asyncio.Event()

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while not let_go.is_set():
            await answer.write(b".")
            await asyncio.sleep(0.01)
        return answer

    server = RawTestServer(drip)
    await server.start_server()
    async with fetcher(SETTINGS.model_copy(update={"timeout_s": 0.3})) as client:
        desk = Desk(migrated, str(server.make_url("")).rstrip("/"), client)
        await desk.endpoint()
        await desk.tell("a1")
        async with asyncio.timeout(60):
            await desk.turn()
    (row,) = await desk.rows()
    assert (row.status, row.last_error) == ("pending", "timeout")
    let_go.set()
    await server.close()


async def test_private_addresses_are_not_connected_to(migrated: Database, site: Site) -> None:
    """CTL-154: whatever the name means when it is asked; the list itself is MP-82's."""
    server = RawTestServer(site)
    await server.start_server()
    async with fetcher(Webhooks(allow_http=True)) as client:
        desk = Desk(migrated, f"http://localhost.localdomain:{server.port}", client)
        for base in (f"http://127.0.0.1:{server.port}", f"http://localhost:{server.port}"):
            outcome = await desk.dispatcher._sender.send(Row(base), "msg_1", b"{}")
            assert outcome.error == "address_refused"
    await server.close()
    assert site.got == []


class Row:
    """An endpoint's row, for a sender."""

    id = "whk_1"
    secret_current = VAULT.seal("whk_1", b"s" * 32)
    secret_previous = None

    def __init__(self, url: str) -> None:
        self.url = url
