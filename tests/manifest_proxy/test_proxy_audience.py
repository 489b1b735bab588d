"""Sessions with a bumper, a slate or a mark, answered before a request is cut (MP-38, MP-41)."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cat
from manifest_proxy.outages import Channel, Outage, Told
from manifest_proxy.server import Listener, parts
from manifest_proxy.session import Chosen, Sessions
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve
from runtime.clock import SystemClock

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
SESSIONS = Sessions(b"s3cret")
ZERO_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
RULES = """[[rules]]
name = "joined"
paths = ["/live/c/*"]
bumper = { folder = "/vod/b", reference = "v1/media.m3u8" }
slate = { folder = "/vod/b", reference = "v1/media.m3u8", after_targets = 100 }

[[rules]]
name = "marked"
paths = ["/live/m/*"]
watermark = {}
"""


def media(count: int) -> bytes:
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:100\n" + b"".join(
        b"#EXT-X-PROGRAM-DATE-TIME:%b\n#EXTINF:2,\n%d.m4s\n"
        % (datetime.fromtimestamp(ZERO_S + 2 * n, UTC).isoformat().encode(), n)
        for n in range(100, 100 + count)
    )


PAGES = {
    "/live/c/v1/media.m3u8": media(40),
    "/live/m/v1/media.m3u8": media(40),
    "/vod/b/v1/media.m3u8": media(2) + b"#EXT-X-ENDLIST\n",
}


def origin(request: Request) -> Answer:
    body = PAGES.get(request.path)
    if body is None:
        return Refusal(404, "not_found")
    return Entity(body, content_type="text/plain", cache_control="max-age=60")


class Nodes:
    """One proxy with the short way, one without, before one origin."""

    def __init__(self, short: Listener, long: Listener, http: aiohttp.ClientSession) -> None:
        self.short, self.long, self.http = short, long, http
        claims: dict[str | int, object] = {"iss": "h", "exp": int(time.time()) + 900, "cti": b"i"}
        self.token = cat.issue(claims, KEYS.signer())

    async def ask(self, node: Listener, session: str, channel: str) -> tuple[int, str, bytes]:
        path = f"/p/CDN-A/{session}/cat:{self.token}/live/{channel}/v1/media.m3u8"
        async with self.http.get(f"http://127.0.0.1:{node.port}{path}") as answer:
            return answer.status, answer.headers.get("ETag", ""), await answer.read()

    async def both(self, session: str, channel: str) -> tuple[int, str, bytes]:
        short, long = [await self.ask(one, session, channel) for one in (self.short, self.long)]
        assert short == long
        return short

    @property
    def quick(self) -> int:
        """How many answers came the short way."""
        desk: Any = self.short._desk
        return sum(desk.counts().values())


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    (tmp_path / "r.toml").write_text(RULES)
    async with AsyncExitStack() as stack:
        server = await serve(origin, host="127.0.0.1", port=0)
        stack.push_async_callback(server.close)
        settings = Settings(
            port=0,
            origin_url=f"http://127.0.0.1:{server.port}",
            rules_file=tmp_path / "r.toml",
            session_secret="s3cret",  # type: ignore[arg-type]
        )
        listeners: list[Listener] = []
        for options in ({}, {"clock": SystemClock()}):
            for part in parts(settings, KEYS, issuers=("h",), **options):  # type: ignore[arg-type]
                await part.start()
                stack.push_async_callback(part.stop)
                listeners += [part] if isinstance(part, Listener) else []
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Nodes(*listeners, http)


def joined(number: int) -> str:
    return SESSIONS.sign(Chosen(joined_ms=1000 * (ZERO_S + 2 * number)))


async def test_who_joined_elsewhere_needs_no_long_way(nodes: Nodes) -> None:
    """One answer of the handler is enough for all sessions under its rules."""
    first = await nodes.both(joined(120), "c")
    assert first[0] == 200 and first[2].count(b"/vod/b/v1/") == 2 and nodes.quick == 0
    places = [await nodes.both(joined(number), "c") for number in (121, 139, 120)]
    assert nodes.quick == 3
    assert len({tag for _, tag, _ in (first, *places)}) == 3
    gone = [await nodes.both(joined(number), "c") for number in (0, 7)]
    assert nodes.quick == 5 and gone[0] == gone[1] and b"/vod/b/" not in gone[0][2]


async def test_each_mark_has_its_copy(nodes: Nodes) -> None:
    marks = [SESSIONS.sign(Chosen(mark=SESSIONS.mark(name))) for name in ("one", "two", "one")]
    bodies = [(await nodes.both(mark, "m"))[2].decode() for mark in marks]
    assert nodes.quick == 2
    assert bodies[0] == bodies[2] != bodies[1] and "headwater-mark" not in bodies[0]
    bits = "".join(f"{octet:08b}" for octet in SESSIONS.pattern(SESSIONS.mark("two")))
    assert all(f"/{'ab'[int(bits[n])]}/{n}.m4s" in bodies[1] for n in range(100, 140))


@pytest.mark.parametrize("channel", ["c", "m"])
async def test_a_session_that_was_not_signed_here_gets_no_seat(nodes: Nodes, channel: str) -> None:
    good = SESSIONS.sign(Chosen(joined_ms=1, mark="m"))
    await nodes.both(good, channel)
    forged = Sessions(b"other").sign(Chosen(joined_ms=1, mark="m"))
    for session in (forged, good[:-1], "s:", "s:a.b"):
        assert (await nodes.both(session, channel))[0] == 403
    assert nodes.quick == 0
    assert (await nodes.both(good, channel))[0] == 200 and nodes.quick == 1


async def test_other_rules_and_sessions_without_a_mark_are_the_handlers(nodes: Nodes) -> None:
    await nodes.both(SESSIONS.sign(Chosen(mark="m")), "m")
    await nodes.both(SESSIONS.sign(Chosen("", "video.height=..720", 0, "m")), "m")
    await nodes.both(SESSIONS.sign(Chosen("x")), "m")
    assert nodes.quick == 0
    await nodes.both(SESSIONS.sign(Chosen("", "video.height=..720", 0, "n")), "m")
    assert nodes.quick == 1


@given(
    first=st.integers(5, 50),
    period_ms=st.integers(1, 5000),
    since_ms=st.integers(0, 1 << 41),
    late_ms=st.integers(0, 1 << 20),
    listed=st.integers(0, 12),
)
def test_a_silence_says_when_it_shows_more(
    first: int, period_ms: int, since_ms: int, late_ms: int, listed: int
) -> None:
    """What is held while a source is silent ends when the slate gets another number."""
    outage = Outage(first, since_ms, period_ms, 0, 3)
    channel = Channel(newest=first - 1, outages=(outage,))
    told = Told(first, (False,) * listed, (0,) * listed, 2.0, period_ms)

    def end(now_ms: int) -> int | None:
        return channel.look(told, now_ms, 1.0, 3).end

    shown = channel.look(told, since_ms + late_ms, 1.0, 3)
    assert shown.end is not None and shown.next_ms is not None
    assert since_ms + late_ms < shown.next_ms
    assert end(shown.next_ms - 1) == shown.end and end(shown.next_ms) == shown.end + 1
