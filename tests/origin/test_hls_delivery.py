"""Blocking reloads, hints and media of the live edge over real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, A, Rig, V, attributes, read

from native.http import serve
from native.http.limits import Limits
from origin.delivery.handler import Delivery
from origin.live import media
from origin.live.awaited import Awaited
from origin.live.presentation import Presentation
from origin.vod import Library

DEADLINE_S = 60


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def age_s(self) -> int:
        return int(self.headers["cache-control"].split("max-age=")[1].split(",")[0])


class Site:
    """A rig behind a delivery port."""

    def __init__(self, rig: Rig, port: int, delivery: Delivery) -> None:
        self.rig, self.port, self.delivery = rig, port, delivery

    async def get(self, path: str, *fields: str, method: str = "GET") -> Got:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            lines = [f"{method} /live/c/{path} HTTP/1.1", "Host: x", "Connection: close", *fields]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            data = await asyncio.wait_for(reader.read(), DEADLINE_S)
        finally:
            writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        status, *rest = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (x.partition(":") for x in rest)}
        return Got(int(status.split(" ")[1]), headers, body)

    async def parked(self, count: int) -> None:
        """Wait until this many requests are parked."""
        async with asyncio.timeout(DEADLINE_S):
            while self.waiting < count:
                await asyncio.sleep(0.01)

    @property
    def waiting(self) -> int:
        return len(self.delivery._waiting)


@pytest.fixture
async def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Who is held there is held for as long as a slow machine needs, unless `hold_s` is given."""

    @asynccontextmanager
    async def run(played: int = 6, **known: Any) -> AsyncIterator[Site]:
        if "hold_s" not in known:
            monkeypatch.setattr(Presentation, "hold_s", DEADLINE_S)
        rig = Rig(tmp_path / "live", **known)
        rig.begin()
        rig.play(FIRST, played)
        library = Library(tmp_path)
        presentations = rig.channels.presentations
        delivery = Delivery(rig.settings, rig.hot, presentations, library, *[lambda: rig.now_s] * 2)
        rig.channels.on_publish = delivery.wake
        limits = Limits(per_address=0)
        server = await serve(delivery.handle, host="127.0.0.1", port=0, hot=rig.hot, limits=limits)
        try:
            yield Site(rig, server.port, delivery)
        finally:
            await server.close()
            rig.channels.close()
            library.close()

    yield run


EDGE = FIRST + 5


def push(rig: Rig, number: int, first: int, end: int, tracks: str = "va") -> None:
    """Some of the chunks of a segment; a chunk is a part here."""
    for track in tracks:
        for piece in [*rig.synths[track].pieces(number)][first:end]:
            rig.chunk(track, piece)


async def test_a_reload_waits_for_its_part_and_no_longer(site: Any) -> None:
    """HLS-24, HLS-31, HLS-11: the hinted part is there when its playlist is."""
    async with site() as live:
        push(live.rig, EDGE + 1, 0, 1)
        found = read((await live.get("v/media.m3u8")).body.decode())
        (hint,) = found.tagged("PRELOAD-HINT")
        assert hint == {"TYPE": "PART", "URI": f"{EDGE + 1}.1.m4s"}
        query = f"v/media.m3u8?_HLS_msn={EDGE + 1}&_HLS_part=1"
        reload = asyncio.create_task(live.get(query))
        part = asyncio.create_task(live.get(f"v/{hint['URI']}"))
        await live.parked(2)
        push(live.rig, EDGE + 1, 1, 2, "a")
        await asyncio.sleep(0)
        assert live.waiting == 2, "a part of another track is not what they wait for"
        push(live.rig, EDGE + 1, 1, 2, "v")
        got, media = await reload, await part
        listed = read(got.body.decode()).parts(EDGE + 1)
        assert [p["URI"] for p in listed] == [f"{EDGE + 1}.0.m4s", hint["URI"]]
        assert [p.get("INDEPENDENT") for p in listed] == ["YES", None]
        assert media.body == [*V.pieces(EDGE + 1)][1] and media.status == 200
        assert "immutable" in media.headers["cache-control"]
        audio, frames = read(got.body.decode()).tagged("RENDITION-REPORT")
        last = {"LAST-MSN": str(EDGE + 1), "LAST-PART": "1"}
        assert audio == {"URI": "../a/media.m3u8"} | last, "HLS-33"
        assert frames == {"URI": "../v/iframe.m3u8", "LAST-MSN": str(EDGE)}


async def test_a_reload_for_a_segment_waits_for_the_whole(site: Any) -> None:
    async with site() as live:
        reload = asyncio.create_task(live.get(f"a/media.m3u8?_HLS_msn={EDGE + 1}"))
        later = asyncio.create_task(live.get(f"a/media.m3u8?_HLS_msn={EDGE + 2}&_HLS_part=0"))
        await live.parked(2)
        push(live.rig, EDGE + 1, 0, 4)
        got = read((await reload).body.decode())
        assert got.last == EDGE + 1 and not got.parts(EDGE + 2)
        assert live.waiting == 1
        push(live.rig, EDGE + 2, 0, 1)
        assert len(read((await later).body.decode()).parts(EDGE + 2)) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"_HLS_msn={EDGE + 3}", "msn_too_far"),
        ("_HLS_part=0", "part_without_msn"),
        ("_HLS_msn=x", "not_a_number"),
        (f"_HLS_msn={EDGE + 1}&_HLS_part=9", "part_too_far"),
    ],
)
async def test_what_is_refused_at_once(site: Any, query: str, code: str) -> None:
    """HLS-27, HLS-28; 4 x TD of life (HLS-43)."""
    async with site() as live:
        got = await live.get(f"v/media.m3u8?{query}")
        assert (got.status, got.body) == (400, b'{"error":"%s"}' % code.encode())
        assert got.age_s == 4 * 2


async def test_lifetimes_of_playlists(site: Any) -> None:
    """origin-http.md section 3: 6 x TD blocking, TD / 2 otherwise."""
    async with site() as live:
        plain = await live.get("v/media.m3u8")
        blocking = await live.get(f"v/media.m3u8?_HLS_msn={EDGE}")
        delta = await live.get("v/media.m3u8?_HLS_skip=YES")
        assert (plain.age_s, blocking.age_s, delta.age_s) == (1, 12, 1)
        assert plain.body == blocking.body and plain.headers["etag"] == blocking.headers["etag"]
        gone = await live.get(f"v/media.m3u8?_HLS_msn={FIRST - 1000}&_HLS_part=7")
        assert gone.body == plain.body, "HLS-25"
        ignored = await live.get("v/media.m3u8?_HLS_report=x&_HLS_skip=maybe")
        assert ignored.body == plain.body, "HLS-22, HLS-30"


async def test_a_cdn_without_directives_in_its_key(site: Any) -> None:
    """O23"""
    async with site(directives_in_key=False) as live:
        assert (await live.get(f"v/media.m3u8?_HLS_msn={EDGE}")).age_s == 1
        assert (await live.get("v/media.m3u8?_HLS_msn=x")).age_s == 1


async def test_a_hold_that_expires(site: Any) -> None:
    """HLS-29, HLS-43: 503 that no cache keeps; media is 404 (O5)."""
    async with site(hold_s=0.2) as live:
        got = await live.get(f"v/media.m3u8?_HLS_msn={EDGE + 1}")
        assert (got.status, got.age_s, got.headers["retry-after"]) == (503, 1, "1")
        part = await live.get(f"v/{EDGE + 1}.0.m4s")
        assert (part.status, part.age_s) == (404, 1)


async def test_media_that_is_neither_here_nor_hinted(site: Any) -> None:
    """HLS-31"""
    async with site() as live:
        push(live.rig, EDGE + 1, 0, 1)
        for name in (f"{EDGE + 1}.9.m4s", f"{EDGE + 4}.0.m4s", f"{EDGE}.7.m4s", "1.0.m4s"):
            got = await live.get(f"v/{name}")
            assert got.status == (410 if name == "1.0.m4s" else 404), name
        assert (await live.get(f"v/{EDGE + 1}.0.i.m4s")).status == 404


async def test_a_hint_that_is_abandoned(site: Any) -> None:
    """HLS-31: the segment turned out shorter than the hint promised."""
    async with site() as live:
        push(live.rig, EDGE + 1, 0, 3)
        hinted = asyncio.create_task(live.get(f"v/{EDGE + 1}.5.m4s"))
        await live.parked(1)
        push(live.rig, EDGE + 1, 3, 4)
        assert (await hinted).status == 404


async def test_old_parts_are_read_from_the_log(site: Any) -> None:
    """HLS-18: long after they left the playlist, and after they left memory."""
    async with site(played=6) as live:
        first = live.rig.playlist().parts(FIRST + 5)[0]["URI"]
        assert (await live.get(f"v/{first}")).status == 200
        assert live.rig.hot.get(f"/live/c/v/{first}") is not None
        live.rig.play(FIRST + 6, 14)
        assert live.rig.hot.get(f"/live/c/v/{first}") is None
        assert not read(live.rig.text()).parts(FIRST + 10)
        for index, piece in enumerate(V.pieces(FIRST + 10)):
            assert (await live.get(f"v/{FIRST + 10}.{index}.m4s")).body == piece


async def test_5000_parked_requests_share_one_render(site: Any) -> None:
    """O19: one rendered and one coded body for all; HEAD and conditions are each request's own."""
    async with site() as live:
        push(live.rig, EDGE + 1, 0, 1)
        face = live.rig.face
        before = face.renders
        path = f"v/media.m3u8?_HLS_msn={EDGE + 1}&_HLS_part=1"
        wide = [live.get(path, "Accept-Encoding: gzip") for _ in range(2500)]
        waiting = [asyncio.create_task(x) for x in (*wide, *(live.get(path) for _ in range(2500)))]
        head = asyncio.create_task(live.get(path, method="HEAD"))
        await live.parked(5001)
        push(live.rig, EDGE + 1, 1, 2)
        got = await asyncio.gather(*waiting)
        plain = {x.body for x in got[2500:]}
        coded = {x.body for x in got[:2500]}
        assert len(plain) == len(coded) == 1 and {x.status for x in got} == {200}
        assert gzip.decompress(coded.pop()) == plain.pop()
        assert face.renders == before + 1
        bare = await head
        assert not bare.body and bare.headers["content-length"] == got[-1].headers["content-length"]


async def test_a_stream_that_ends(site: Any) -> None:
    """HLS-26, HLS-41, HLS-31: ENDLIST, nothing to wait for, and who waits is answered."""
    async with site() as live:
        push(live.rig, EDGE + 1, 0, 4)
        waiting = asyncio.create_task(live.get(f"v/media.m3u8?_HLS_msn={EDGE + 2}"))
        await live.parked(1)
        live.rig.end()
        got = await waiting
        for text in (got.body.decode(), live.rig.text("a", "_HLS_skip=YES&_HLS_msn=9999999999")):
            assert text.endswith("#EXT-X-ENDLIST\n")
            for tag in ("CAN-BLOCK-RELOAD", "CAN-SKIP", "PRELOAD-HINT", "REPORT", "EXT-X-SKIP"):
                assert tag not in text
            assert "PART-HOLD-BACK" in text and read(text).parts(EDGE + 1)
        assert (await live.get(f"v/{EDGE + 2}.0.m4s")).status == 404
        live.rig.now_s += 60
        live.rig.channels.fill_gaps()
        assert read(live.rig.text()).last == EDGE + 1, "no gap follows an end"
        live.rig.channels.close()
        live.rig.restart()
        assert live.rig.text() == got.body.decode()


def test_server_control_says_what_is_kept(tmp_path: Path) -> None:
    """HLS-13, HLS-20, HLS-37"""
    rig = Rig(tmp_path)
    rig.begin()
    rig.play(FIRST, 6)
    for track in "va":
        found = rig.playlist(track)
        control = attributes(f"x:{found.value('#EXT-X-SERVER-CONTROL')}")
        target_s = found.part_target_s
        assert control["CAN-BLOCK-RELOAD"] == "YES"
        assert Fraction(control["PART-HOLD-BACK"]) >= 3 * target_s
        assert Fraction(control["HOLD-BACK"]) >= 3 * found.target_s
        assert Fraction(control["CAN-SKIP-UNTIL"]) >= 6 * found.target_s
        assert found.number("#EXT-X-VERSION") == 6
        for number in found.blocks:
            for part in found.parts(number):
                assert Fraction(part["DURATION"]) <= target_s
    assert A.kind.handler == "soun"


NUMBERS = st.one_of(st.integers(FIRST - 2, FIRST + 12), st.integers(0, 10**20))


@given(
    st.one_of(
        st.text(max_size=30),
        st.builds("{}.m4s".format, NUMBERS),
        st.builds("{}.{}.m4s".format, NUMBERS, st.integers(0, 10**7)),
    ),
    st.lists(
        st.builds(
            "_HLS_{}={}".format,
            st.sampled_from(["msn", "part", "skip", "x"]),
            st.one_of(NUMBERS, st.integers(0, 9), st.sampled_from(["YES", "v2"]), st.text()),
        ),
        max_size=4,
    ),
)
@settings(deadline=None)
def test_any_name_and_any_query_has_an_answer(
    playing: Rig, leaf: str, directives: list[str]
) -> None:
    """Hostile names and directives: an answer with a lifetime, or a wait that ends."""
    presentation = playing.presentation
    track = playing.channel.tracks["v"]
    for found in (
        media.ask(presentation, track, leaf),
        presentation.directed("v/media.m3u8", "&".join(directives)),
    ):
        if isinstance(found, Awaited):
            assert 0 < found.limit_s <= 6 and found.late.status in (404, 503)
            assert found.answer() is None
        else:
            assert found.status in (200, 400, 404, 410)


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(tmp_path_factory.mktemp("playing"))
    rig.begin()
    rig.play(FIRST, 6)
    push(rig, EDGE + 1, 0, 2)
    yield rig
    rig.channels.close()
