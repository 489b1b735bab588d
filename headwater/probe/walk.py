"""Look at a presentation as a player would: find out what it is, and walk it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from headwater.probe.client import BudgetSpent, Client, Limits, ProbeError
from headwater.probe.model import Evidence, Exchange
from headwater.probe.trials import compare
from headwater.probe.walk_dash import DashWalk
from headwater.probe.walk_hls import HlsWalk


async def look(
    url: str,
    *,
    limits: Limits | None = None,
    watch_s: float | None = None,
    token: str | None = None,
    twin: str | None = None,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    tell: Callable[[str], None] = lambda url: None,
) -> Evidence:
    """Walk the tree below `url`; a live one is watched for `watch_s` (default: a few updates).

    `twin` is the address of another origin that must answer alike (O17).
    Raises ProbeError when there is no manifest to judge. A limit reached ends the walk early, and
    `cut_short` of the evidence says so.
    """
    seen = Evidence()
    client = Client(
        seen,
        url,
        limits=limits or Limits(),
        watch_s=watch_s or 0.0,
        token=token,
        now=now,
        sleep=sleep,
        tell=tell,
    )
    async with client:
        try:
            first = await client.get(url, "manifest")
            if first.status == 0:
                raise ProbeError("unreachable", "nobody answers there")
            if first.status != 200:
                raise ProbeError("status", f"the manifest answers {first.status}")
            walk = DashWalk if _is_dash(first) else HlsWalk
            await walk(client, seen, watch_s).run(first)
            if twin is not None:
                await compare(client, seen, twin)
        except BudgetSpent as spent:
            seen.cut_short = str(spent)
    return seen


def _is_dash(first: Exchange) -> bool:
    """By the first octets, else by the type or the name."""
    head = first.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"#EXT"):
        return False
    kind, path = first.headers.get("content-type", ""), urlsplit(first.url).path
    if head.startswith(b"<") or "dash" in kind or path.endswith(".mpd"):
        return True
    if "mpegurl" in kind.lower() or path.endswith((".m3u8", ".m3u")):
        return False
    raise ProbeError("not_a_manifest", "neither an HLS playlist nor an MPD")
