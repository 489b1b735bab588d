"""Steering polls per second over HTTP, one core each, and with Redis killed below the router.

    python -m bench.bench_steer --json

Ours reads signed state, decides by our policy over 50 rules and signs the state anew; the peer, for
orientation, is nginx that returns one manifest of the same size to everybody. 32 keep-alive
connections on loopback. `per_cpu_s` is what one second of processor time answers, which a busy
machine blurs less.
"""

import argparse
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
from cdn_router.rules.rule import Rule
from cdn_router.sessions import Viewer
from cdn_router.settings import PathwaySettings, Settings
from runtime import service
from runtime.store import RedisStore

CONNECTIONS, SECONDS, SESSIONS, ROUNDS = 32, 2, 5_000, 3
CDNS, RULES = 8, 50
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


def prepare(folder: Path) -> tuple[Path, bytes]:
    """The plan's file, wrk's script, and one answer."""
    rules = tuple(Rule(f"r{at}", content=f"/vod/{at}/", region="NO") for at in range(RULES))
    plan = Plan(1, policy="headwater", rules=rules)
    router = server.build(settings(0, folder / "plan.json"))
    now_ms = int(time.time() * 1000)
    polls = []
    for number in range(SESSIONS):
        viewer = Viewer(f"/live/{number % 40}/", "SE", "tv", 64_500 + number % 50)
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
        try:
            return _rounds(mine, its, script, ours, shared)
        finally:
            for process in (ours, peer, shared):
                harness.stop(process)


def _rounds(
    mine: int,
    its: int,
    script: Path,
    ours: "subprocess.Popen[bytes]",
    shared: "subprocess.Popen[bytes]",
) -> list[str]:
    def one(port: int) -> harness.Round:
        url = f"http://127.0.0.1:{port}/steer/hls"
        return harness.wrk(url, connections=CONNECTIONS, seconds=SECONDS, script=script)

    one(mine)
    begun_s, asked = harness.cpu_s(ours), 0.0
    pairs = []
    for _ in range(ROUNDS):
        pairs.append((one(mine), one(its)))
        asked += pairs[-1][0].per_s * SECONDS
    per_cpu_s = asked / (harness.cpu_s(ours) - begun_s)
    shared.kill()
    shared.wait()
    alone = [one(mine) for _ in range(ROUNDS)]
    rate, base = (median(pair[at].per_s for pair in pairs) for at in (0, 1))
    p99, its_p99 = (median(pair[at].p99_ms for pair in pairs) for at in (0, 1))
    left, left_p99 = (median(each[at] for each in alone) for at in (0, 1))
    return [
        harness.line("router", "steer polls", rate, "req/s", "nginx fixed answer", base),
        harness.line("router", "steer p99", p99, "ms", "nginx fixed answer", its_p99),
        harness.line("router", "steer per_cpu_s", per_cpu_s, "req/s", None, None),
        harness.line("router", "steer, Redis killed", left, "req/s", None, None),
        harness.line("router", "steer p99, Redis killed", left_p99, "ms", None, None),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(int(args.serve[0]), Path(args.serve[1]), args.serve[2])
        return
    lines = measure()
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
