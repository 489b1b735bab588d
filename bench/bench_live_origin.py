"""One chunk to many through a whole origin: pushed, stored, listed, and told to all who wait.

    python -m bench.bench_live_origin --json

The peer of each row is its target. Origin on core 0, one epoll loop as encoder and players on
core 1. Everything counts from just before the chunk's first octet leaves the encoder, so that
receiving, storing and rendering are in it: `first` to the first octet at any player, `p99` to the
last octet at 99 % of them, medians over rounds; `ll_dash_chunk` to the last octet of the chunk at
99 % of the open responses over all chunks. What the gate alone takes is in bench_live_fanout. Lower
is better.
"""

import argparse
import os
import re
import resource
import select
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from bench import harness
from bench.bench_ingest import framed, get, origin
from bench.ingester import GRID_S, Synth

P99_MS = {1000: 12.0, 5000: 55.0}  # targets by crowd
FIRST_MS, CHUNK_MS = 1.0, 5.0
READERS = 500
ROUNDS = 8
APPENDS = 40
PERIOD_S = 0.02  # between appends
BPS = 2_000_000
WARM = 6  # segments before the first round
EACH = 200  # connections from one address: the origin has a cap (HT-127)
DEADLINE_S = 20.0
HEAD = b"POST /ingest/c/Streams(v.cmfv) HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n"
PARKED = re.compile(r'^headwater_origin_delivery_states{state="parked"} (\S+)$', re.M)
LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


class Encoder:
    """One endless push into a fresh origin."""

    def __init__(self, folder: Path, synth: Synth) -> None:
        self.admin = harness.free_port()
        channels = {"c": {"segment_s": str(GRID_S)}}
        self.server, ingest, self.port = origin(folder, channels=channels, admin_port=self.admin)
        self.number = int(time.time() / float(GRID_S)) - 30
        self.chunks = self._made(synth)
        self.line = socket.create_connection(("127.0.0.1", ingest))
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line.sendall(b"".join([HEAD, *framed(synth.header)]))
        for _ in range(WARM * len(synth.chunks)):
            self.push()
        deadline = time.monotonic() + DEADLINE_S
        while f"\n{self.number}.m4s" not in self._playlist():
            if time.monotonic() > deadline:
                raise SystemExit("the origin did not publish what was sent")
            time.sleep(0.02)

    def push(self) -> float:
        """Send the next chunk; when it began to leave."""
        data = b"".join(framed(next(self.chunks)))
        begun_s = time.monotonic()
        self.line.sendall(data)
        return begun_s

    def parked(self) -> int:
        with urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            found = PARKED.search(answer.read().decode())
        return int(float(found[1])) if found else 0

    def _playlist(self) -> str:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/live/c/v/media.m3u8") as answer:
                return str(answer.read(), "utf-8")
        except HTTPError as refusal:
            refusal.close()
            return ""

    def _made(self, synth: Synth) -> Iterator[bytes]:
        while True:
            yield from synth.pieces(self.number)
            self.number += 1

    def close(self) -> None:
        self.line.close()
        harness.stop(self.server)


class Players:
    """Connections that ask together and are told together."""

    def __init__(self, port: int, count: int) -> None:
        self.epoll, self.sockets = select.epoll(), {}
        for at in range(count):
            address = (f"127.0.1.{1 + at // EACH}", 0)
            player = socket.create_connection(("127.0.0.1", port), source_address=address)
            player.setblocking(False)
            self.sockets[player.fileno()] = player
            self.epoll.register(player, select.EPOLLIN)

    def ask(self, path: str) -> None:
        for player in self.sockets.values():
            player.send(get(path))

    def told(self, begun_s: float, octets: int = 0) -> list[float]:
        """Seconds to the first octet anywhere, then to the last at each; `octets` in each answer,
        or what the first head says.
        """
        room, got = bytearray(1 << 18), dict.fromkeys(self.sockets, 0)
        first_s, ends = 0.0, list[float]()
        while len(ends) < len(got):
            if time.monotonic() > begun_s + DEADLINE_S:
                raise SystemExit(f"{len(got) - len(ends)} players did not get it all")
            for number, _ in self.epoll.poll(DEADLINE_S, 512):
                size = self.sockets[number].recv_into(room)
                got[number] += size
                first_s = first_s or time.monotonic()
                octets = octets or _octets(bytes(room[:size]))
                if got[number] >= octets:
                    ends.append(time.monotonic() - begun_s)
        return [first_s - begun_s, *ends]

    def drain(self) -> None:
        """Take what is there."""
        for player in self.sockets.values():
            player.setblocking(True)
            player.settimeout(DEADLINE_S)
            player.recv(1 << 18)
            player.setblocking(False)

    def close(self) -> None:
        for player in self.sockets.values():
            player.close()
        self.epoll.close()


def _octets(answer: bytes) -> int:
    head, end, _ = answer.partition(b"\r\n\r\n")
    found = LENGTH.search(head)
    if found is None:
        raise SystemExit(f"no playlist: {head!r}")
    return len(head) + len(end) + int(found[1])


def listed(folder: Path, crowd: int) -> list[str]:
    """A crowd parked at the playlist of the next part, part by part."""
    synth = Synth("video", BPS, chunks=4)
    encoder = Encoder(folder, synth)
    players = Players(encoder.port, crowd)
    firsts, lasts = [], []
    try:
        for at in range(ROUNDS):
            number, part = encoder.number + (at % 4 == 0), at % 4
            players.ask(f"/live/c/v/media.m3u8?_HLS_msn={number}&_HLS_part={part}")
            deadline = time.monotonic() + DEADLINE_S
            while encoder.parked() != crowd:
                if time.monotonic() > deadline:
                    raise SystemExit(f"the origin parked {encoder.parked()} of {crowd}")
                time.sleep(0.02)
            first_s, *ends = players.told(encoder.push())
            firsts.append(first_s * 1000)
            lasts.append(sorted(ends)[int(len(ends) * 0.99)] * 1000)
    finally:
        players.close()
        encoder.close()
    return [
        row(f"origin_first_{crowd}", statistics.median(firsts), FIRST_MS),
        row(f"origin_p99_{crowd}", statistics.median(lasts), P99_MS[crowd]),
    ]


def streamed(folder: Path) -> list[str]:
    """Open responses of one segment in the making, frame by frame."""
    synth = Synth("video", BPS, chunks=48)
    encoder = Encoder(folder, synth)
    players = Players(encoder.port, READERS)
    spent = []
    try:
        encoder.push()
        time.sleep(0.2)
        players.ask(f"/live/c/v/{encoder.number}.m4s")
        time.sleep(0.5)
        players.drain()
        for _ in range(APPENDS):
            time.sleep(PERIOD_S)
            size = sum(map(len, framed(synth_chunk(synth, encoder.number))))
            spent += players.told(encoder.push(), size)[1:]
    finally:
        players.close()
        encoder.close()
    spent.sort()
    return [
        row(f"origin_ll_dash_chunk_{READERS}", spent[int(len(spent) * 0.99)] * 1000, CHUNK_MS),
        row(f"origin_ll_dash_chunk_{READERS}_p50", statistics.median(spent) * 1000, CHUNK_MS),
    ]


def synth_chunk(synth: Synth, number: int) -> bytes:
    """Any chunk but the first: all have one size."""
    pieces = synth.pieces(number)
    next(pieces)
    return next(pieces)


def row(case: str, value: float, target: float) -> str:
    return harness.line("live_fanout", case, value, "ms", "target", target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {harness.LOAD_CORE})
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for crowd in P99_MS:
            lines += listed(Path(folder) / str(crowd), crowd)
        lines += streamed(Path(folder) / "dash")
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
