"""One publish to many: requests parked at one gate, and open answers of one growing object.

    python -m bench.bench_live_fanout --json

Server on core 0, one epoll loop as all clients on core 1, both on CLOCK_MONOTONIC. `first` is from
just before the publish to the first octet at any client, `p99` to the last octet of 99 % of the
clients, both medians over rounds; `ll_dash_chunk` is from an append to its last octet at the last
of 500 clients, p99 and median over all appends. The peer is what one writes first: a coroutine per
connection on uvloop, an Event, and a write of a ready answer. Lower is better.
"""

import argparse
import asyncio
import gc
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import harness

CROWDS = (1000, 5000)
READERS = 500
ROUNDS = 5
APPENDS = 100
PERIOD_S = 0.02  # between appends
BODY_BYTES = 3072  # a playlist of a low-latency channel
CHUNK_BYTES = 10240  # one frame in forty milliseconds at 2 Mbit/s
DEADLINE_S = 20.0
ASK = b"GET /%s HTTP/1.1\r\nHost: bench\r\n\r\n"
FRAME = b"%x\r\n" % CHUNK_BYTES + bytes(CHUNK_BYTES) + b"\r\n"
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n"
    b"Cache-Control: max-age=6\r\n"
)


def told(publish: Callable[[], None], parked: Callable[[], int]) -> None:
    """Obey lines on stdin: what is published when, and how many wait for it."""
    loop = asyncio.get_running_loop()

    def obey() -> None:
        for order in os.read(0, 4096).split():
            if order == b"publish":
                begun = time.monotonic()
                publish()
                print(begun, flush=True)
            else:
                print(parked(), flush=True)

    loop.add_reader(0, obey)


async def ours(port: int) -> None:
    """native.http: a gate under /park, a growing object under /grow."""
    from native.http import Answer, Entity, Gate, Growing, Limits, Refusal, Request, serve

    gate = Gate(DEADLINE_S, Refusal(503, "late"))
    growing = Growing("video/mp4", cache_control="max-age=6")
    playlist = Entity(
        bytes(BODY_BYTES), content_type="application/vnd.apple.mpegurl", cache_control="max-age=6"
    )

    def handler(request: Request) -> Answer:
        return gate.park() if request.path == "/park" else growing

    def publish() -> None:
        if growing.readers:
            growing.append(bytes(CHUNK_BYTES))
        else:
            gate.release(playlist)

    limits = Limits(per_address=0, connections=20_000)
    await serve(handler, host="127.0.0.1", port=port, limits=limits)
    told(publish, lambda: growing.readers or len(gate))


async def plain(port: int) -> None:
    """The peer: streams, a coroutine per connection, one Event for all."""
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % BODY_BYTES + bytes(BODY_BYTES)
    published = asyncio.Event()
    waiting = 0
    streams: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                if request.startswith(b"GET /grow"):
                    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
                    streams.append(writer)
                    continue
                waiting += 1
                await published.wait()
                waiting -= 1
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            writer.close()

    def publish() -> None:
        nonlocal published
        for writer in streams:
            writer.write(FRAME)
        published.set()
        published = asyncio.Event()

    await asyncio.start_server(connected, "127.0.0.1", port, backlog=4096)
    told(publish, lambda: len(streams) or waiting)


class Stage:
    """One server and its clients, all with the same request."""

    def __init__(self, side: str, path: bytes, clients: int) -> None:
        self.port = harness.free_port()
        self.server = subprocess.Popen(
            [
                *("taskset", "-c", str(harness.SERVER_CORE), sys.executable, "-m"),
                *("bench.bench_live_fanout", "--serve", side, str(self.port)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        harness.await_port(self.server, self.port)
        self.request = ASK % path
        self.epoll = select.epoll()
        self.sockets = {}
        for _ in range(clients):
            client = socket.create_connection(("127.0.0.1", self.port))
            client.setblocking(False)
            self.sockets[client.fileno()] = client
            self.epoll.register(client, select.EPOLLIN)

    def order(self, text: bytes) -> float:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(text + b"\n")
        self.server.stdin.flush()
        return float(self.server.stdout.readline())

    def ask(self) -> None:
        """Every client asks; returns when the server says that all of them wait."""
        for client in self.sockets.values():
            client.send(self.request)
        deadline = time.monotonic() + DEADLINE_S
        while self.order(b"parked") != len(self.sockets):
            if time.monotonic() > deadline:
                raise SystemExit("the server did not park every request")
            time.sleep(0.01)

    def publish(self, octets: int) -> list[float]:
        """Seconds from a publish to its last octet at each client, in order; [0] is the first."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        left = dict.fromkeys(self.sockets, octets)
        first, ends, buffer = 0.0, [], bytearray(1 << 18)
        sockets, now = self.sockets, time.monotonic
        deadline = now() + DEADLINE_S
        gc.disable()
        self.server.stdin.write(b"publish\n")
        self.server.stdin.flush()
        while len(ends) < len(sockets):
            for fd, _ in self.epoll.poll(DEADLINE_S, 512):
                left[fd] -= sockets[fd].recv_into(buffer)
                first = first or now()
                if left[fd] <= 0:
                    ends.append(now())
            if now() > deadline:
                raise SystemExit(f"{len(sockets) - len(ends)} clients did not get it all")
        gc.enable()
        begun = float(self.server.stdout.readline())
        return [first - begun, *(end - begun for end in ends)]

    def read_heads(self) -> int:
        """Take what is there now at every client: octets of the largest."""
        most = 0
        for client in self.sockets.values():
            client.settimeout(DEADLINE_S)
            most = max(most, len(client.recv(1 << 16)))
            client.setblocking(False)
        return most

    def close(self) -> None:
        for client in self.sockets.values():
            client.close()
        self.epoll.close()
        harness.stop(self.server)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def parked(clients: int) -> list[str]:
    """Lines of one crowd at one gate."""
    stages = [Stage(side, b"park", clients) for side in ("ours", "plain")]
    firsts: list[list[float]] = [[], []]
    ends: list[list[float]] = [[], []]
    try:
        sizes = []
        for stage in stages:
            stage.ask()
            stage.order(b"publish")
            sizes.append(stage.read_heads())
        for _ in range(ROUNDS):
            for number, stage in enumerate(stages):
                stage.ask()
                first, *rest = stage.publish(sizes[number])
                firsts[number].append(first * 1000)
                ends[number].append(percentile(rest, 0.99) * 1000)
    finally:
        for stage in stages:
            stage.close()
    return [
        result(f"first_{clients}", [statistics.median(values) for values in firsts]),
        result(f"p99_{clients}", [statistics.median(values) for values in ends]),
    ]


def streamed() -> list[str]:
    """Lines of appends to open answers, both servers in turn."""
    stages = [Stage(side, b"grow", READERS) for side in ("ours", "plain")]
    lasts: list[list[float]] = [[], []]
    try:
        for stage in stages:
            stage.ask()
            stage.read_heads()
        for _ in range(APPENDS):
            for number, stage in enumerate(stages):
                lasts[number].append(stage.publish(len(FRAME))[-1] * 1000)
                time.sleep(PERIOD_S)
    finally:
        for stage in stages:
            stage.close()
    return [
        result(f"ll_dash_chunk_{READERS}", [percentile(values, 0.99) for values in lasts]),
        result(f"ll_dash_chunk_{READERS}_p50", [statistics.median(values) for values in lasts]),
    ]


def result(case: str, values: list[float]) -> str:
    return harness.line("live_fanout", case, values[0], "ms", "uvloop", values[1])


def serve(side: str, port: int) -> None:
    import uvloop

    async def run() -> None:
        start: dict[str, Any] = {"ours": ours, "plain": plain}
        await start[side](port)
        await asyncio.Event().wait()

    uvloop.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--serve", nargs=2, metavar=("SIDE", "PORT"), help="be a server")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if args.serve:
        serve(args.serve[0], int(args.serve[1]))
        return
    os.sched_setaffinity(0, {harness.LOAD_CORE})
    lines = [row for crowd in CROWDS for row in parked(crowd)] + streamed()
    print("\n".join(lines) if args.json else harness.table(lines))


if __name__ == "__main__":
    main()
