"""Personal playlists over HTTP beside nginx serving the same bytes as a file, one core each.

    python -m bench.bench_manifest_http --json

`personal`: a live playlist of 60 segments with the viewer's token at every URI; each request brings
an HS256 token that the proxy does not remember, and all of its claims are judged. `shared`:
the same playlist without holes, one token, one body for all. nginx finds the viewer's copy by the
same URLs. 64 keep-alive connections on loopback; `_cpu`: requests per second of processor time.
`session_bytes`: what the process grew by, per session that it answered.
Source: manifest-proxy MP-40..MP-45, CAT-90..CAT-92.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import Popen
from urllib.request import urlopen

import cat
from bench import harness
from bench.bench_manifest import playlist

CONNECTIONS, SECONDS, TOKENS = 64, 3, 100_000
SEGMENTS = 60
CHANNELS = {"personal": "/live/own/v720/media.m3u8", "shared": "/live/shared/v720/media.m3u8"}
RULES = """
[[rules]]
name = "shared"
paths = ["/live/shared/*"]
carrier = "define"
"""
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    open_file_cache max=1000;
    default_type application/vnd.apple.mpegurl;
    server {{
        listen 127.0.0.1:{origin};
        root {folder}/origin;
        add_header Cache-Control "max-age=3600";
    }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/copies;
        add_header Cache-Control "private, no-store";
        location ~ /(own|shared)/ {{ try_files /$1.m3u8 =404; }}
    }}
}}
"""
WRK = """
local tokens, at = {{}}, 0
for token in io.lines("{tokens}") do tokens[#tokens + 1] = token end
request = function()
  at = at % #tokens + 1
  return wrk.format("GET", "/p/CDN-A/cat:" .. tokens[at] .. "{target}")
end
"""


def serve(port: int, origin: int, folder: Path) -> None:
    """Our side, until terminated."""
    import uvloop

    from manifest_proxy.server import parts
    from manifest_proxy.settings import Settings

    async def run() -> None:
        settings = Settings.model_validate(
            {
                "port": port,
                "origin_url": f"http://127.0.0.1:{origin}",
                "rules_file": folder / "rules.toml",
            }
        )
        keys = cat.KeySet.from_json(json.loads((folder / "keys.json").read_text()))
        for part in parts(settings, keys, issuers=("headwater",)):
            await part.start()
        await asyncio.Event().wait()

    uvloop.run(run())


def issued(signer: cat.Key) -> list[str]:
    """Tokens of as many sessions, with the claims of a playback session."""
    claims = {
        "iss": "headwater",
        "exp": int(time.time()) + 3600,
        "catm": ["GET", "HEAD"],
        "catu": {"path": {"prefix": "/live/"}},
    }
    return [
        cat.issue(claims | {"cti": b"session-%08d" % number}, signer) for number in range(TOKENS)
    ]


class Site:
    """A folder with what both sides serve, and the scripts that ask for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mine, self.its, self.origin = (harness.free_port() for _ in range(3))
        folder.chmod(0o755)  # nginx's worker is another user
        members = [cat.generate("HS256", "k1")]
        harness.write(folder / "keys.json", json.dumps(members))
        harness.write(folder / "rules.toml", RULES)
        ports = {"folder": folder, "port": self.its, "origin": self.origin}
        harness.write(folder / "nginx.conf", NGINX.format(**ports))
        for target in CHANNELS.values():
            path = folder / f"origin{target}"
            path.parent.mkdir(parents=True)
            path.write_bytes(playlist(SEGMENTS))
        self.tokens = issued(cat.KeySet.from_json(members).signer())
        listed = harness.write(folder / "tokens.txt", "\n".join(self.tokens))
        text = WRK.format(tokens=listed, target=CHANNELS["personal"])
        self.script = harness.write(folder / "personal.lua", text)

    def started(self) -> list[Popen[bytes]]:
        """Ours, then nginx."""
        config = str(self.folder / "nginx.conf")
        nginx = harness.start([harness.tool("nginx"), "-c", config], self.its)
        command = [sys.executable, "-m", "bench.bench_manifest_http", "--serve"]
        ports = [str(self.mine), str(self.origin)]
        return [harness.start([*command, *ports, str(self.folder)], self.mine), nginx]

    def path(self, case: str) -> str:
        """The URL of one viewer, by which nginx finds that viewer's copy too."""
        token, target = self.tokens[0], CHANNELS[case]
        if case == "shared":
            return f"/p/CDN-A{target}?CAT={token}"
        return f"/p/CDN-A/cat:{token}{target}"

    def copy(self, case: str) -> None:
        """Hand nginx the bytes that our side answers with."""
        with urlopen(f"http://127.0.0.1:{self.mine}{self.path(case)}") as answer:
            body = answer.read()
        name = "own" if case == "personal" else case
        out = self.folder / "copies" / f"{name}.m3u8"
        out.parent.mkdir(exist_ok=True)
        out.write_bytes(body)

    def rate(self, case: str, port: int) -> float:
        url = f"http://127.0.0.1:{port}{self.path(case)}"
        script = self.script if case == "personal" else None
        return harness.wrk(url, connections=CONNECTIONS, seconds=SECONDS, script=script).per_s


def measured(rate: Callable[[], float], server: Popen[bytes]) -> tuple[float, float]:
    """Requests per second, and per second of the server's processor time."""
    used_s = harness.cpu_s(server)
    per_s = rate()
    return per_s, per_s * SECONDS / (harness.cpu_s(server) - used_s)


def resident_bytes(process: Popen[bytes]) -> int:
    """Memory that is there and not shared with the file system (proc(5), statm)."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def measure() -> list[str]:
    """Two lines per case, and what sessions weigh."""
    lines = []
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        running = site.started()
        try:
            for case in CHANNELS:
                site.copy(case)
            before_bytes = resident_bytes(running[0])
            for case in CHANNELS:
                rounds = harness.in_turn(
                    lambda case=case: measured(partial(site.rate, case, site.mine), running[0]),
                    lambda case=case: measured(partial(site.rate, case, site.its), running[1]),
                    harness.ROUNDS,
                )
                ours, peer = zip(*rounds, strict=True)
                if case == "personal":
                    answered = min(TOKENS, sum(per_s for per_s, _ in ours) * SECONDS)
                for at, suffix in enumerate(("", "_cpu")):
                    a, b = (statistics.median([one[at] for one in side]) for side in (ours, peer))
                    lines.append(
                        harness.line("manifest", f"http_{case}{suffix}", a, "req/s", "nginx", b)
                    )
            grown = max(0, resident_bytes(running[0]) - before_bytes) / answered
            lines.append(harness.line("manifest", "session_bytes", grown, "B", None, None))
        finally:
            for process in running:
                harness.stop(process)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(int(args.serve[0]), int(args.serve[1]), Path(args.serve[2]))
        return
    lines = measure()
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
