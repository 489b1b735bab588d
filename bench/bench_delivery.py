"""Hot objects of four sizes from native.http and from nginx with sendfile, one core each.

    python -m bench.bench_delivery --json

32 keep-alive connections on loopback. nginx: one worker, sendfile, tcp_nopush, open_file_cache, no
access log. The head of ours carries CORS and validators as in production, nginx's its default.
Where the load generator's core is full before the server's, the rates are its own; `_cpu` tells
what the servers could do: requests per second of their processor time.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench import harness

SIZES = {"2KB": 2048, "20KB": 20480, "200KB": 204800, "1.5MB": 1572864}
CONNECTIONS = 32
SECONDS = 2

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    types {{ }}
    default_type video/mp4;
    server {{ listen 127.0.0.1:{port}; root {folder}/objects; }}
}}
"""


def serve(port: int, folder: Path) -> None:
    """Our side: every object of `folder` hot, until terminated."""
    import uvloop

    from native.http import Entity, Hot, Limits, Refusal
    from native.http import serve as serve_http

    async def run() -> None:
        hot = Hot()
        for path in folder.iterdir():
            entity = Entity(
                path.read_bytes(),
                content_type="video/mp4",
                cache_control="max-age=1209600, immutable",
                last_modified=1767225600,
            )
            hot.put(f"/{path.name}", entity)
        missing = Refusal(404, "not_found")
        await serve_http(
            lambda request: missing,
            host="127.0.0.1",
            port=port,
            hot=hot,
            limits=Limits(per_address=0),
        )
        await asyncio.Event().wait()

    uvloop.run(run())


class Side(NamedTuple):
    """A server under test."""

    port: int
    process: subprocess.Popen[bytes]


class Seen(NamedTuple):
    """What one round showed of a server."""

    per_s: float
    p99_ms: float
    per_cpu_s: float


def load(side: Side, case: str, seconds: int) -> Seen:
    """One round against one server."""
    url = f"http://127.0.0.1:{side.port}/{case}"
    before_s = harness.cpu_s(side.process)
    per_s, p99_ms = harness.wrk(url, connections=CONNECTIONS, seconds=seconds)
    used_s = max(harness.cpu_s(side.process) - before_s, 0.01)
    return Seen(per_s, p99_ms, per_s * seconds / used_s)


def rows(case: str, rounds: Sequence[tuple[Seen, Seen]]) -> list[str]:
    """Medians: rates, where more is better, and the 99th percentile, where less is."""
    ours, peer = (
        Seen(*(statistics.median(values) for values in zip(*side, strict=True)))
        for side in zip(*rounds, strict=True)
    )
    return [
        harness.line("delivery", case, ours.per_s, "req/s", "nginx", peer.per_s),
        harness.line("delivery", f"{case}_p99", ours.p99_ms, "ms", "nginx", peer.p99_ms),
        harness.line(
            "delivery", f"{case}_cpu", ours.per_cpu_s, "req/cpu-s", "nginx", peer.per_cpu_s
        ),
    ]


def measure(seconds: int) -> list[str]:
    """Three lines per size."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user
        objects = folder / "objects"
        objects.mkdir()
        for case, size in SIZES.items():
            (objects / case).write_bytes(os.urandom(size))
        mine, its = harness.free_port(), harness.free_port()
        config = harness.write(folder / "nginx.conf", NGINX.format(folder=folder, port=its))
        command = [sys.executable, "-m", "bench.bench_delivery", "--serve", str(mine), str(objects)]
        sides = [
            Side(mine, harness.start(command, mine)),
            Side(its, harness.start([harness.tool("nginx"), "-c", str(config)], its)),
        ]
        try:
            for case in SIZES:
                rounds = harness.in_turn(
                    lambda case=case: load(sides[0], case, seconds),  # type: ignore[misc]
                    lambda case=case: load(sides[1], case, seconds),  # type: ignore[misc]
                    harness.ROUNDS,
                )
                lines += rows(case, rounds)
        finally:
            for side in sides:
                harness.stop(side.process)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="length of one round")
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "FOLDER"), help="be the server")
    args = parser.parse_args()
    if args.serve:
        serve(int(args.serve[0]), Path(args.serve[1]))
        return
    lines = measure(args.seconds)
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
