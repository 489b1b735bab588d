"""A protected channel in memory, fed with real media, and keys that come when a test says so."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from origin_rigs.hls_rig import NOW_S, Rig
from origin_rigs.protection_rig import FFMPEG, boxes

from native.bmff import parse_chunk, parse_init
from native.bmff.rebase import rebase
from native.http import Entity, Hot
from origin.live import media
from origin.live.channels import Channels
from origin.protection.errors import ProtectionError
from origin.protection.file_source import FileSource
from origin.protection.keyfile import KeyFile
from origin.protection.keys import Scheme
from origin.protection.ring import Ring
from origin.protection.source import Grant
from origin.settings import Protection

GRID_S = Fraction(48, 25)
FIRST = ceil(NOW_S / GRID_S)
SEGMENTS = 8
MASTER = "ab" * 32
URLS = {"clearkey": "https://keys.test/clearkey", "identity": "https://keys.test/key"}


class Film:
    """A track of SEGMENTS segments of chunks by ffmpeg, at FIRST on the grid."""

    def __init__(self, data: bytes) -> None:
        self.header = b"".join(
            (len(body) + 8).to_bytes(4, "big") + kind.encode() + body
            for kind, body in boxes(data)
            if kind in ("ftyp", "moov")
        )
        self.track = parse_init(self.header).tracks[0]
        self.timescale = self.track.timescale
        self.chunks: dict[int, list[bytes]] = {}
        ticks = int(FIRST * GRID_S * self.timescale)
        pending = b""
        for kind, body in boxes(data):
            if kind in ("ftyp", "moov", "mfra", "sidx"):
                continue
            pending += (len(body) + 8).to_bytes(4, "big") + kind.encode() + body
            if kind == "mdat":
                chunk = rebase(pending, ticks, self.timescale)
                time = parse_chunk(chunk, self.track).decode_time
                number = int((Fraction(time, self.timescale) + Fraction(1, 20)) / GRID_S)
                self.chunks.setdefault(number, []).append(chunk)
                pending = b""

    def pieces(self, number: int) -> list[bytes]:
        return self.chunks[number]


@cache
def films(codec: str = "libx264") -> Mapping[str, Film]:
    """A video and an audio track, encoded once for all tests."""
    out = {}
    length = str(float(SEGMENTS * GRID_S))
    moving = "+empty_moov+default_base_moof+skip_trailer+frag_keyframe"  # no negative offsets
    for name, options in (
        ("v", ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-c:v", codec, "-preset",
               "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2", "-g", "48", "-keyint_min", "48",
               "-sc_threshold", "0", "-b:v", "400k"]),
        ("a", ["-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:a", "aac", "-b:a", "64k"]),
    ):  # fmt: skip
        command = [FFMPEG, "-v", "error", *options, "-t", length, "-f", "mp4", "-movflags", moving]
        command += ["-frag_duration", "320000", "-use_editlist", "0", "-threads", "1", "-"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        out[name] = Film(done.stdout)
    return out


class Source:
    """The key file's keys, but for the periods that a test keeps back."""

    def __init__(self, folder: Path) -> None:
        settings = Protection.model_validate({"master_key": MASTER})
        self.file = KeyFile.open(settings, folder)
        self.away: set[int | tuple[Scheme, int]] = set()
        self.down = False

    async def keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        if self.down or period in self.away or (scheme, period) in self.away:
            raise ProtectionError("unreachable", "the key server is away")
        return await FileSource(self.file).keys(content_id, scheme, period, roles)


class SealedRig(Rig):
    """Channel `c`, protected as `terms` say."""

    def __init__(
        self, folder: Path, *, low_latency: bool = True, speke: Any = None, **terms: Any
    ) -> None:
        self.source = Source(folder)
        protection = {"short_periods": True} | terms
        super().__init__(
            folder / "live",
            dict(films()),
            channel={"segment_s": str(GRID_S), "protection": protection},
            protection={"urls": URLS, "master_key": MASTER, "speke": speke or {}},
            low_latency=low_latency,
        )

    def restart(self) -> None:
        self.hot = Hot()
        self.ring = Ring({"file": self.source, "speke": self.source}, lambda: self.now_s)
        clock = lambda: self.now_s  # noqa: E731
        self.channels = Channels(self.folder, self.settings, self.hot, clock, self.ring)
        self.channels.open()
        self.bodies = {}

    @property
    def sealing(self) -> Any:
        return self.presentation.sealing

    def fetch(self) -> None:
        """Ask for the keys that are wanted now, and take in what comes."""

        async def until_quiet() -> None:
            while True:  # a task that outlived this loop would fail in the next one
                shown = self.presentation.siblings
                wanted = [q for each in shown for q in each.sealing.wanted(each.first_listed)]
                if await self.ring.fetch(wanted):
                    self.presentation.keyed()
                elif not self.ring.busy:
                    break

        asyncio.run(until_quiet())

    def play(self, first: int, count: int) -> None:
        """Whole segments of all tracks, in step; keys are fetched as time goes on."""
        for number in range(first, first + count):
            rows = [s.pieces(number) for s in self.synths.values()]
            for at in range(max(map(len, rows))):
                self.now_s += float(GRID_S) / 6
                for track, pieces in zip(self.synths, rows, strict=True):
                    if at < len(pieces):
                        self.chunk(track, pieces[at])
                self.fetch()

    def begin(self) -> None:
        super().begin()
        self.now_s = float(FIRST * GRID_S)

    def ask(self, track: str, leaf: str) -> Any:
        """What media of this name gets."""
        found = self.presentation.header(self.channel.tracks[track], leaf)
        return found or media.ask(self.presentation, self.channel.tracks[track], leaf)

    def body(self, track: str, leaf: str) -> bytes:
        answer = self.hot.get(f"{self.presentation.base}/{track}/{leaf}") or self.ask(track, leaf)
        assert isinstance(answer, Entity), answer
        return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)

    def manifest(self, leaf: str) -> str:
        answer = self.presentation.render(leaf)
        assert isinstance(answer, Entity), answer
        body = answer.body
        return (body if isinstance(body, bytes) else b"".join(body)).decode()
