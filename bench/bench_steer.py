"""Steering polls per second over HTTP, one core each, and with Redis killed below the router.

    python -m bench.bench_steer --json

Ours reads signed state, decides by our policy over 50 rules and signs the state anew; the peer, for
orientation, is nginx that returns one manifest of the same size to everybody. There are two loads
on loopback. `at its limit` is 32 keep-alive connections that ask again as soon as they are
answered: its rate is the most there is, and its latency mostly the wait of 32 for one another. `at
15000/s` is 600 that ask again after a while of their own (exponential, in whole milliseconds): what
players do, at the rate of the target, and its latency is what they see: who waits asks for less, so
a rate below `REACHED` of it fails the bench. `per_cpu_s` is what one
second of processor time answers, which a busy machine blurs less. In `2000 cells` another node
tells through Redis of players in 2,000 cells on 8 CDNs, a tenth of the rows changing at each word,
and all regions are asked for.
"""

import argparse
import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
from pydantic import SecretStr

from bench import harness
from cdn_router import server
from cdn_router.admin.plan import Plan
from cdn_router.cells.exchange import Exchange
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.policies.face import Cell
from cdn_router.rules.rule import Rule
from cdn_router.sessions import Viewer
from cdn_router.settings import PathwaySettings, Settings
from runtime import service
from runtime.store import RedisStore

SECONDS, SESSIONS, ROUNDS = 2, 5_000, 3
BUSY = 32  # connections at the limit
RATE, PLAYERS = 15_000, 600
REST_MS = 1000 * PLAYERS / RATE - 0.5  # the answer takes its part of the turn
REACHED = 0.95
CDNS, RULES = 8, 50
REGIONS, ISPS = 50, 40
KEY = "bench-key-of-thirty-two-octets--"
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}
}}
"""
LUA = """
local polls = {}
for line in io.lines("%s") do polls[#polls + 1] = line end
local at = 0
request = function()
  at = at %% #polls + 1
  return wrk.format("GET", polls[at])
end
"""
RESTING = """
math.randomseed(1)
delay = function()
  return math.floor(0.5 - %f * math.log(1 - math.random()))
end
"""


class Load(NamedTuple):
    """`script` words the polls, and says when a connection asks again."""

    name: str
    connections: int
    script: Path
    least_per_s: float = 0.0


def settings(port: int, plan: Path) -> Settings:
    return Settings(
        port=port,
        host="127.0.0.1",
        plan_file=plan,
        state_key=SecretStr(KEY),
        pathways=[
            PathwaySettings(id=f"CDN-{at}", base_url=f"http://c{at}.example", priority=at)
            for at in range(CDNS)
        ],
    )


def serve(port: int, plan: Path, store: str) -> None:
    """Our side, until terminated."""
    link = RedisStore(store, timeout_ms=100, max_connections=8)
    service.run("router", server.parts(settings(port, plan), store=link))


def tell(store: str) -> None:
    """Another node whose players are everywhere, until terminated; it stands for another machine,
    so it gives way to the load on its core.
    """
    os.nice(19)
    asyncio.run(_tell(RedisStore(store, timeout_ms=1_000, max_connections=2)))


async def _tell(store: RedisStore) -> None:
    named = settings(0, Path("none")).pathways
    state = State([server.cdn(each) for each in named], time.time())
    exchange = Exchange(state, "teller")
    rows = [
        (Cell(f"R{region}", f"AS{64_500 + isp}", "", "tv", "live"), cdn)
        for isp in range(ISPS)
        for region in range(REGIONS)
        for cdn in range(CDNS)
    ]
    told = itertools.cycle(rows)
    count = len(rows)
    await store.start()
    while True:
        for cell, cdn in itertools.islice(told, count):
            state.sample(cell, cdn, Sample(1, 60 + 3 * cdn, 0, 5, 25), time.time())
        await exchange.tell(store, time.time())
        count = len(rows) // 10
        await asyncio.sleep(0.5)


def prepare(folder: Path) -> tuple[list[Load], bytes]:
    """The plan's file, the loads, and one answer."""
    rules = tuple(Rule(f"r{at}", content=f"/vod/{at}/", region="NO") for at in range(RULES))
    plan = Plan(1, policy="headwater", rules=rules)
    router = server.build(settings(0, folder / "plan.json"))
    now_ms = int(time.time() * 1000)
    polls = []
    for number in range(SESSIONS):
        region, isp = f"R{number % REGIONS}", 64_500 + number // REGIONS % ISPS
        viewer = Viewer(f"/live/{number % 40}/", region, "tv", isp)
        session, _ = router.start(f"session-{number}", viewer, now_ms)
        url = router.steering_url("hls", session, 0, now_ms)
        query = f"{url.partition('?')[2]}&_HLS_pathway=CDN-0&_HLS_throughput=5140000"
        polls.append(f"/steer/hls?{query}")
    harness.write(folder / "plan.json", msgspec.json.encode(plan).decode())
    listed = harness.write(folder / "polls.txt", "\n".join(polls))
    polling = LUA % listed
    loads = [
        Load("at its limit", BUSY, harness.write(folder / "limit.lua", polling)),
        Load(
            f"at {RATE}/s",
            PLAYERS,
            harness.write(folder / "rate.lua", polling + RESTING % REST_MS),
            REACHED * RATE,
        ),
    ]
    return loads, router.poll("hls", polls[0].partition("?")[2], now_ms).body


def measure() -> list[str]:
    """Polls by wall and by processor time, and the 99th percentiles before and after the kill."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user
        loads, body = prepare(folder)
        mine, its, redis = (harness.free_port() for _ in range(3))
        config = harness.write(
            folder / "nginx.conf", NGINX.format(folder=folder, port=its, body=body.decode())
        )
        options = ["--port", str(redis), "--save", "", "--dir", name]
        shared = harness.start([harness.tool("redis-server"), *options], redis, core=1)
        link = f"redis://127.0.0.1:{redis}/0"
        plan = str(folder / "plan.json")
        command = [sys.executable, "-m", "bench.bench_steer", "--serve", str(mine), plan, link]
        ours = harness.start(command, mine)
        peer = harness.start([harness.tool("nginx"), "-c", str(config)], its)
        teller = None
        try:
            lines = _rounds("steer", loads, ours, mine, its)
            teller = harness.start([*command[:3], "--tell", link], redis, core=1)
            lines += _rounds("steer, 2000 cells", loads, ours, mine)
            shared.kill()
            shared.wait()
            return lines + _rounds("steer, Redis killed", loads, ours, mine)
        finally:
            for process in (ours, peer, shared, teller):
                if process is not None:
                    harness.stop(process)


def _rounds(
    case: str, loads: list[Load], ours: "subprocess.Popen[bytes]", mine: int, its: int | None = None
) -> list[str]:
    """Medians of each load, in turn with the peer's if there is one; the first round warms up."""
    _asked(mine, loads[0])
    lines = []
    for load in loads:
        rounds, beside = [], []
        answers, used_s = 0.0, 0.0
        for _ in range(ROUNDS):
            begun_s = harness.cpu_s(ours)
            rounds.append(_asked(mine, load))
            used_s += harness.cpu_s(ours) - begun_s
            answers += rounds[-1].per_s * SECONDS
            if its is not None:
                beside.append(_asked(its, load))
        found, peer = _medians(rounds), _medians(beside) if beside else None
        if found.per_s < load.least_per_s:
            raise SystemExit(f"{case} {load.name}: {found.per_s:.0f}/s is not the load")
        name = "nginx fixed answer" if beside else None
        for what, unit, value, peer_value in (
            ("polls", "req/s", found.per_s, peer and peer.per_s),
            ("p99", "ms", found.p99_ms, peer and peer.p99_ms),
        ):
            row = f"{case} {what} {load.name}"
            lines.append(harness.line("router", row, value, unit, name, peer_value))
        row = f"{case} per_cpu_s {load.name}"
        lines.append(harness.line("router", row, answers / used_s, "req/s", None, None))
    return lines


def _medians(rounds: list[harness.Round]) -> harness.Round:
    per_s, p99_ms = (median(each) for each in zip(*rounds, strict=True))
    return harness.Round(per_s, p99_ms)


def _asked(port: int, load: Load) -> harness.Round:
    url = f"http://127.0.0.1:{port}/steer/hls"
    return harness.wrk(url, connections=load.connections, seconds=SECONDS, script=load.script)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--tell", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(int(args.serve[0]), Path(args.serve[1]), args.serve[2])
        return
    if args.tell:
        tell(args.tell)
        return
    lines = measure()
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
