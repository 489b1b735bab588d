"""Questions that any cache or player may put to any URL, and the answers to compare them with."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin, urlsplit

from headwater.probe.client import Client
from headwater.probe.model import Evidence, Exchange, Role, Trial

TRIES = 3
COMPARED = ("manifest", "init", "segment", "part")
MOST_COMPARED = 24
LAST_BYTE = (1 << 53) - 1  # RFC 8673
NUMBERED = re.compile(r"(.*?)(\d+)(\.[A-Za-z0-9]+)((?:\?.*)?)")


async def question(client: Client, seen: Evidence, url: str, role: Role) -> None:
    """Conditions, HEAD and CMCD on one URL; ranges too when it is media.

    A live manifest may change between two requests: a trial counts when the plain answers before
    and after it are the same version.
    """
    for _ in range(TRIES):
        base = await client.get(url, role)
        if base.status != 200:
            return
        trials = [t async for t in _ask(client, base, role)]
        after = await client.get(url, role)
        if after.headers.get("etag") == base.headers.get("etag"):
            seen.trials += trials
            break
    if role == "segment":
        await _ranges(client, seen, base)
    if (path := base.headers.get("cdn-origin-assist-prefetch-path")) is not None:
        answer = await client.get(urljoin(base.url, path), "trial")
        seen.trials.append(Trial("prefetch", answer, base))


async def _ask(client: Client, base: Exchange, role: Role) -> AsyncIterator[Trial]:
    tag, date = base.headers.get("etag"), base.headers.get("last-modified")
    coding = {"Accept-Encoding": "gzip" if role == "manifest" else "identity"}
    if tag is not None:
        answer = await client.get(base.url, "trial", coding | {"If-None-Match": tag})
        yield Trial("again", answer, base)
    if date is not None:
        answer = await client.get(base.url, "trial", coding | {"If-Modified-Since": date})
        yield Trial("since", answer, base)
    yield Trial("head", await client.get(base.url, "trial", coding, method="HEAD"), base)
    cmcd = base.url + ("&" if "?" in base.url else "?") + "CMCD=br%3D3200%2Cbs"
    answer = await client.get(cmcd, "trial", coding | {"CMCD-Session": 'sid="probe"'})
    yield Trial("cmcd", answer, base)


async def _ranges(client: Client, seen: Evidence, base: Exchange) -> None:
    size = len(base.body)
    if size < 300:
        return
    for kind, sent, first, last in (
        ("range", "bytes=100-199", 100, 199),
        ("range_suffix", "bytes=-100", size - 100, size - 1),
        ("range_open", f"bytes=100-{LAST_BYTE}", 100, size - 1),
        ("range_past", f"bytes={size}-", 0, 0),
    ):
        answer = await client.get(base.url, "trial", {"Range": sent})
        seen.trials.append(Trial(kind, answer, base, asked={"first": first, "last": last}))


async def compare(client: Client, seen: Evidence, twin: str) -> None:
    """Ask another origin, fed alike, for what was fetched here (O17).

    A manifest counts when it is the same before and after the twin was asked.
    """
    asked = {
        e.url: e
        for e in seen.exchanges
        if e.method == "GET" and e.status == 200 and e.role in COMPARED and "_HLS_" not in e.url
    }
    for url, first in list(asked.items())[:MOST_COMPARED]:
        there = urljoin(twin, urlsplit(url)._replace(scheme="", netloc="").geturl())
        for _ in range(TRIES):
            base = await client.get(url, first.role)
            coding = "gzip" if first.role == "manifest" else "identity"
            other = await client.get(there, "trial", {"Accept-Encoding": coding})
            after = await client.get(url, first.role)
            if base.headers.get("etag") == after.headers.get("etag"):
                seen.trials.append(Trial("twin", other, base))
                break


def renumbered(url: str, number: int, other: int) -> str | None:
    """The URL of another segment number, when the file's name is the number; None else."""
    head, slash, leaf = url.rpartition("/")
    found = NUMBERED.fullmatch(leaf)
    if found is None or int(found[2][:18]) != number or other < 0:
        return None
    return f"{head}{slash}{found[1]}{other:0{len(found[2])}d}{found[3]}{found[4]}"
