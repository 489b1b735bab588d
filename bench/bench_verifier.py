"""The verifier endpoint beside nginx that returns 204 to everything, one core each.

    python -m bench.bench_verifier --json

Ours is asked as Envoy asks (`/ext_authz`), so that both see one request line; a token with method
and path is judged on each request. 32 keep-alive connections on loopback; `endpoint_cpu`: requests
per second of processor time.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from subprocess import Popen
from typing import Any

import cat
from bench import harness

CONNECTIONS, SECONDS = 32, 2
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}
}}
"""


def serve(port: int, keys: Path) -> None:
    """Our side, until terminated."""
    from headwater.verifier_cli import verifier

    verifier(keys=keys, port=port, issuer=["headwater"], admin_port=harness.free_port())


def measure() -> list[str]:
    """Two lines: requests of both, per second and per second of processor time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user
        members = [cat.generate("HS256", "k1")]
        keys = harness.write(folder / "keys.json", json.dumps(members))
        claims: dict[str | int, Any] = {
            "iss": "headwater",
            "exp": int(time.time()) + 3600,
            "catm": ["GET"],
            "catu": {"path": {"prefix": "/live/"}},
        }
        token = cat.issue(claims, cat.KeySet.from_json(members).signer())
        mine, its = harness.free_port(), harness.free_port()
        config = harness.write(folder / "nginx.conf", NGINX.format(folder=folder, port=its))
        command = [sys.executable, "-m", "bench.bench_verifier", "--serve", str(mine), str(keys)]
        running = [
            harness.start(command, mine),
            harness.start([harness.tool("nginx"), "-c", str(config)], its),
        ]
        path = f"/ext_authz/live/ch1/video/1234.m4s?CAT={token}"

        def measured(port: int, server: Popen[bytes]) -> tuple[float, float]:
            """Requests per second, and per second of the server's processor time."""
            url, used_s = f"http://127.0.0.1:{port}{path}", harness.cpu_s(server)
            per_s = harness.wrk(url, connections=CONNECTIONS, seconds=SECONDS).per_s
            return per_s, per_s * SECONDS / (harness.cpu_s(server) - used_s)

        try:
            rounds = harness.in_turn(
                lambda: measured(mine, running[0]),
                lambda: measured(its, running[1]),
                harness.ROUNDS,
            )
        finally:
            for process in running:
                harness.stop(process)
    lines = []
    for at, case in enumerate(("endpoint", "endpoint_cpu")):
        ours, peer = (
            statistics.median([side[at] for side in sides]) for sides in zip(*rounds, strict=True)
        )
        lines.append(harness.line("cat", case, ours, "req/s", "nginx 204", peer))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "KEYS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(int(args.serve[0]), Path(args.serve[1]))
        return
    lines = measure()
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
