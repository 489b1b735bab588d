"""A CMAF source of our own: both ingest styles, A and B, at any speed, without an encoder.

Media is made up (boxes are true, samples are noise) and depends on nothing but the number, so that
two sources with one seed send equal bytes (AB2). Decode times count from 1970 on a grid of 48/25 s:
48 frames of video, 90 packets of AAC. `--speed 60` sends an hour in a minute; it then begins that
far in the past, because an origin takes no media from the future.

    python -m bench.ingester http://127.0.0.1:8002 demo --video 3 --speed 20 --seconds 600
"""

import argparse
import asyncio
import random
import struct
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from urllib.parse import urlsplit

from native.bmff.model import SampleEntry, Track
from native.bmff.write import box, full, header

GRID_S = Fraction(48, 25)
PIECE_BYTES = 1 << 18
_AVCC = bytes.fromhex("0142c01effe1000a6742c01e8c8d40a02ff9010004 68ce3c80".replace(" ", ""))
_ESDS = bytes.fromhex("0319000000041140150000000000fa000000fa00 0502 1190 060102".replace(" ", ""))
SYNC, DELTA = 0x02000000, 0x01010000  # sample flags, ISO/IEC 14496-12:2022, 8.8.3.1


@dataclass(frozen=True)
class Kind:
    """A kind of track; `samples` in one segment of the grid."""

    handler: str
    timescale: int
    samples: int
    entry: bytes
    suffix: str


def _entry(fourcc: str, *parts: bytes) -> bytes:
    return box(fourcc, bytes(6), struct.pack(">H", 1), *parts)


_PICTURE = bytes(16) + struct.pack(">2H2I", 640, 360, 0x480000, 0x480000) + bytes(4)
KINDS = {
    "video": Kind(
        "vide",
        12800,
        48,
        _entry(
            "avc1",
            _PICTURE,
            struct.pack(">H32sHh", 1, b"", 24, -1),
            box("avcC", _AVCC),
        ),
        "cmfv",
    ),
    "audio": Kind(
        "soun",
        48000,
        90,
        _entry(
            "mp4a",
            bytes(8),
            struct.pack(">2HI", 2, 16, 0),
            struct.pack(">I", 48000 << 16),
            full("esds", 0, 0, _ESDS),
        ),
        "cmfa",
    ),
}


class Synth:
    """One made-up track: its header and the chunks of any segment."""

    def __init__(self, kind: str, bps: int, *, chunks: int = 1, seed: int = 1) -> None:
        shape = KINDS[kind]
        self.kind, self.timescale = shape, shape.timescale
        self.suffix = shape.suffix
        entry = SampleEntry(shape.entry[4:8].decode(), shape.entry)
        width, height = (640, 360) if kind == "video" else (0, 0)
        self.header = header(
            Track(1, shape.handler, shape.timescale, 0, "und", (entry,), width=width, height=height)
        )
        self.sample_ticks = int(GRID_S * shape.timescale) // shape.samples
        bounds = [shape.samples * at // chunks for at in range(chunks + 1)]
        noise = random.Random(seed)
        size = max(int(bps * GRID_S / 8) // shape.samples, 8)
        self.chunks = []
        for first, end in pairwise(bounds):
            head, tfdt = self._head(first, end - first, size, all_sync=kind == "audio")
            media = box("mdat", noise.randbytes(size * (end - first)))
            self.chunks.append((head, tfdt, first * self.sample_ticks, media))

    @property
    def segment_ticks(self) -> int:
        return self.kind.samples * self.sample_ticks

    def pieces(self, number: int) -> Iterator[bytes]:
        """The chunks of this segment, each at its decode time."""
        for at, (head, tfdt, offset, media) in enumerate(self.chunks):
            moof = bytearray(head)
            struct.pack_into(">Q", moof, tfdt, number * self.segment_ticks + offset)
            struct.pack_into(">I", moof, 20, (number * len(self.chunks) + at) & 0xFFFFFFFF)
            yield bytes(moof) + media

    def segment(self, number: int) -> bytes:
        return b"".join(self.pieces(number))

    def _head(self, first: int, count: int, size: int, *, all_sync: bool) -> tuple[bytes, int]:
        """A moof whose tfdt is still to be filled, and where."""
        flags = SYNC if all_sync or not first else DELTA
        rest = SYNC if all_sync else DELTA
        tfhd = full("tfhd", 0, 0x020038, struct.pack(">4I", 1, self.sample_ticks, size, rest))
        tfdt = full("tfdt", 1, 0, bytes(8))
        before = 8 + 16 + 8 + len(tfhd)
        whole = before + len(tfdt) + 24
        trun = full("trun", 1, 0x5, struct.pack(">IiI", count, whole + 8, flags))
        moof = box("moof", full("mfhd", 0, 0, bytes(4)), box("traf", tfhd, tfdt, trun))
        assert len(moof) == whole
        return moof, before + 12


class Pace:
    """When media is due: `speed` seconds of media in a second of `clock`."""

    def __init__(
        self,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._began = clock()

    async def until(self, media_s: float) -> None:
        """Wait until this much media should have been sent; not at all with speed 0."""
        if self._speed:
            await self._sleep(max(0.0, self._began + media_s / self._speed - self._clock()))

    def behind_s(self, media_s: float) -> float:
        """How much later than due it is by now."""
        return self._clock() - self._began - media_s / self._speed if self._speed else 0.0


class Push:
    """One HTTP connection to an ingest port; answers are read one by one."""

    def __init__(self, host: str, port: int, path: str, *, source: str = "") -> None:
        self._host, self._port = host, port
        self._head = f"{path} HTTP/1.1\r\nHost: {host}\r\n"
        if source:
            self._head += f"Headwater-Source: {source}\r\n"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        """Drop the connection, whatever is in flight."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    async def put(self, body: bytes) -> int:
        """One whole body; the status of its answer."""
        await self._send(f"PUT {self._head}Content-Length: {len(body)}\r\n\r\n".encode(), body)
        return await self.answer()

    async def begin(self) -> None:
        """A chunked body begins."""
        await self._send(f"POST {self._head}Transfer-Encoding: chunked\r\n\r\n".encode())

    async def piece(self, data: bytes) -> None:
        await self._send(b"%x\r\n" % len(data), data, b"\r\n")

    async def end(self) -> int:
        await self._send(b"0\r\n\r\n")
        return await self.answer()

    async def answer(self) -> int:
        assert self._reader is not None
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        found = [line for line in head.split("\r\n") if line.startswith("content-length:")]
        await self._reader.readexactly(int(found[0].split(":")[1]) if found else 0)
        return int(head.split(" ")[1])

    async def _send(self, *pieces: bytes) -> None:
        if self._writer is None:
            await self.open()
        assert self._writer is not None
        self._writer.writelines(pieces)
        await self._writer.drain()


async def endless(push: Push, synth: Synth, numbers: Sequence[int], pace: Pace) -> int:
    """One chunked request with the header and every segment, chunk by chunk as they are due."""
    await push.begin()
    await push.piece(synth.header)
    parts = len(synth.chunks)
    for at, number in enumerate(numbers):
        for part, chunk in enumerate(synth.pieces(number)):
            await pace.until(float((at + (part + 1) / parts) * GRID_S))
            await push.piece(chunk)
    return await push.end()


async def segments(push: Push, synth: Synth, numbers: Sequence[int], pace: Pace) -> int:
    """One request for the header and one for each segment, on one connection."""
    status = await push.put(synth.header)
    parts = len(synth.chunks)
    for at, number in enumerate(numbers):
        if parts == 1:
            await pace.until(float((at + 1) * GRID_S))
            status = max(status, await push.put(synth.segment(number)))
            continue
        await push.begin()
        for part, chunk in enumerate(synth.pieces(number)):
            await pace.until(float((at + (part + 1) / parts) * GRID_S))
            await push.piece(chunk)
        status = max(status, await push.end())
    return status


STYLES = {"endless": endless, "segments": segments}


async def _main(options: argparse.Namespace) -> None:
    url = urlsplit(options.origin)
    count = int(options.seconds / float(GRID_S))
    first = int((time.time() - options.seconds * (options.speed > 1)) / float(GRID_S))
    pace = Pace(options.speed)
    work = []
    for index in range(options.video + options.audio):
        kind = "video" if index < options.video else "audio"
        bps = options.bps if kind == "video" else 128_000
        synth = Synth(kind, bps, chunks=options.chunks, seed=index)
        path = f"/ingest/{options.channel}/Streams({kind[0]}{index}.{synth.suffix})"
        push = Push(url.hostname or "127.0.0.1", url.port or 8002, path, source=options.source)
        numbers = range(first, first + count)
        work.append(STYLES[options.style](push, synth, numbers, pace))
    statuses = await asyncio.gather(*work)
    print(f"{len(work)} tracks, {count} segments each, statuses {sorted(set(statuses))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("origin", help="http://host:port of the ingest port")
    parser.add_argument("channel")
    parser.add_argument("--video", type=int, default=1, help="video tracks")
    parser.add_argument("--audio", type=int, default=1, help="audio tracks")
    parser.add_argument("--bps", type=int, default=2_000_000, help="of each video track")
    parser.add_argument("--chunks", type=int, default=4, help="CMAF chunks of a segment")
    parser.add_argument("--style", choices=STYLES, default="endless")
    parser.add_argument("--speed", type=float, default=1.0, help="0: as fast as it goes")
    parser.add_argument("--seconds", type=float, default=60.0, help="of media")
    parser.add_argument("--source", default="", help="name of this source, such as A")
    asyncio.run(_main(parser.parse_args()))
