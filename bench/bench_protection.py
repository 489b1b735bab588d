"""Protected segments beside clear ones, in processor time of one core.

    python -m bench.bench_protection --json

`video` and `audio` are segments of 4 s made from a film on request; the peer is the same segment in
the clear, without a socket for either. Higher is better.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg

from bench import harness
from native.http import Entity
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, register

ROUND_S = 0.7
PICTURE = "testsrc2=s=1280x720:r=24:d=4,noise=alls=20:allf=t"
LEAVES = {"video": "v720/1.m4s", "audio": "a-und/1.m4s"}


def film(folder: Path) -> Path:
    """4 s of 3 Mbit/s and 128 kbit/s."""
    path = folder / "film.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", PICTURE]
    command += ["-f", "lavfi", "-i", "sine=440:r=48000:d=4", "-c:v", "libx264", "-b:v", "3000k"]
    command += ["-preset", "ultrafast", "-g", "96", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-c:a", "aac", "-b:a", "128k", str(path)], check=True)
    return path


def size_bytes(entity: Entity) -> int:
    body = entity.body
    return len(body) if isinstance(body, bytes) else sum(map(len, body))


def rate(library: Library, leaf: str) -> Callable[[], float]:
    """Megabytes of answers per second of processor time."""

    def measured() -> float:
        done = 0
        began = time.process_time()
        while (spent := time.process_time() - began) < ROUND_S:
            answer = library.answer("film", leaf)
            assert isinstance(answer, Entity), leaf
            done += size_bytes(answer)
        return done / spent / 1e6

    return measured


def rows() -> list[str]:
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        register(folder, [film(folder)], "film", segment_s=Fraction(4))
        clear = Library(folder)
        for leaf in LEAVES.values():
            clear.answer("film", leaf)
        rates = {kind: rate(clear, leaf) for kind, leaf in LEAVES.items()}
        settings = Protection.model_validate({"master_key": os.urandom(32).hex()})
        for scheme in ("cbcs", "cenc"):
            copy = folder / scheme
            register(copy, [folder / "film.mp4"], "film", segment_s=Fraction(4))
            protect(copy, "film", [scheme], settings)
            library = Library(copy, guards=Guards(copy, settings))
            for kind, leaf in LEAVES.items():
                ours, peer = harness.alternate(rate(library, leaf), rates[kind])
                case = f"{scheme}_{kind}"
                lines.append(harness.line("protection", case, ours, "MB/s", "clear", peer))
            library.close()
        clear.close()
    return lines


if __name__ == "__main__":
    harness.main(__doc__, rows)
