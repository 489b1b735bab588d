"""Readers of films that share no code with ours: ffprobe and ffmpeg, and a few lines of Python for
fragments (ISO/IEC 14496-12, 8.8) and transport packets (ISO/IEC 13818-1, 2.4.3).
"""

import hashlib
import struct
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
from twins.process import needs

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


class Sample(NamedTuple):
    """Presentation time in seconds, and the first half of the SHA-256 of the bytes."""

    pts_s: Fraction
    digest: str


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def packets(path: Path) -> dict[int, list[Sample]]:
    """Samples of each video and audio stream in decode order, after edit lists, by ffprobe."""
    command = [
        needs("ffprobe"), "-v", "error", "-show_streams", "-show_packets", "-show_entries",
        "packet=stream_index,pts,data_hash:stream=index,codec_type,time_base",
        "-show_data_hash", "sha256", "-of", "default=nk=0", str(path),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows: list[dict[str, str]] = []
    for line in done.stdout.splitlines():
        if line in ("[PACKET]", "[STREAM]"):
            rows.append({"": line})
        elif "=" in line:
            key, _, value = line.partition("=")
            rows[-1][key] = value
    base = {
        row["index"]: Fraction(row["time_base"])
        for row in rows
        if row[""] == "[STREAM]" and row["codec_type"] in ("video", "audio")
    }
    found: dict[int, list[Sample]] = {int(index): [] for index in base}
    for row in rows:
        if row[""] == "[PACKET]" and row["stream_index"] in base:
            pts_s = int(row["pts"]) * base[row["stream_index"]]
            sample = Sample(pts_s, row["data_hash"].removeprefix("SHA256:")[:32])
            found[int(row["stream_index"])].append(sample)
    return found


def frames(source: Path | str, *options: str) -> dict[int, list[str]]:
    """Hashes of the decoded frames of each video and audio stream."""
    command = [
        FFMPEG, "-v", "error", "-nostdin", *options, "-i", str(source), "-map", "0:v?", "-map",
        "0:a?", "-c:v", "rawvideo", "-fps_mode", "passthrough", "-f", "framemd5", "-",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    found: dict[int, list[str]] = {}
    for line in done.stdout.splitlines():
        if line[0] != "#":
            index, *_, md5 = line.split(",")
            found.setdefault(int(index), []).append(md5.strip())
    return found


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """(type, first byte of the body, byte after) of boxes side by side."""
    end = len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        assert 8 <= size <= end - start, (kind, size)
        yield kind.decode("latin-1"), start + 8, start + size
        start += size


def find(data: bytes, kind: str, start: int = 0, end: int | None = None) -> tuple[int, int]:
    """Body of the first box of a kind, or of the first at a path of kinds."""
    for step in kind.split("/"):
        start, end = next((a, b) for k, a, b in boxes(data, start, end) if k == step)
    return start, end or len(data)


class Piece(NamedTuple):
    """One fragment."""

    tfdt: int
    samples: list[tuple[int, int, bytes]]  # decode time, presentation time, bytes; in ticks
    syncs: list[bool]


def pieces(init: bytes, data: bytes) -> Iterator[Piece]:
    """Fragments of one track as we write them: every field in trun, tfhd or trex."""
    at, _ = find(init, "moov/mvex/trex")
    defaults = struct.unpack_from(">3I", init, at + 12)
    for kind, body, end in boxes(data):
        if kind == "moof":
            yield _piece(data, body, end, defaults)


def _piece(data: bytes, body: int, end: int, defaults: tuple[int, ...]) -> Piece:
    start, stop = find(data, "traf", body, end)
    at, _ = find(data, "tfhd", start, stop)
    (flags,) = struct.unpack_from(">I", data, at)
    assert not flags & 3 and flags & 0x20000, "default-base-is-moof alone (TR-49)"
    at += 8
    known = list(defaults)
    for column, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            (known[column],) = struct.unpack_from(">I", data, at)
            at += 4
    at, _ = find(data, "tfdt", start, stop)
    assert data[at] == 1, "tfdt v1 (TR-49)"
    (tfdt,) = struct.unpack_from(">Q", data, at + 4)
    at, run_end = find(data, "trun", start, stop)
    flags, count, offset = struct.unpack_from(">IIi", data, at)
    assert flags & 1 and flags >> 24 <= 1
    at += 12
    first_flags = known[2]
    if flags & 4:
        (first_flags,) = struct.unpack_from(">I", data, at)
        at += 4
    time, media = tfdt, body - 8 + offset
    samples, syncs = [], []
    for number in range(count):
        duration, size, own, cto = *known, 0
        if not number:
            own = first_flags
        for bit in (0x100, 0x200, 0x400, 0x800):
            if flags & bit:
                (value,) = struct.unpack_from(">i" if bit == 0x800 else ">I", data, at)
                at += 4
                if bit == 0x100:
                    duration = value
                elif bit == 0x200:
                    size = value
                elif bit == 0x400:
                    own = value
                else:
                    cto = value
        samples.append((time, time + cto, data[media : media + size]))
        syncs.append(not own & 0x10000)
        time, media = time + duration, media + size
    assert at == run_end
    return Piece(tfdt, samples, syncs)


class Unit(NamedTuple):
    """One PES packet: PTS in 90 kHz ticks, and its payload."""

    pts: int
    data: bytes


def transport(data: bytes) -> dict[int, list[Unit]]:
    """PES packets of each PID, in order."""
    assert len(data) % 188 == 0
    streams: dict[int, list[tuple[int, bytearray]]] = {}
    for at in range(0, len(data), 188):
        packet = data[at : at + 188]
        pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
        if packet[0] != 0x47 or not packet[3] & 0x10 or pid < 0x100:
            assert packet[0] == 0x47
            continue
        body = packet[5 + packet[4] if packet[3] & 0x20 else 4 :]
        if not packet[1] & 0x40:
            streams[pid][-1][1].extend(body)
        elif body[:3] == b"\0\0\1":
            p = body[9:14]
            pts = (p[0] >> 1 & 7) << 30 | p[1] << 22 | p[2] >> 1 << 15 | p[3] << 7 | p[4] >> 1
            streams.setdefault(pid, []).append((pts, bytearray(body[9 + body[8] :])))
    return {pid: [Unit(p, bytes(b)) for p, b in units] for pid, units in streams.items()}
