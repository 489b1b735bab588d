"""What heartbeats say of quality, handed on to the router as CMCD events (CTL-106, CTL-173).

Rules of the file
1. A heartbeat leaves a note and goes on; the newest of a session waits. Nothing is asked of the
   router in anybody's answer.
2. One batch at a time, at most `BATCH` records each `EVERY_S` (CM-31), none where none waits.
3. What finds no room, or a router that does not take it, is counted and lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from control_api import types
from control_api.loops import beat_s
from control_api.settings import Pathway
from runtime import logs, metrics
from runtime.fetch import Fetcher, FetchError

log = logs.get("control")
LOST = metrics.counter("control_qoe_lost", "notes on quality that did not reach the router")
EVERY_S = 1.0
BATCH = 1_000
MAX_WAITING = 20_000
TIMEOUT_S = 2.0
HEADERS = {"Content-Type": "application/cmcd"}
STATES = {"playing": "p", "paused": "a", "buffering": "r", "ended": "e"}  # CTA-5004-B, `sta`


class Note(NamedTuple):
    """A heartbeat and when it came."""

    told: types.HeartbeatRequest
    now_ms: int


class Quality:
    """One process's notes, by the name under which the router knows a session: its token's id."""

    def __init__(self, pathways: list[Pathway]) -> None:
        self._hosts = {each.id: urlsplit(each.base_url).netloc for each in pathways}
        self._waiting: dict[str, Note] = {}

    def note(self, cti: str, told: types.HeartbeatRequest, now_ms: int) -> None:
        """Keep it for the next batch, in place of an older one."""
        if cti not in self._waiting and len(self._waiting) >= MAX_WAITING:
            LOST.inc()
            return
        self._waiting[cti] = Note(told, now_ms)

    def batch(self) -> list[bytes]:
        """The oldest notes as lines of CMCD v2; they wait no more."""
        names = list(self._waiting)[:BATCH]
        return [line(name, self._waiting.pop(name), self._hosts) for name in names]


def line(cti: str, note: Note, hosts: Mapping[str, str]) -> bytes:
    """An event of CTA-5004-B in time mode, keys in order."""
    told = note.told
    host = hosts.get(told.cdn or "")
    keys = [
        f"bl=({told.buffer_ms})" if told.buffer_ms is not None else "",
        f"br=({told.bitrate_kbps})" if told.bitrate_kbps else "",
        "e=t",
        f'h="{host}"' if host else "",
        f"pt={told.position_ms}",
        f'sid="{cti}"',
        f"sta={STATES[told.state]}",
        f"ts={note.now_ms}",
        "v=2",
    ]
    return ",".join(filter(None, keys)).encode()


async def send(quality: Quality, fetcher: Fetcher, url: str) -> None:
    """One batch, if anything waits."""
    lines = quality.batch()
    if not lines:
        return
    try:
        answer = await fetcher.post(url, b"\n".join(lines), HEADERS, timeout_s=TIMEOUT_S)
    except FetchError as error:
        log.warning("qoe_lost", records=len(lines), code=error.code)
        LOST.inc(len(lines))
        return
    if answer.status >= 300:
        log.warning("qoe_lost", records=len(lines), status=answer.status)
        LOST.inc(len(lines))


async def forward(
    quality: Quality,
    fetcher: Fetcher,
    url: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Batch after batch, for ever."""
    while True:
        await sleep(beat_s(EVERY_S))
        await send(quality, fetcher, url)
