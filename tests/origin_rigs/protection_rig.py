"""Clear tracks of the known answers, in our own CMAF form, and readers that share no code."""

import json
import struct
import subprocess
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from native.bmff import Track, parse_init, walk
from native.bmff.fragment import segment
from native.bmff.tables import read_samples
from native.bmff.write import header
from origin.protection.keys import ContentKey
from origin.protection.secret import Secret

VECTORS = Path("/work/shared/vectors/protection")
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ALL_CASES = json.loads((VECTORS / "manifest.json").read_text())["cases"]


@dataclass(frozen=True)
class Clear:
    """One track: header and fragments of `per` samples."""

    track: Track
    init: bytes
    fragments: list[bytes]
    samples: list[bytes]


def clear(source: str | Path, per: int = 12, numbers: list[int] | None = None) -> Clear:
    data = (VECTORS / source).read_bytes()
    mdats = [(box.body, box.end) for box in walk(data) if box.kind == "mdat"]
    track = parse_init(data).tracks[0]
    found = read_samples(data, track, mdats, len(data))
    media = [data[at : at + size] for at, size in zip(found.offset, found.size, strict=True)]
    fragments = []
    counts = numbers or [per] * -(-len(media) // per)
    first = 0
    for count in counts:
        part = slice(first, first + count)
        body, at = segment(
            len(fragments) + 1, found.dts[first], array("q", map(len, media[part])),
            array("q", found.duration[part]), array("q", found.cto[part]),
            array("q", found.sync[part]), track.handler == "vide",
        )  # fmt: skip
        fragments.append(body[:at] + b"".join(media[part]))
        first += count
    return Clear(track, header(track), fragments, media)


def key_of(case: dict[str, Any], **changed: Any) -> ContentKey:
    fields: dict[str, Any] = {
        "kid": bytes.fromhex(case["kid"]),
        "secret": Secret(bytes.fromhex(case["key"])),
        "scheme": case["scheme"],
        "role": "sd",
        "content_id": case["id"],
        "constant_iv": bytes.fromhex(case["iv"]) if case["scheme"] == "cbcs" else b"",
    }
    return ContentKey(**(fields | changed))


def boxes(data: bytes, start: int = 0, end: int | None = None) -> list[tuple[str, bytes]]:
    """(type, body) side by side: a reader of its own."""
    found, end = [], len(data) if end is None else end
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        found.append((kind.decode(), data[start + 8 : start + size]))
        start += size
    return found


def child(data: bytes, *path: str, skip: int = 0) -> bytes:
    """Body of the first box at a path."""
    for kind in path:
        data = dict(reversed(boxes(data, skip)))[kind]
        skip = {"stsd": 8, "encv": 78, "enca": 28}.get(kind, 0)
    return data


def frames(data: bytes, folder: Path, key: str | None = None) -> list[str]:
    """framemd5 of one file, decrypted by ffmpeg when there is a key."""
    path = folder / "in.mp4"
    path.write_bytes(data)
    command = [FFMPEG, "-v", "error", *(["-decryption_key", key] if key else []), "-i", str(path)]
    done = subprocess.run([*command, "-f", "framemd5", "-"], capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    return [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
