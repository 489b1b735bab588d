"""Steering clients over real HTTP while a CDN dies: how long until 90 % are told another (RM-5).

    python -m bench.steered_crowd --clients 100000 --ttl 20

Each client polls when its TTL ends, carries the state it was given and never fails over by itself.
The router probes two CDNs; the first stops answering once every client has polled. One process for
the router, one for the clients; clients share some connections, as behind a few proxies.
"""

import argparse
import asyncio
import heapq
import json
import re
import sys
import time
from random import Random

from aiohttp import web

from bench import harness
from cdn_router import server
from cdn_router.settings import PathwaySettings, Settings
from runtime import service

CONNECTIONS = 64
GIVE_UP_S = 120.0
BODY = re.compile(
    rb'"TTL":(\d+),"RELOAD-URI":"http://[^/]*(/[^"]*)","PATHWAY-PRIORITY":\["([^"]+)"'
)


def serve(port: int, ttl_s: int, *edges: int) -> None:
    """The router, until terminated."""
    pathways = [
        PathwaySettings(
            id=f"CDN-{at}",
            base_url=f"http://127.0.0.1:{edge}",
            probe_url=f"http://127.0.0.1:{edge}/",
            priority=at,
        )
        for at, edge in enumerate(edges)
    ]
    settings = Settings(
        port=port, host="127.0.0.1", ttl_s=ttl_s, risk_ttl_s=ttl_s, pathways=pathways
    )
    service.run("router", server.parts(settings))


class Crowd:
    """Clients by number; `leads` is what each was told last."""

    def __init__(self, clients: int, ttl_s: int) -> None:
        random = Random(1)
        now_s = time.monotonic()
        self.leads = [""] * clients
        self.paths = [f"/steer/hls?sid=c{number}" for number in range(clients)]
        self.due = [(now_s + random.random() * ttl_s, number) for number in range(clients)]
        heapq.heapify(self.due)
        self.polls = self.faults = 0
        self.slowest_s = 0.0

    async def connection(self, port: int) -> None:
        """Polls of whoever is due, one at a time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            wait_s = self.due[0][0] - time.monotonic() if self.due else 0.05
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, 0.05))
                continue
            due_s, number = heapq.heappop(self.due)
            lead = self.leads[number]
            told = f"&_HLS_pathway={lead}&_HLS_throughput=5000000" if lead else ""
            writer.write(f"GET {self.paths[number]}{told} HTTP/1.1\r\nHost: r\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
            found = BODY.search(await reader.readexactly(size))
            self.polls += 1
            if found is None or not head.startswith(b"HTTP/1.1 200"):
                self.faults += 1
                continue
            now_s = time.monotonic()
            self.slowest_s = max(self.slowest_s, now_s - due_s)
            self.paths[number], self.leads[number] = found[2].decode(), found[3].decode()
            heapq.heappush(self.due, (now_s + int(found[1]), number))

    async def until(self, lead: str, share: float) -> float:
        """Seconds until that share of the clients is told this CDN first."""
        begun_s = time.monotonic()
        while self.leads.count(lead) < share * len(self.leads):
            if time.monotonic() - begun_s > GIVE_UP_S:
                raise SystemExit(f"{self.leads.count(lead)} of {len(self.leads)} told {lead}")
            await asyncio.sleep(0.2)
        return time.monotonic() - begun_s


async def edge(port: int) -> web.AppRunner:
    """A CDN that answers probes."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def run(clients: int, ttl_s: int) -> dict[str, float]:
    ports = [harness.free_port() for _ in range(3)]
    edges = [await edge(port) for port in ports[1:]]
    command = [sys.executable, "-m", "bench.steered_crowd", "--serve"]
    router = await asyncio.to_thread(
        harness.start, [*command, str(ports[0]), str(ttl_s), *map(str, ports[1:])], ports[0]
    )
    crowd = Crowd(clients, ttl_s)
    lines = [asyncio.create_task(crowd.connection(ports[0])) for _ in range(CONNECTIONS)]
    try:
        await crowd.until("CDN-0", 1.0)
        await edges[0].cleanup()
        before = crowd.polls
        moved_s = await crowd.until("CDN-1", 0.9)
        rate = (crowd.polls - before) / moved_s
    finally:
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        for each in edges:
            await each.cleanup()
        await asyncio.to_thread(harness.stop, router)
    return {
        "clients": clients,
        "ttl_s": ttl_s,
        "moved_90_s": round(moved_s, 1),
        "polls_per_s": round(rate),
        "latest_poll_s": round(crowd.slowest_s, 2),
        "faults": crowd.faults,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--ttl", type=int, default=20)
    parser.add_argument("--serve", nargs="+", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(*args.serve)
        return
    print(json.dumps(asyncio.run(run(args.clients, args.ttl))))


if __name__ == "__main__":
    main()
