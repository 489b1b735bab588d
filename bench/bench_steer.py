"""Steering polls per second over HTTP, one core each, and with Redis killed below the router.

    python -m bench.bench_steer --json

Ours reads signed state, decides by our policy over 50 rules and signs the state anew; the peer, for
orientation, is nginx that returns one manifest of the same size to everybody. 32 keep-alive
connections on loopback. `per_cpu_s` is what one second of processor time answers, which a busy
machine blurs less. In `2000 cells` another node tells through Redis of players in 2,000 cells on 8
CDNs, a tenth of the rows changing at each word, and all regions are asked for.
"""

import argparse
import asyncio
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

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

CONNECTIONS, SECONDS, SESSIONS, ROUNDS = 32, 2, 5_000, 3
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
    """Another node whose players are everywhere, until terminated."""
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


def prepare(folder: Path) -> tuple[Path, bytes]:
    """The plan's file, wrk's script, and one answer."""
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
    script = harness.write(folder / "polls.lua", LUA % listed)
    return script, router.poll("hls", polls[0].partition("?")[2], now_ms).body


def measure() -> list[str]:
    """Polls by wall and by processor time, and the 99th percentiles before and after the kill."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user
        script, body = prepare(folder)
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
            alone = _rounds(mine, its, script, ours)
            teller = harness.start([*command[:3], "--tell", link], redis, core=1)
            return [*alone, *_told(mine, script, ours), *_killed(mine, script, shared)]
        finally:
            for process in (ours, peer, shared, teller):
                if process is not None:
                    harness.stop(process)


def _asked(port: int, script: Path) -> harness.Round:
    url = f"http://127.0.0.1:{port}/steer/hls"
    return harness.wrk(url, connections=CONNECTIONS, seconds=SECONDS, script=script)


def _rounds(mine: int, its: int, script: Path, ours: "subprocess.Popen[bytes]") -> list[str]:
    _asked(mine, script)
    begun_s, asked = harness.cpu_s(ours), 0.0
    pairs = []
    for _ in range(ROUNDS):
        pairs.append((_asked(mine, script), _asked(its, script)))
        asked += pairs[-1][0].per_s * SECONDS
    per_cpu_s = asked / (harness.cpu_s(ours) - begun_s)
    rate, base = (median(pair[at].per_s for pair in pairs) for at in (0, 1))
    p99, its_p99 = (median(pair[at].p99_ms for pair in pairs) for at in (0, 1))
    return [
        harness.line("router", "steer polls", rate, "req/s", "nginx fixed answer", base),
        harness.line("router", "steer p99", p99, "ms", "nginx fixed answer", its_p99),
        harness.line("router", "steer per_cpu_s", per_cpu_s, "req/s", None, None),
    ]


def _told(mine: int, script: Path, ours: "subprocess.Popen[bytes]") -> list[str]:
    """Once the other node was heard of."""
    _asked(mine, script)
    begun_s = harness.cpu_s(ours)
    rounds = [_asked(mine, script) for _ in range(ROUNDS)]
    used_s = harness.cpu_s(ours) - begun_s
    rate, p99 = (median(each[at] for each in rounds) for at in (0, 1))
    per_cpu_s = sum(each.per_s for each in rounds) * SECONDS / used_s
    return [
        harness.line("router", "steer, 2000 cells", rate, "req/s", None, None),
        harness.line("router", "steer p99, 2000 cells", p99, "ms", None, None),
        harness.line("router", "steer per_cpu_s, 2000 cells", per_cpu_s, "req/s", None, None),
    ]


def _killed(mine: int, script: Path, shared: "subprocess.Popen[bytes]") -> list[str]:
    shared.kill()
    shared.wait()
    alone = [_asked(mine, script) for _ in range(ROUNDS)]
    left, left_p99 = (median(each[at] for each in alone) for at in (0, 1))
    return [
        harness.line("router", "steer, Redis killed", left, "req/s", None, None),
        harness.line("router", "steer p99, Redis killed", left_p99, "ms", None, None),
    ]


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
