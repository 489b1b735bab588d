"""Damaged films by the thousand, in a process that the kernel holds to its limits (TR-28, PR-152).

usage: python -m origin_rigs.damage_rig COUNT SEED FILM...
Prints one line of JSON: how many were refused with which code, how many served, the slowest one.
Ends with 1 and the number of the case when one crashes, hangs or asks for too much memory; the same
seed makes it again, alone with COUNT 1 and SEED:NUMBER.
"""

import asyncio
import json
import random
import resource
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from fractions import Fraction
from pathlib import Path

from native.http import Answer, Entity, Refusal
from origin.errors import OriginError
from origin.protection.keys import ContentKey
from origin.protection.sealer import Sealer
from origin.protection.secret import Secret
from origin.vod import Library, register

CASE_S = 1.0  # of processor time; the slowest honest case takes a fiftieth
ROOM_BYTES = 64 << 20  # of memory beyond what the first good film needs
ODD = (0, 1, 2, 3, 7, 0x7F, 0xFF, 0xFFFF, 1 << 20, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
KEYS = [
    ContentKey(bytes(range(16)), Secret(bytes(16)), "cbcs", "sd", "film", bytes(range(1, 17))),
    ContentKey(bytes(range(16)), Secret(bytes(16)), "cenc", "sd", "film", b""),
]


def described(data: bytes) -> list[tuple[int, int]]:
    """Top-level boxes without media."""
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"mdat":
            found.append((at, at + 16))
        else:
            found.append((at, at + size))
        at += max(size, 8)
    return found


def damaged(data: bytes, spans: list[tuple[int, int]], dice: random.Random) -> bytes:
    """One to four faults: bits, bytes, fields, cuts, and pieces that are moved or doubled."""
    out = bytearray(data)
    weights = [high - low for low, high in spans]
    for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
        low, high = dice.choices(spans, weights)[0] if dice.random() < 0.95 else (0, len(out))
        at = min(dice.randrange(low, max(low + 1, high)), len(out) - 8)
        kind = dice.random()
        if kind < 0.3:
            out[at] ^= 1 << dice.randrange(8)
        elif kind < 0.4:
            out[at] = dice.randrange(256)
        elif kind < 0.8:
            struct.pack_into(">I", out, at, dice.choice(ODD))
        elif kind < 0.85:
            struct.pack_into(">Q", out, at, dice.choice((1 << 63, (1 << 64) - 1, 1 << 32, 0)))
        elif kind < 0.9:
            del out[dice.randrange(max(1, len(out) - 4096), len(out)) :]
        else:
            size = dice.choice((1, 4, 8, 12, 64))
            piece = out[at : at + size]
            there = dice.randrange(low, max(low + 1, min(high, len(out))))
            if kind < 0.95:
                out[there:there] = piece
            else:
                out[there : there + size] = piece
    return bytes(out)


async def _awaited(answer: Awaitable[Answer]) -> Answer:
    return await answer


def serve(library: Library, names: list[str]) -> None:
    """Ask for what a player would; every answer is an object or a refusal."""
    leaves = ["master.m3u8", "manifest.mpd", "ondemand.mpd", "bytes.m3u8", "ts.m3u8"]
    for name in names[:3]:
        leaves += [f"{name}/{leaf}" for leaf in ("init.mp4", "1.m4s", "2.m4s", "1.i.m4s", "1.ts")]
    objects = {}
    for leaf in leaves:
        answer = library.answer("film", leaf)
        if isinstance(answer, Awaitable):
            answer = asyncio.run(_awaited(answer))
        assert isinstance(answer, Entity | Refusal), leaf
        if isinstance(answer, Entity):
            objects[leaf] = b"".join(
                [answer.body] if isinstance(answer.body, bytes) else answer.body
            )
    for name in names[:3]:
        init, media = objects.get(f"{name}/init.mp4"), objects.get(f"{name}/1.m4s")
        for key in KEYS:
            if init and media:
                try:
                    Sealer(init, key).seal(media, 0)
                except OriginError:
                    continue


def one(folder: Path, data: bytes) -> str:
    """The code of a refusal; nothing when the film was taken."""
    path = folder / "film.mp4"
    path.write_bytes(data)
    try:
        report = register(folder, [path], "film", segment_s=Fraction(2))
    except OriginError as error:
        assert error.code and 400 <= error.status < 600 and str(error)
        return error.code
    library = Library(folder)
    try:
        serve(library, [each.name for each in report.renditions])
    finally:
        library.close()
    return ""


def limit() -> None:
    """RLIMIT_AS a little above what is mapped now; the timer interrupts a case that runs on."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM_BYTES, mapped + ROOM_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {CASE_S} s of processor time")

    signal.signal(signal.SIGPROF, stop)


def main(count: int, seed: str, films: list[Path]) -> int:
    goods = [path.read_bytes() for path in films]
    spans = [described(good) for good in goods]
    codes: Counter[str] = Counter()
    slowest_s, slowest, first = 0.0, 0, 0
    if ":" in seed:
        seed, _, text = seed.partition(":")
        first = int(text)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
        folder = Path(home)
        for good in goods:
            assert one(folder, good) == ""
        limit()
        for number in range(first, first + count):
            dice = random.Random(f"{seed}:{number}")
            chosen = dice.randrange(len(goods))
            data = damaged(goods[chosen], spans[chosen], dice)
            started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, CASE_S)
            try:
                codes[one(folder, data)] += 1
            except BaseException as error:
                signal.setitimer(signal.ITIMER_PROF, 0)
                print(f"{seed}:{number} of {films[chosen].name}: {error!r}", file=sys.stderr)
                raise
            signal.setitimer(signal.ITIMER_PROF, 0)
            slowest_s, slowest = max((slowest_s, slowest), (time.process_time() - started, number))
    taken = codes.pop("", 0)
    told = {"cases": count, "seed": seed, "taken": taken, "refused": dict(codes.most_common())}
    print(json.dumps({**told, "slowest": slowest, "slowest_ms": round(1000 * slowest_s, 1)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2], [Path(each) for each in sys.argv[3:]]))
