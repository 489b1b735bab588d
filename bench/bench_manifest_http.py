"""Personal playlists over HTTP beside nginx serving the same bytes as a file, one core each.

    python -m bench.bench_manifest_http --json

`personal`: a live playlist of 60 segments with the viewer's token at every URI; each request brings
an HS256 token that the proxy does not remember, and all of its claims are judged. `coded`: the same
for those who accept gzip, as players do; nginx has the file compressed. `shared`: the same playlist
without holes, one token, one body for all. nginx finds the viewer's copy by the same URLs. 64
keep-alive connections on loopback.

`_cpu`: processor time of an answer, which tells the same whoever else had the cores. `_busy` and
`_load`: how much of their cores server and load generator had; who was far from 100 % while the
other was not waited for it, and where both were, other work had the cores.
`two_cores`: two processes of each side, and the load generator beside them on the same two cores.
`session_bytes`: what the process grew by, per session that it answered.
Source: manifest-proxy MP-40..MP-45, MP-52, CAT-90..CAT-92.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple
from urllib.request import Request, urlopen

import cat
from bench import harness
from bench.bench_manifest import playlist

CONNECTIONS, SECONDS, TOKENS = 64, 3, 100_000
SEGMENTS = 60
CHANNELS = {"own": "/live/own/v720/media.m3u8", "shared": "/live/shared/v720/media.m3u8"}
CASES = {"personal": "own", "coded": "own", "shared": "shared"}
BOTH_CORES = f"{harness.SERVER_CORE},{harness.LOAD_CORE}"
RULES = """
[[rules]]
name = "shared"
paths = ["/live/shared/*"]
carrier = "define"
"""
NGINX = """
worker_processes {workers};
daemon off;
pid {folder}/{port}.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    open_file_cache max=1000;
    gzip_static on;
    default_type application/vnd.apple.mpegurl;
    {origin}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/copies;
        add_header Cache-Control "private, no-store";
        location ~ /(own|shared)/ {{ try_files /$1.m3u8 =404; }}
    }}
}}
"""
ORIGIN = """server {{
        listen 127.0.0.1:{port};
        root {folder}/origin;
        add_header Cache-Control "max-age=3600";
    }}
"""
WRK = """
local tokens, at = {{}}, 0
for token in io.lines("{tokens}") do tokens[#tokens + 1] = token end
wrk.headers["Accept-Encoding"] = "{coding}"
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
        for part in parts(settings, keys, issuers=("headwater",), reuse_port=True):
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
        for target in CHANNELS.values():
            path = folder / f"origin{target}"
            path.parent.mkdir(parents=True)
            path.write_bytes(playlist(SEGMENTS))
        self.tokens = issued(cat.KeySet.from_json(members).signer())
        listed = harness.write(folder / "tokens.txt", "\n".join(self.tokens))
        for case, coding in {"personal": "identity", "coded": "gzip"}.items():
            text = WRK.format(tokens=listed, target=CHANNELS["own"], coding=coding)
            harness.write(folder / f"{case}.lua", text)

    def started(self) -> list[Popen[bytes]]:
        """Ours, then nginx, which is the origin too."""
        origin = ORIGIN.format(folder=self.folder, port=self.origin)
        nginx = self.nginx(self.its, harness.SERVER_CORE, 1, origin)
        return [self.ours(self.mine, harness.SERVER_CORE), nginx]

    def ours(self, port: int, core: int) -> Popen[bytes]:
        command = [sys.executable, "-m", "bench.bench_manifest_http", "--serve"]
        return harness.start([*command, str(port), str(self.origin), str(self.folder)], port, core)

    def nginx(self, port: int, core: int | str, workers: int, origin: str = "") -> Popen[bytes]:
        told = {"folder": self.folder, "port": port, "workers": workers, "origin": origin}
        config = harness.write(self.folder / f"{port}.conf", NGINX.format(**told))
        return harness.start([harness.tool("nginx"), "-c", str(config)], port, core)

    def path(self, channel: str) -> str:
        """The URL of one viewer, by which nginx finds that viewer's copy too."""
        token, target = self.tokens[0], CHANNELS[channel]
        if channel == "shared":
            return f"/p/CDN-A{target}?CAT={token}"
        return f"/p/CDN-A/cat:{token}{target}"

    def copy(self, channel: str) -> None:
        """Hand nginx the bytes that our side answers with, as they are and coded."""
        out = self.folder / "copies" / f"{channel}.m3u8"
        out.parent.mkdir(exist_ok=True)
        for path, coding in {out: "identity", out.with_suffix(".m3u8.gz"): "gzip"}.items():
            url = f"http://127.0.0.1:{self.mine}{self.path(channel)}"
            with urlopen(Request(url, headers={"Accept-Encoding": coding})) as answer:
                path.write_bytes(answer.read())

    def rate(self, case: str, port: int, cores: str = str(harness.LOAD_CORE)) -> float:
        """Answers per second."""
        url = f"http://127.0.0.1:{port}{self.path(CASES[case])}"
        script = self.folder / f"{case}.lua"
        return harness.wrk(
            url,
            connections=CONNECTIONS,
            seconds=SECONDS,
            script=script if script.exists() else None,
            cores=cores,
        ).per_s


class Measured(NamedTuple):
    """A round: answers per second, processor time of one, and percent of a core that the server and
    the load generator had.
    """

    per_s: float
    cpu_us: float
    busy: float
    load: float


UNITS = {"": "req/s", "_cpu": "us", "_busy": "%", "_load": "%"}


def measured(rate: Callable[[], float], server: Popen[bytes]) -> Measured:
    used_s, load_s = harness.cpu_s(server), load_cpu_s()
    per_s = rate()
    used_s, load_s = harness.cpu_s(server) - used_s, load_cpu_s() - load_s
    share = 100 / SECONDS
    return Measured(per_s, 1e6 * used_s / (per_s * SECONDS), share * used_s, share * load_s)


def load_cpu_s() -> float:
    """Processor time of load generators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_bytes(process: Popen[bytes]) -> int:
    """Memory that is there and not shared with the file system (proc(5), statm)."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def measure() -> list[str]:
    """Four lines per case, then two cores, and what sessions weigh."""
    lines, answered = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        running = site.started()
        try:
            for channel in CHANNELS:
                site.copy(channel)
            before_bytes = resident_bytes(running[0])
            for case in CASES:
                rounds = harness.in_turn(
                    lambda case=case: measured(partial(site.rate, case, site.mine), running[0]),
                    lambda case=case: measured(partial(site.rate, case, site.its), running[1]),
                    harness.ROUNDS,
                )
                ours, peer = zip(*rounds, strict=True)
                answered += sum(one.per_s for one in ours) * SECONDS if case == "personal" else 0
                for at, (suffix, unit) in enumerate(UNITS.items()):
                    a, b = (statistics.median([one[at] for one in side]) for side in (ours, peer))
                    lines.append(
                        harness.line("manifest", f"http_{case}{suffix}", a, unit, "nginx", b)
                    )
            grown = max(0, resident_bytes(running[0]) - before_bytes) / min(TOKENS, answered)
            lines.append(harness.line("manifest", "session_bytes", grown, "B", None, None))
            lines.append(two_cores(site, running))
        finally:
            for process in running:
                harness.stop(process)
    return lines


def two_cores(site: Site, running: list[Popen[bytes]]) -> str:
    """Two processes of each side; what they leave of the two cores is the load generator's."""
    ours, theirs = harness.free_port(), harness.free_port()
    running += [site.ours(ours, core) for core in (harness.SERVER_CORE, harness.LOAD_CORE)]
    running.append(site.nginx(theirs, BOTH_CORES, 2))
    a, b = harness.alternate(
        lambda: site.rate("personal", ours, BOTH_CORES),
        lambda: site.rate("personal", theirs, BOTH_CORES),
    )
    return harness.line("manifest", "http_two_cores", a, "req/s", "nginx", b)


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
