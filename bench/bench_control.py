"""The control API on one core, with PostgreSQL, Redis and the router on the other (CTL-180..185).

    python -m bench.bench_control --json [CASE...]

Rates are held whatever the answers take, and each answer is timed from when its request was due.
2,000 households, 500 titles, 200 channels with 8 h of programmes. `check_miss`: 94 % of the
questions are of an account and a title that were not asked about before. Guides are parsed alone on
the core and imported into the same database.
"""

import argparse
import asyncio
import io
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp

from bench import harness, paced
from bench.control_world import ACCOUNTS, CHANNELS, TITLES, World, opened, plant
from bench.paced import Paced, request
from control_api.epg import importer, store, xmltv
from control_api.streams import SINCE
from control_api.times import now_ms
from runtime.sql import Database
from runtime.store import RedisStore

SECONDS = 5.0
SETTLED_S = 10
GUIDE_ROWS = 18_000

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
    used_s = harness.cpu_s(world.api)
    found = await paced.run(world.port, make, **shape)
    spent_s = harness.cpu_s(world.api) - used_s
    return found._replace(cpu_us=1e6 * spent_s / max(found.answers, 1))


async def check_hit(world: World, bearers: Sequence[str]) -> Lines:
    """A thousand questions that are asked again and again."""

    def make(number: int) -> bytes:
        return check(world, number % 50, number % 20, bearers)

    await held(world, make, rate=300, seconds=1)
    return _told("check_hit", await held(world, make, rate=1_000, seconds=SECONDS))


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
    """18,000 programmes of 100 channels: parsed alone, then imported."""
    text = _guide(world.base_ms)
    begun = time.perf_counter()
    count = sum(1 for _ in xmltv.Reader(io.BytesIO(text)))
    parsed_s = time.perf_counter() - begun
    async with Database(world.database_url, timeout_ms=60_000) as database:
        async with database.write() as connection:
            await store.source(connection, "src_load")
            slugs = {f"c{n}.example": f"b{n}" for n in range(100)}
            await store.map_channels(connection, "src_load", slugs, 0)
        begun = time.perf_counter()
        done = await importer.run(database, "src_load", io.BytesIO(text), now_ms, force=True)
        imported_s = time.perf_counter() - begun
    assert done.report.kept, done
    return [
        _line("xmltv_parse", count / parsed_s, "rows/s"),
        _line("xmltv_import", imported_s, "s"),
    ]


async def idle(world: World, bearers: Sequence[str]) -> Lines:
    """What the API spends while nobody asks, once its first rounds are over."""
    await asyncio.sleep(SETTLED_S)
    used_s = harness.cpu_s(world.api)
    await asyncio.sleep(SECONDS)
    return [_line("idle", 100 * (harness.cpu_s(world.api) - used_s) / SECONDS, "% core")]


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


def _guide(base_ms: int) -> bytes:
    """XMLTV of 100 channels and 180 half hours, from three days on."""
    begin = datetime.fromtimestamp(base_ms / 1_000, UTC) + timedelta(days=3)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<tv>"]
    lines += [f'<channel id="c{n}.example"><display-name>C{n}</display-name></channel>'
              for n in range(100)]  # fmt: skip
    for row in range(GUIDE_ROWS):
        at = begin + timedelta(minutes=30 * (row // 100))
        until = at + timedelta(minutes=30)
        lines.append(
            f'<programme start="{at:%Y%m%d%H%M%S} +0000" stop="{until:%Y%m%d%H%M%S} +0000"'
            f' channel="c{row % 100}.example"><title lang="en">Programme {row}</title>'
            f"<desc>What programme {row} is about, in a line or two of text.</desc>"
            f"<category>Film</category></programme>"
        )
    return "\n".join([*lines, "</tv>"]).encode()


def _line(case: str, value: float, unit: str) -> str:
    return harness.line("control", case, value, unit, None, None)


def _told(case: str, found: Paced) -> Lines:
    if found.bad:
        print(f"{case}: {found.bad} bad answers, first {found.first_bad}", file=sys.stderr)
    return [
        _line(f"{case}_rate", found.per_s, "req/s"),
        _line(f"{case}_p50", found.p50_ms, "ms"),
        _line(f"{case}_p99", found.p99_ms, "ms"),
        _line(f"{case}_p999", found.p999_ms, "ms"),
        _line(f"{case}_cpu", found.cpu_us, "us"),
        _line(f"{case}_bad", found.bad, "answers"),
    ]


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
    with opened() as world:
        lines = asyncio.run(measure(world, args.cases))
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
