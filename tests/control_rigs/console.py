"""A console over a real control API, with the services around it played by one."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from sqlalchemy import insert
from twins.neighbours import neighbours

from control_api import events, keys, seed, server
from control_api.issuer import Issuer
from control_api.outbox import dead
from control_api.recordings.schema import recording, recording_asset
from control_api.routerclient import Choice, Decision, Question
from control_api.schema import channel_source, epg_event, epg_event_text, epg_source
from control_api.settings import Settings
from control_api.times import now_ms, utc
from control_api.webhooks.settings import Webhooks
from control_api.webhooks.tables import webhook_delivery, webhook_endpoint
from headwater.console.asking import Around, Asking
from headwater.console.cli import READER_SCOPES, SCOPES
from headwater.console.pages import Console
from headwater.settings import SECTIONS, Demo
from runtime.service import Part
from runtime.settings import load
from runtime.sql import Database

HALF_HOUR_MS = 1_800_000
WEBHOOKS = Webhooks(allow_http=True, private_networks=["127.0.0.0/8"])
HEARTBEAT_S = 3_600  # the session outlives the slowest test
OLDER = 60  # recordings, more than a page
LONG = "Rindfleischetikettierung" * 12  # a word that no line holds


PAUSED = {
    "id": "whk_paused",
    "account_id": seed.ACCOUNT,
    "url": f"https://hooks.example/hidden/{LONG}",
    "topics": ["playback.*", "recording.*", "title.ready", "audit.action"],
    "filters": {"state": ["failed", "partial"]},
    "secret_current": "",
    "schedule": "standard",
    "state": "paused",
    "reason": "asked",
    "dropped": 7,
    "created_ms": 0,
}


def messages(at_ms: int) -> list[dict[str, Any]]:
    """One in each state, on its way to PAUSED."""
    tried = {"at": utc(at_ms).isoformat(), "status": 503, "duration_ms": 12, "error": "status 503"}
    taken = {**tried, "status": 200, "error": None}
    logs = {"pending": [], "done": [tried, taken], "dead": [tried] * 5, "dropped": [tried]}
    return [
        {
            "id": f"whd_{status}",
            "endpoint_id": PAUSED["id"],
            "event_id": f"msg_{status}",
            "seq": seq,
            "topic": "playback.session.started",
            "key": "ses_1",
            "payload": "{}",
            "status": status,
            "attempt": len(log),
            "next_ms": at_ms,
            "created_ms": at_ms,
            "log": log,
        }
        for seq, (status, log) in enumerate(logs.items(), -len(logs))
    ]


class OneRouter:
    async def decide(self, question: Question, timeout_s: float) -> Decision:
        return Decision([Choice("CDN-A", "http://a.example")], "priority", "A is first", 10, None)


class Running(NamedTuple):
    url: str
    operator: str
    issuing: str
    reader: str
    viewer: str
    session_id: str


async def planted(database: Database) -> None:
    """A programme that runs, a recording that failed, a copy that waits, a letter that is dead, a
    webhook endpoint that refused.
    """
    start_ms = now_ms() // HALF_HOUR_MS * HALF_HOUR_MS
    times = {"start_ms": start_ms, "end_ms": start_ms + 2 * HALF_HOUR_MS}
    programme = {"id": "prg_news", "channel_id": "ch_demo", "source_id": "src_x", "lang": "en"}
    said = {
        "event_id": "prg_news",
        "lang": "en",
        "title": "The Evening News",
        "descr": "At length",
    }
    failed = {
        "id": "rec_1",
        "account_id": seed.ACCOUNT,
        "channel_id": "ch_demo",
        "title": "A night at the opera" + LONG,
        "prog_start_ms": start_ms - 2 * HALF_HOUR_MS,
        "prog_end_ms": start_ms,
        "state": "failed",
        "reason": "no_media",
        "created_ms": start_ms,
        "version": 1,
        **dict.fromkeys(("pad_before_s", "pad_after_s", "counted_s"), 0),
    }
    copying = {
        "id": "ras_1",
        "account_id": seed.ACCOUNT,
        "channel_id": "ch_demo",
        "start_ms": start_ms - 2 * HALF_HOUR_MS,
        "end_ms": start_ms,
        "copy_mode": "private",
        "state": "checking",
        "tries": 0,
        "missing_ms": 0,
        "copied_objects": 412,
        "left_objects": 33,
        "copy_error": "unavailable",
    }
    about = {
        "title_id": "film",
        "origin_path": "/vod/film/",
        "duration_ms": 1,
        "renditions": ["v1"],
    }
    letter = events.encode(events.make("title.ready", about, now_ms(), event_id="msg_1")).decode()
    async with database.write() as connection:
        await connection.execute(insert(epg_source).values(id="src_x", format="xmltv"))
        mapped = {"source_id": "src_x", "xmltv_id": "x", "channel_id": "ch_demo"}
        await connection.execute(insert(channel_source).values(mapped))
        await connection.execute(insert(epg_event).values(hash="x", **times, **programme))
        await connection.execute(insert(epg_event_text).values(said))
        await connection.execute(insert(recording).values(failed))
        for number in range(OLDER):
            done = {"id": f"rec_{number:03}", "state": "expired"}
            named = {"title": f"Old {number:03}", "reason": None}
            await connection.execute(insert(recording).values(failed | done | named))
        await connection.execute(insert(recording_asset).values(copying))
        await connection.execute(insert(webhook_endpoint).values(PAUSED))
        await connection.execute(insert(webhook_delivery), messages(start_ms))
        await dead.bury(connection, "title", "search", letter, "the index was away", 3, now_ms())


async def serve(home: Path, told: list[str], ready: threading.Event, over: asyncio.Event) -> None:
    runner = web.AppRunner(neighbours())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    around = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = Settings(port=0, host="127.0.0.1", heartbeat_s=HEARTBEAT_S, webhooks=WEBHOOKS)
    database = Database.embedded(home, timeout_ms=10_000)
    readiness = {"origin": f"{around}/origin", "proxy": f"{around}/proxy"}
    console = Console(around, int(around.rpartition(":")[2]), Demo().assets_dir)
    parts: list[Part] = [
        database,
        *server.parts(
            settings,
            database=database,
            folder=home,
            token_signer=server.signer(settings, home / "token-keys.json"),
            router=OneRouter(),
            demo=True,
            pages=partial(console.mount, at_root=True),
            more_routes=Asking(
                Around(readiness, around, around, around, around),
                load(SECTIONS, None, {"HEADWATER_SQL__URL": f"sqlite:///{home}/x?key=hunter2"}),
            ).routes(),
        ),
    ]
    for part in parts:
        await part.start()
    await planted(database)
    told.append(parts[-1].url)  # type: ignore[attr-defined]
    ready.set()
    await over.wait()
    for part in reversed(parts):
        await part.drain()
        await part.stop()
    await runner.cleanup()


def token(home: Path, scopes: Any, subject: str = "operator") -> str:
    material = keys.load_or_create(home / "issuer-keys.json", keys.issuer_keys)
    settings = Settings()
    issuer = Issuer(
        material, name=settings.public_url, audience=settings.audience, life_s=900, leeway_s=30
    )
    return issuer.issue(subject, frozenset(scopes), now_ms() // 1_000)


def post(url: str, bearer: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bearer}"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


@contextmanager
def running(home: Path) -> Iterator[Running]:
    """On a loop in a thread of its own: the browser takes the caller's."""
    told = list[str]()
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(home, told, ready, over),)
    )
    thread.start()
    try:
        assert ready.wait(120)
        viewer = token(home, {"playback"}, seed.ACCOUNT)
        start = {"channel_id": "ch_demo", "device": {"id": "one"}}
        session = post(f"{told[0]}/v1/playback/start", viewer, start)
        bearers = [token(home, each) for each in (SCOPES, {"tokens:issue"}, READER_SCOPES)]
        yield Running(told[0], *bearers, viewer, session["session_id"])
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def signed_in(page: Any, running: Running, bearer: str) -> None:
    page.goto(f"{running.url}/overview")
    page.evaluate("token => sessionStorage.setItem('headwater-token', token)", bearer)


def opened(page: Any, running: Running, path: str, until: str) -> str:
    """The page's text once it says what we wait for."""
    page.goto(f"{running.url}{path}")
    page.locator("#content").get_by_text(until).first.wait_for()
    return str(page.locator("body").inner_text())
