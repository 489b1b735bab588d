"""CMCD v2 events per second, one core each: parsed, taken in, and over HTTP in batches of 20.

    python -m bench.bench_cmcd --json

The peer of `parse` (bodies into what the router goes by) and `decode` (a record into all of its
keys) is decodeCmcd of npm @svta/cml-cmcd in Node on the same records; ours also hold each key to
its type. HTTP: wrk posts batches to the router's own listener; `-cpu` is per second of the server's
processor time until all that was acknowledged is Parquet.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import harness

BATCH = 20
SESSIONS = 500
SECONDS = 2.0
CONNECTIONS = 8
NUMBER = re.compile(r"sn=[0-9]+,")
ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "node_modules/@svta/cml-cmcd"

NODE = """
import {{ decodeCmcd }} from "{package}/dist/index.js";
import {{ readFileSync }} from "node:fs";
const lines = readFileSync("{records}", "utf8").split("\\n");
const until = performance.now() + {seconds} * 1000;
let count = 0;
while (performance.now() < until) {{
  for (const line of lines) decodeCmcd(line);
  count += lines.length;
}}
console.log(count / ({seconds} + (performance.now() - until) / 1000));
"""

WRK = """
local bodies = {{ {bodies} }}
local at = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/cmcd"
request = function()
  at = at % #bodies + 1
  return wrk.format(nil, "/cmcd", nil, bodies[at])
end
"""


def records() -> list[str]:
    """Interval events as a player with the minimum useful set sends them (CM-21)."""
    return [
        f'bl=({12000 + number % 50 * 100};v),br=(5000;v 128;a),cid="film",e=t,h="localhost:8011",'
        f'mtp=({4000 + number % 90 * 100}),pt={number * 40},sf=h,sid="session-{number % SESSIONS}",'
        f"sn={number // SESSIONS},st=v,sta=p,ts={1764000000000 + number * 7},v=2"
        for number in range(BATCH * SESSIONS)
    ]


def own_batches(lines: list[str]) -> list[bytes]:
    """Batches as players send them: 19 responses and an interval of one session each."""
    bodies = []
    for number in range(len(lines) // BATCH):
        at_ms = 1764000000000 + number * 140
        sid = f"session-{number % SESSIONS}"
        rows = [
            f'br=(5000;v),e=rr,ot=v,rc=200,sid="{sid}",ts={at_ms + n * 300},ttfb=20,'
            f'ttlb=180,url="http://localhost:8011/live/a/v/{n}.m4s?x=1",v=2'
            for n in range(BATCH - 1)
        ]
        rows.append(
            f'bl=(12000;v),br=(5000;v),cid="film",e=t,h="localhost:8011",mtp=(4000),pt=1000,sf=h,'
            f'sid="{sid}",st=v,sta=p,ts={at_ms + 6000},v=2'
        )
        bodies.append("\n".join(rows).encode())
    return bodies


def columns(bodies: list[bytes], seconds: float) -> float:
    """Records per second from bodies into Arrow's columns."""
    from cdn_router.archive.table import NAMES
    from cdn_router.cmcd.decode import ORDERLY
    from native.cmcd import columns as kernel

    body, ends = b"".join(bodies), list(itertools.accumulate(map(len, bodies)))
    begun, count = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < seconds:
        kernel.read(ORDERLY, NAMES, body, ends)
        count += len(bodies) * BATCH
    return count / took


def parse(bodies: list[bytes], seconds: float) -> float:
    """Records per second from batches of 20 into facts by session."""
    from cdn_router.server import build, build_intake

    settings = _settings(0)
    batch = build_intake(settings, build(settings)).batch
    begun, count = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < seconds:
        for body in bodies:
            batch.read(body)
            batch.groups()
        count += len(bodies) * BATCH
    return count / took


def decode(lines: list[str], seconds: float) -> float:
    """Records per second through `cdn_router.cmcd.decode`."""
    from cdn_router.cmcd.decode import decode_line

    begun, count = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < seconds:
        for line in lines[:1000]:
            decode_line(line)
        count += 1000
    return count / took


def intake(bodies: list[bytes], seconds: float) -> float:
    """Records per second from batches of 20 into session records."""
    from cdn_router.server import build, build_intake

    settings = _settings(0)
    target = build_intake(settings, build(settings))
    begun, count = time.perf_counter(), 0
    while (took := time.perf_counter() - begun) < seconds:
        for body in bodies:
            target.take(body, "127.0.0.1", 0)
        count += len(bodies) * BATCH
    return count / took


def node(program: Path) -> float:
    """Records per second of the peer."""
    done = subprocess.run(
        [*harness.PINNED_LOAD, harness.tool("node"), str(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _script(path: Path, bodies: list[bytes]) -> Path:
    words = ", ".join(json.dumps(body.decode()) for body in bodies[:100])
    return harness.write(path, WRK.format(bodies=words))


def http(script: Path, seconds: float) -> tuple[float, float]:
    """Records per second over HTTP, and per second of the server's processor time; server and load
    on a core each.
    """
    port = harness.free_port()
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "bench.bench_cmcd", "--serve", str(port), "--into", name]
        return _posted(harness.start(command, port), port, script, seconds, Path(name))


def _posted(
    server: "subprocess.Popen[bytes]", port: int, script: Path, seconds: float, folder: Path
) -> tuple[float, float]:
    try:
        before_s = harness.cpu_s(server)
        done = subprocess.run(
            [
                *(*harness.PINNED_LOAD, harness.tool("wrk"), "-t1", f"-c{CONNECTIONS}"),
                *(f"-d{seconds:.0f}s", "-s", str(script), f"http://127.0.0.1:{port}/cmcd"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        while any((folder / "journal").glob("*.cmcd*")):
            time.sleep(0.05)
        used_s = harness.cpu_s(server) - before_s
    finally:
        harness.stop(server)
    if "Non-2xx" in done.stdout:
        raise SystemExit(done.stdout)
    rate = next(row for row in done.stdout.splitlines() if row.startswith("Requests/sec"))
    total = next(row for row in done.stdout.splitlines() if "requests in" in row)
    return float(rate.split()[1]) * BATCH, int(total.split()[0]) * BATCH / used_s


def serve(port: int, folder: Path) -> None:
    """The router's listener, its rates out of the way, until terminated. What it keeps becomes
    Parquet after a second, so that a short run has its share of that.
    """
    import uvloop

    from cdn_router.archive import keeper
    from cdn_router.server import parts
    from runtime import logs
    from runtime.objects import FolderStore

    keeper.TURN_S = 1.0

    async def run() -> None:
        store = FolderStore(folder / "objects")
        for part in parts(_settings(port), kept=(store, folder / "journal")):
            await part.start()
        await asyncio.Event().wait()

    logs.setup("router", "warning")
    uvloop.run(run())


def _settings(port: int):  # type: ignore[no-untyped-def]
    from cdn_router.settings import Settings

    return Settings(port=port, cmcd_per_peer=10**9, cmcd_per_session=10**6)


def _bodies(lines: list[str]) -> list[bytes]:
    """Batches without sequence numbers: they come again and again, and none shall be a double."""
    rows = [NUMBER.sub("", line) for line in lines]
    return [
        "\n".join(rows[at : at + BATCH]).encode() for at in range(0, len(rows) - BATCH + 1, BATCH)
    ]


def measure(seconds: float) -> list[str]:
    os.sched_setaffinity(0, {harness.LOAD_CORE})  # where the peer is measured too
    lines = records()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wire = harness.write(folder / "records.txt", "\n".join(lines[:1000]))
        program = harness.write(
            folder / "peer.mjs", NODE.format(package=PACKAGE, records=wire, seconds=seconds)
        )
        mixed, players = _bodies(lines), own_batches(lines)
        scripts = [
            _script(folder / "mixed.lua", mixed),
            _script(folder / "players.lua", players),
        ]
        own, peer = harness.alternate(lambda: decode(lines, seconds), lambda: node(program), 2)
        return [
            harness.line("cmcd", "parse", parse(players, seconds), "rec/s", "cml-cmcd", peer),
            harness.line("cmcd", "decode", own, "rec/s", "cml-cmcd", peer),
            harness.line("cmcd", "columns", columns(players, seconds), "rec/s", None, None),
            harness.line("cmcd", "intake-20", intake(players, seconds), "rec/s", None, None),
            harness.line("cmcd", "intake-mixed", intake(mixed, seconds), "rec/s", None, None),
            *(
                harness.line("cmcd", f"{case}{suffix}", value, "rec/s", None, None)
                for case, script in zip(("http-mixed", "http-20"), scripts, strict=True)
                for suffix, value in zip(("", "-cpu"), http(script, max(1, seconds)), strict=True)
            ),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one round")
    parser.add_argument("--serve", type=int, metavar="PORT", help="be the server")
    parser.add_argument("--into", type=Path, metavar="DIR", help="where the server keeps events")
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.into)
        return
    found = measure(args.seconds)
    print("\n".join(found) if args.json else harness.table(found))


if __name__ == "__main__":
    main()
