"""Segments made on request from a plain MP4, beside nginx with the same bytes as static files.

    python -m bench.bench_jit --json

A film of 4 s GOPs, 1.5 MB a segment, sound interleaved frame by frame; every request asks for the
next segment in a shuffled order. Nothing is kept of what was made, but in the row `audio_kept`:
there the library is as it is by default. TS and protected pictures are beside our own clear CMAF;
rows with `_cpu` are microseconds of the servers' processor time per answer, lower is better, for a
busy box tells little by rates. nginx-vod-module, which gave 0.25 to 0.32 of nginx's own files on
one core when it was measured, is not run here. `cold_first` is the first
answer of a title that is not open, its index on disk; `titles` walks over many at random and tells
how memory grew from the first walk to the last.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import harness
from bench.bench_delivery import NGINX
from native.http import Answer
from origin.settings import Protection

CONNECTIONS = 16
SECONDS = 2
FILM_S = 64
TITLES = 10_000
WALK = 3000
OPEN = "vod/film"
PROTECTION = Protection.model_validate({"master_key": "5a" * 32})
SCHEMES = {"cbcs": "vod/sealed", "cenc": "vod/sealed/cenc"}

LUA = """
local paths = {{ {paths} }}
local at = math.random(#paths)
math.randomseed(os.time())
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
"""


def film(path: Path) -> None:
    """Noise, so that segments have the wanted size; ffmpeg interleaves sound by frame."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi"]
    command += ["-i", f"nullsrc=s=640x360:r=24:d={FILM_S},geq=random(1)*255:128:128"]
    command += ["-f", "lavfi", "-i", f"sine=440:r=48000:d={FILM_S}", "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-g", "96", "-keyint_min", "96", "-sc_threshold", "0"]
    command += ["-b:v", "3M", "-maxrate", "3M", "-bufsize", "3M", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-b:a", "128k", str(path)]
    subprocess.run(command, check=True, timeout=120)


def serve(port: int, folder: Path, kept_bytes: int) -> None:
    """Our side, until terminated."""
    import uvloop

    from native.http import Limits, Request
    from native.http import serve as serve_http
    from origin.protection.titles import Guards
    from origin.vod import Library

    async def run() -> None:
        library = Library(folder, kept_bytes=kept_bytes, guards=Guards(folder, PROTECTION))

        def handle(request: Request) -> Answer | Awaitable[Answer]:
            _, _, title, leaf = request.path.split("/", 3)
            return library.answer(title, leaf, request.query, request)

        await serve_http(
            handle, host="127.0.0.1", port=port, limits=Limits(per_address=0), desk=library.counter
        )
        await asyncio.Event().wait()

    uvloop.run(run())


class Round(NamedTuple):
    """Answers per second, and microseconds of the server's processor for each."""

    per_s: float
    cpu_us: float


def load(server: tuple[int, subprocess.Popen[bytes]], script: Path, seconds: int) -> Round:
    """One round over the paths of a script."""
    port, process = server
    before = harness.cpu_s(process)
    command = [*harness.PINNED_LOAD, harness.tool("wrk"), "-t1", f"-c{CONNECTIONS}"]
    command += [f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done:
        raise SystemExit(done)
    count = int(done.split(" requests in")[0].split()[-1])
    cpu_us = (harness.cpu_s(process) - before) * 1e6 / count
    return Round(float(done.split("Requests/sec:")[1].split()[0]), cpu_us)


def compare(
    case: str, ours: Callable[[], Round], peer: str, theirs: Callable[[], Round]
) -> list[str]:
    """By rate, and by processor time."""
    a, b = zip(*harness.in_turn(ours, theirs, harness.ROUNDS), strict=True)
    median = statistics.median
    rate = median(r.per_s for r in a), median(r.per_s for r in b)
    cost = median(r.cpu_us for r in a), median(r.cpu_us for r in b)
    return [
        harness.line("jit", case, rate[0], "req/s", peer, rate[1]),
        harness.line("jit", f"{case}_cpu", cost[0], "us", peer, cost[1]),
    ]


def prepare(folder: Path) -> dict[str, list[str]]:
    """Register the film and write every object for nginx; the paths by case."""
    from origin.protection.titles import protect
    from origin.vod import Library, register

    source = folder / "film.mp4"
    film(source)
    report = register(folder, [source], "film")
    library = Library(folder)
    video, audio = (r.name for r in report.renditions)
    register(folder, [source], "sealed")
    protect(folder, "sealed", ["cbcs", "cenc"], PROTECTION)
    paths: dict[str, list[str]] = {"video": [], "audio": [], "ts": [], "cbcs": [], "cenc": []}
    for number in range(1, report.segments):
        for case, leaf in (
            ("video", f"{video}/{number}.m4s"),
            ("audio", f"{audio}/{number}.m4s"),
            ("ts", f"{video}/{number}.ts"),
        ):
            body = library.answer("film", leaf).body  # type: ignore[union-attr]
            out = folder / "objects" / OPEN / leaf
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(body)
            paths[case].append(f"/{OPEN}/{leaf}")
        for case, home in SCHEMES.items():
            paths[case].append(f"/{home}/{video}/{number}.m4s")
    library.close()
    return paths


def scripts(folder: Path, paths: dict[str, list[str]]) -> dict[str, Path]:
    shuffled = random.Random(7)
    out = {}
    for case, each in paths.items():
        shuffled.shuffle(each)
        text = LUA.format(paths=", ".join(f'"{path}"' for path in each))
        out[case] = harness.write(folder / f"{case}.lua", text)
    return out


def cold(folder: Path) -> str:
    """Open, map and answer: the time of a first segment."""
    from origin.vod import Library

    times = []
    for _ in range(20):
        library = Library(folder)
        began = time.perf_counter()
        library.answer("film", "v360/3.m4s")
        times.append((time.perf_counter() - began) * 1000)
        library.close()
    return harness.line("jit", "cold_first", sorted(times)[10], "ms", None, None)


def titles(folder: Path, count: int) -> list[str]:
    """Many titles, each with an index of its own, asked at random."""
    from origin.vod import Library

    home = folder / "origin" / "vod"
    record = json.loads((home / "film" / "title.json").read_text())
    for number in range(count):
        other = home / f"t{number}"
        other.mkdir()
        (other / "title.json").write_text(json.dumps({**record, "title": other.name}))
        for name in record["indexes"]:
            (other / name).symlink_to(home / "film" / name)
    library = Library(folder)
    chance = random.Random(3)
    times: list[float] = []
    sizes = []
    for _ in range(3):
        for _ in range(WALK):
            name = f"t{chance.randrange(count)}"
            began = time.perf_counter()
            answer = library.answer(name, f"v360/{chance.randrange(1, FILM_S // 4)}.m4s")
            if not isinstance(answer, Answer):
                asyncio.run(_waited(answer))
            times.append((time.perf_counter() - began) * 1000)
        sizes.append(_rss_kib())
    library.close()
    times.sort()
    p99 = times[len(times) * 99 // 100]
    return [
        harness.line("jit", f"{count}_titles_p99", p99, "ms", None, None),
        harness.line("jit", f"{count}_titles_growth", sizes[-1] - sizes[0], "KiB", None, None),
    ]


async def _waited(answer: Awaitable[Answer]) -> None:
    await answer


def _rss_kib() -> int:
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith("VmRSS"):
            return int(row.split()[1])
    return 0


def measure(seconds: int, count: int) -> list[str]:
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user
        paths = prepare(folder)
        lua = scripts(folder, paths)
        mine, its = harness.free_port(), harness.free_port()
        config = harness.write(folder / "nginx.conf", NGINX.format(folder=folder, port=its))
        command = [sys.executable, "-m", "bench.bench_jit", "--serve"]
        keeping = harness.free_port()
        servers = [
            harness.start([*command, str(mine), str(folder), "0"], mine),
            harness.start([*command, str(keeping), str(folder), str(64 << 20)], keeping),
            harness.start([harness.tool("nginx"), "-c", str(config)], its),
        ]
        ours, kept, nginx = zip((mine, keeping, its), servers, strict=True)
        try:
            for row, case, served, peer, beside in (
                ("video", "video", ours, "nginx", (nginx, "video")),
                ("audio", "audio", ours, "nginx", (nginx, "audio")),
                ("audio_kept", "audio", kept, "nginx", (nginx, "audio")),
                ("ts", "ts", ours, "clear CMAF", (ours, "video")),
                ("cbcs", "cbcs", ours, "clear CMAF", (ours, "video")),
                ("cenc", "cenc", ours, "clear CMAF", (ours, "video")),
            ):
                lines += compare(
                    row,
                    partial(load, served, lua[case], seconds),
                    peer,
                    partial(load, beside[0], lua[beside[1]], seconds),
                )
        finally:
            for server in servers:
                harness.stop(server)
        lines.append(cold(folder))
        lines += titles(folder, count)
        shutil.rmtree(folder / "objects")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="length of one round")
    parser.add_argument("--titles", type=int, default=TITLES, help="registered titles")
    parser.add_argument("--serve", nargs=3, help="PORT FOLDER KEPT_BYTES: be the server")
    args = parser.parse_args(arguments)
    if args.serve:
        os.chdir("/")
        serve(int(args.serve[0]), Path(args.serve[1]), int(args.serve[2]))
        return
    lines = measure(args.seconds, args.titles)
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
