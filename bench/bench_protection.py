"""Protected segments beside clear ones, and beside AES alone, in processor time of one core.

    python -m bench.bench_protection --json

`cbcs_video` and the like are segments of 4 s made from a film on request, nothing kept of what was
made; the peer is the same segment in the clear, without a socket for either: MB/s of answers.
`cbcs_video_aes` is all that protection does to a segment in memory: ranges found, media encrypted,
boxes written; the peer is one call of libcrypto for as many bytes as are protected: MB/s of
protected bytes. Higher is better.
"""

import operator
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import imageio_ffmpeg
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bench import harness
from native.http import Entity
from origin.protection.keys import ContentKey, Scheme
from origin.protection.sealer import Sealer
from origin.protection.secret import Secret
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, register
from origin.vod.catalog import folder, load_record
from origin.vod.index import load
from origin.vod.reading import open_reader
from origin.vod.served import Served

ROUND_S = 0.5
PICTURE = "testsrc2=s=1280x720:r=24:d=8,noise=alls=20:allf=t"
LEAVES = {"video": "v720/{}.m4s", "audio": "a-und/{}.m4s"}
SCHEMES: tuple[Scheme, ...] = ("cbcs", "cenc")


def film(path: Path) -> Path:
    """8 s of 3 Mbit/s and 128 kbit/s."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", PICTURE]
    command += ["-f", "lavfi", "-i", "sine=440:r=48000:d=8", "-c:v", "libx264", "-b:v", "3000k"]
    command += ["-preset", "ultrafast", "-g", "96", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-c:a", "aac", "-b:a", "128k", str(path)], check=True)
    return path


def megabytes_s(once: Callable[[], int]) -> float:
    """What a call answers in bytes, in megabytes per second of processor time."""
    done = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < ROUND_S:
        done += once()
    return done / spent / 1e6


def answered(library: Library, leaf: str) -> int:
    done = 0
    for number in (1, 2):
        answer = library.answer("film", leaf.format(number))
        assert isinstance(answer, Entity), leaf
        done += answer.size_bytes
    return done


def beside_clear(data_dir: Path, clear: Library, scheme: Scheme) -> Iterator[str]:
    settings = Protection.model_validate({"master_key": os.urandom(32).hex()})
    register(data_dir, [data_dir.parent / "film.mp4"], "film", segment_s=Fraction(4))
    protect(data_dir, "film", [scheme], settings)
    library = Library(data_dir, guards=Guards(data_dir, settings), kept_bytes=0)
    for kind, leaf in LEAVES.items():
        ours, peer = harness.alternate(
            partial(megabytes_s, partial(answered, library, leaf)),
            partial(megabytes_s, partial(answered, clear, leaf)),
        )
        case = f"{scheme}_{kind}"
        yield harness.line("protection", case, ours, "MB/s", "clear", peer)
    library.close()


def beside_aes(data_dir: Path, scheme: Scheme) -> str:
    home = folder(data_dir, "film")
    record = load_record(home)
    assert record is not None
    index = load(home / record.indexes[0])
    found = next(track for track in index.tracks if track.rendition.kind == "video")
    track = Served(found, open_reader(index.source), "t", 1)
    head, sizes, media, starts, lengths = track.cutter.parts(1)
    track.reader.runs(media, 0, starts, lengths, True)
    constant = os.urandom(16) if scheme == "cbcs" else b""
    key = ContentKey(os.urandom(16), Secret(os.urandom(16)), scheme, "SD", "film", constant)
    sealer = Sealer(found.init, key)
    clear = bytearray(media)
    sealer.seal_fresh(head, sizes, media, 0)
    changed = sum(map(operator.ne, media, clear))  # one byte in 256 stays by chance
    protected = int(changed) // 16 * 16
    mode = modes.CBC(bytes(16)) if scheme == "cbcs" else modes.CTR(bytes(16))
    cipher = Cipher(algorithms.AES(os.urandom(16)), mode)
    given, into = memoryview(clear)[:protected], bytearray(protected + 16)

    def ours() -> int:
        sealer.seal_fresh(head, sizes, media, 0)
        return protected

    def library() -> int:
        cipher.encryptor().update_into(given, into)
        return protected

    a, b = harness.alternate(partial(megabytes_s, ours), partial(megabytes_s, library))
    return harness.line("protection", f"{scheme}_video_aes", a, "MB/s", "libcrypto", b)


def rows() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        register(root, [film(root / "film.mp4")], "film", segment_s=Fraction(4))
        clear = Library(root, kept_bytes=0)
        for leaf in LEAVES.values():
            answered(clear, leaf)
        for scheme in SCHEMES:
            yield from beside_clear(root / scheme, clear, scheme)
            yield beside_aes(root, scheme)
        clear.close()


if __name__ == "__main__":
    harness.main(__doc__, rows, harness.SERVER_CORE)
