"""The control API on one core, with PostgreSQL, Redis and the router on the other (CTL-180..185).

    python -m bench.bench_control --json [CASE...]

Rates are held whatever the answers take, and each answer is timed from when its request was due.
2,000 households, 500 titles, 200 channels with 8 h of programmes. `check_miss`: 94 % of the
questions are of an account and a title that were not asked about before. `check_hit` is asked in
turn with `nothing`, whose time and work are what anything takes here at this pace. A guide is
parsed alone on the core, and then brought to the API.
"""

import argparse
import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp

from bench import harness, nothing, paced
from bench.control_world import ACCOUNTS, CHANNELS, TITLES, World, opened, plant, settled
from bench.paced import Paced, request
from control_api.epg import store, xmltv
from control_api.streams import SINCE
from runtime.sql import Database
from runtime.store import RedisStore

SECONDS = 5.0
SETTLED_S, IDLE_S = 10, 20
GUIDE_ROWS = 18_000
POLL_S = 0.02  # who asks what is on
WATCH_S = 0.1  # who waits for a guide

Lines = list[str]


def check(world: World, number: int, title: int, bearers: Sequence[str]) -> bytes:
    body = {"device": {"id": f"d{number % 3}"}, "content_id": f"cnt_b{title}"}
    return request(
        "POST",
        "/v1/entitlements/check",
        json.dumps(body).encode(),
        Authorization=bearers[number],
    )


def start(number: int, bearers: Sequence[str]) -> bytes:
    body = {"device": {"id": f"d{number % 3}"}, "content_id": f"cnt_b{number % TITLES}"}
    return request(
        "POST",
        "/v1/playback/start",
        json.dumps(body).encode(),
        Authorization=bearers[number % ACCOUNTS],
    )


async def held(world: World, make: Callable[[int], bytes], **shape: Any) -> Paced:
    """A rate, and what the API spent on each answer: a busy machine changes that least."""
    return await _held(world.api, world.port, make, **shape)


async def _held(
    process: subprocess.Popen[bytes], port: int, make: Callable[[int], bytes], **shape: Any
) -> Paced:
    used_s = harness.cpu_s(process)
    found = await paced.run(port, make, **shape)
    spent_s = harness.cpu_s(process) - used_s
    return found._replace(cpu_us=1e6 * spent_s / max(found.answers, 1))


async def check_hit(world: World, bearers: Sequence[str]) -> Lines:
    """A thousand questions that are asked again and again."""

    def make(number: int) -> bytes:
        return check(world, number % 50, number % 20, bearers)

    await held(world, make, rate=300, seconds=1)
    ours, its = list[Paced](), list[Paced]()
    with nothing.served() as peer:
        for _ in range(harness.ROUNDS):
            ours.append(await held(world, make, rate=1_000, seconds=SECONDS))
            its.append(await _held(*peer, make, rate=1_000, seconds=SECONDS))
    found, beside = _median(ours), _median(its)
    if found.bad or beside.bad:
        raise SystemExit(f"check_hit: {found.bad} bad answers, {beside.bad} of the peer's")
    return _told("check_hit", found, beside)


async def check_miss(world: World, bearers: Sequence[str]) -> Lines:
    """Of 50 questions 47 are new."""

    def make(number: int) -> bytes:
        if number % 50 < 3:
            return check(world, 0, 0, bearers)
        return check(world, number % ACCOUNTS, 100 + number * 7 // ACCOUNTS % 300, bearers)

    return _told("check_miss", await held(world, make, rate=400, seconds=SECONDS))


async def playback_start(world: World, bearers: Sequence[str]) -> Lines:
    """Entitlement, admission, decision of the real router, token, row."""

    def make(number: int) -> bytes:
        return start(number, bearers)

    await settled(world)
    found = await held(world, make, rate=200, seconds=SECONDS, want=201)
    return _told("start", found)


async def started(world: World, client: aiohttp.ClientSession, body: object, bearer: str) -> str:
    """A session, however busy the API is with what came before."""
    url, headers = f"http://127.0.0.1:{world.port}/v1/playback/start", {"Authorization": bearer}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        async with client.post(url, json=body, headers=headers) as answer:
            told = await answer.json()
        if answer.status == 201:
            return str(told["session_id"])
        await asyncio.sleep(1)
    raise SystemExit(f"no session starts: {told}")


async def heartbeat(world: World, bearers: Sequence[str]) -> Lines:
    """As many as are taken, of 200 sessions."""
    wanted = []
    async with aiohttp.ClientSession() as client:
        for number in range(200):
            body = {"device": {"id": "beat"}, "content_id": f"cnt_b{number}"}
            session_id = await started(world, client, body, bearers[number])
            beat = {"position_ms": 30_000, "state": "playing", "bitrate_kbps": 4_000}
            wanted.append(
                request(
                    "POST",
                    f"/v1/sessions/{session_id}/heartbeat",
                    json.dumps(beat).encode(),
                    Authorization=bearers[number],
                )
            )
    make = _cycle(wanted)
    top = await held(world, make, rate=20_000, seconds=1)
    found = await held(world, make, rate=min(4_000, top.per_s * 0.8), seconds=SECONDS)
    return [_line("heartbeat", top.per_s, "req/s"), *_told("heartbeat", found)]


async def guide_grid(world: World, bearers: Sequence[str]) -> Lines:
    """Six hours of every channel, a hundred channels a request."""
    begin = datetime.fromtimestamp(world.base_ms / 1_000, UTC)
    end = begin + timedelta(hours=6)
    times = f"from={quote(begin.isoformat())}&to={quote(end.isoformat())}"
    wanted = []
    for first in range(0, CHANNELS, 100):
        names = ",".join(f"ch_b{n}" for n in range(first, first + 100))
        wanted.append(request("GET", f"/v1/epg?channels={names}&{times}", Accept_Encoding="gzip"))
    make = _cycle(wanted)
    top = await held(world, make, rate=4_000, seconds=1)
    found = await held(world, make, rate=min(1_000, top.per_s * 0.8), seconds=SECONDS)
    return [_line("grid", top.per_s, "req/s"), *_told("grid", found)]


async def guide_import(world: World, bearers: Sequence[str]) -> Lines:
    """18,000 programmes of 100 channels: parsed alone; brought to the API and found there, with the
    processor time of both sides; and as many of the days after, while somebody asks what is on.
    """
    text = _guide(world.base_ms, 3, "programme")
    begun = time.perf_counter()
    count = sum(1 for _ in xmltv.Reader(io.BytesIO(text)))
    parsed_s = time.perf_counter() - begun
    async with Database(world.database_url) as database, database.write() as connection:
        await store.source(connection, "src_load")
        slugs = {f"c{n}.example": f"b{n}" for n in range(100)}
        await store.map_channels(connection, "src_load", slugs, 0)
    await settled(world)
    sides = (world.api, world.postgresql)
    bearer = world.bearer(0, frozenset({"epg:import"}))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{world.port}") as client:
        used_s = [harness.cpu_s(side) for side in sides]
        imported_s = await _brought(client, text, "programme", bearer)
        spent_s = [harness.cpu_s(side) - was_s for side, was_s in zip(sides, used_s, strict=True)]
        await settled(world)
        over = asyncio.Event()
        slowest = asyncio.create_task(_beside(client, over))
        busy_s = await _brought(client, _guide(world.base_ms, 7, "broadcast"), "broadcast", bearer)
        over.set()
        slowest_s = await slowest
    return [
        _line("xmltv_parse", count / parsed_s, "rows/s"),
        _line("xmltv_import", imported_s, "s"),
        _line("xmltv_import_api_cpu", spent_s[0], "s"),
        _line("xmltv_import_postgresql_cpu", spent_s[1], "s"),
        _line("xmltv_import_asked", busy_s, "s"),
        _line("xmltv_import_beside", 1_000 * slowest_s, "ms"),
    ]


async def _brought(client: aiohttp.ClientSession, guide: bytes, word: str, bearer: str) -> float:
    """Seconds until the last programme of a guide is found."""
    headers = {"Authorization": bearer, "Content-Type": "application/xml"}
    path = "/v1/admin/epg/imports"
    asked = {"source_id": "src_load", "force": "true"}
    begun = time.perf_counter()
    async with client.post(path, params=asked, data=guide, headers=headers) as answer:
        told = await answer.json()
    while told["state"] == "running":
        await asyncio.sleep(WATCH_S)
        async with client.get(f"{path}/{told['id']}", headers=headers) as answer:
            told = await answer.json()
    async with client.get("/v1/search", params={"q": f"{word} {GUIDE_ROWS - 1}"}) as answer:
        found = await answer.json()
    assert told["state"] == "applied" and found.get("items"), (told, found)
    return time.perf_counter() - begun


async def _beside(client: aiohttp.ClientSession, over: asyncio.Event) -> float:
    """The slowest answer to who asks again and again what is on."""
    slowest_s = 0.0
    while not over.is_set():
        begun = time.perf_counter()
        async with client.get("/v1/epg/now") as answer:
            await answer.read()
        slowest_s = max(slowest_s, time.perf_counter() - begun)
        await asyncio.sleep(POLL_S)
    return slowest_s


async def idle(world: World, bearers: Sequence[str]) -> Lines:
    """What the API spends while nobody asks, once its first rounds are over, and how often it wakes
    for that: a core that sleeps between wakes slowly, which is the machine's part of the price.
    """
    await asyncio.sleep(SETTLED_S)
    used_s, woken = harness.cpu_s(world.api), harness.wakes(world.api)
    await asyncio.sleep(IDLE_S)
    used_s, woken = harness.cpu_s(world.api) - used_s, harness.wakes(world.api) - woken
    return [
        _line("idle", 100 * used_s / IDLE_S, "% core"),
        _line("idle_wakes", woken / IDLE_S, "per s"),
    ]


async def warm(world: World) -> None:
    """The store has counted for longer than a session may be silent (`control_api.streams`)."""
    shared = RedisStore(world.store_url)
    await shared.start()
    await shared.put(SINCE, b"1")
    await shared.stop()


Case = Callable[[World, Sequence[str]], Awaitable[Lines]]
CASES: dict[str, Case] = {
    "idle": idle,
    "check_hit": check_hit,
    "check_miss": check_miss,
    "start": playback_start,
    "heartbeat": heartbeat,
    "grid": guide_grid,
    "xmltv": guide_import,
}


def _cycle(wanted: Sequence[bytes]) -> Callable[[int], bytes]:
    return lambda number: wanted[number % len(wanted)]


def _guide(base_ms: int, days: int, word: str) -> bytes:
    """XMLTV of 100 channels and 180 half hours, from so many days on."""
    begin = datetime.fromtimestamp(base_ms / 1_000, UTC) + timedelta(days=days)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<tv>"]
    lines += [f'<channel id="c{n}.example"><display-name>C{n}</display-name></channel>'
              for n in range(100)]  # fmt: skip
    for row in range(GUIDE_ROWS):
        at = begin + timedelta(minutes=30 * (row // 100))
        until = at + timedelta(minutes=30)
        lines.append(
            f'<programme start="{at:%Y%m%d%H%M%S} +0000" stop="{until:%Y%m%d%H%M%S} +0000"'
            f' channel="c{row % 100}.example"><title lang="en">{word.capitalize()} {row}</title>'
            f"<desc>What {word} {row} is about, in a line or two of text.</desc>"
            f"<category>Film</category></programme>"
        )
    return "\n".join([*lines, "</tv>"]).encode()


def _line(case: str, value: float, unit: str, its: float | None = None) -> str:
    return harness.line("control", case, value, unit, None if its is None else nothing.NAME, its)


def _told(case: str, found: Paced, its: Paced | None = None) -> Lines:
    """What a peer took at the same pace stands beside it."""
    if found.bad:
        print(f"{case}: {found.bad} bad answers, first {found.first_bad}", file=sys.stderr)
    return [
        _line(f"{case}_rate", found.per_s, "req/s"),
        _line(f"{case}_p50", found.p50_ms, "ms", its and its.p50_ms),
        _line(f"{case}_p99", found.p99_ms, "ms", its and its.p99_ms),
        _line(f"{case}_p999", found.p999_ms, "ms", its and its.p999_ms),
        _line(f"{case}_cpu", found.cpu_us, "us", its and its.cpu_us),
        _line(f"{case}_bad", found.bad, "answers"),
    ]


def _median(rounds: Sequence[Paced]) -> Paced:
    """Of each figure; of bad answers their sum."""
    per_s, p50_ms, p99_ms, p999_ms, cpu_us = (
        statistics.median(getattr(each, name) for each in rounds)
        for name in ("per_s", "p50_ms", "p99_ms", "p999_ms", "cpu_us")
    )
    bad, answers = (sum(getattr(each, name) for each in rounds) for name in ("bad", "answers"))
    first_bad = next((each.first_bad for each in rounds if each.first_bad), "")
    return Paced(per_s, p50_ms, p99_ms, p999_ms, bad, answers, first_bad, cpu_us)


async def measure(world: World, cases: Sequence[str]) -> Lines:
    await plant(world)
    await warm(world)
    bearers = [world.bearer(number) for number in range(ACCOUNTS)]
    lines: Lines = []
    for name in cases:
        lines += await CASES[name](world, bearers)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    args = parser.parse_args()
    os.sched_setaffinity(0, {harness.LOAD_CORE})
    with opened() as world, asyncio.Runner(loop_factory=paced.loop) as runner:
        lines = runner.run(measure(world, args.cases))
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
