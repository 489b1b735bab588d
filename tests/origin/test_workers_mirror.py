"""Copies of a channel: whatever entries get lost, the copy's files become the writer's; what a peer
should not tell is refused before it touches a file.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, GRID_S, Rig

from native.bmff.model import Emsg
from origin.live.channel import LiveChannel
from origin.live.owner import EDGE, tell_edge
from origin.replica import files, peer
from origin.replica.entry import BadEntry, Entry, Rows, pack, unpack_entry, unpack_listing
from origin.replica.mirror import Mirror
from origin.replica.publisher import Publisher

Play = list[tuple[str, int]]


class Copy:
    """A mirror whose peer is a folder beside it."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.source, self.folder = source, folder
        self.resets = 0
        self.mirror = Mirror(folder, self.fetch, self.reset)

    def reset(self) -> None:
        self.resets += 1

    async def fetch(self, path: str, start: int, end: int) -> bytes:
        track, _, file = path.partition("/")
        return (files.home_of(self.source, track) / file).read_bytes()[start:end]

    def same(self) -> bool:
        return contents(self.folder) == contents(self.source)


def announce(rig: Rig, number: int) -> None:
    """An event that begins two segments later."""
    start_s = (number + 2) * GRID_S
    event = Emsg(1, "urn:x", "", 1000, int(start_s * 1000), 1000, number, b"x")
    channel = rig.channel
    assert channel.events.hear(event, "", channel.edge, (channel.edge + 1) * GRID_S)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and (p.name != EDGE)
    }


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_a_copy_becomes_the_writers_files_whatever_is_lost(
    steps: list[tuple[int, bool, bool]], random: Any
) -> None:
    """(segments played, whether the entry gets lost, whether one is told twice)."""
    with TemporaryDirectory() as name:
        rig = Rig(Path(name) / "live", retention_s=60)
        copy = Copy(rig.folder / "c", Path(name) / "copy")
        rig.begin()
        publisher = Publisher(rig.folder, "http://one")
        number, told = FIRST, []
        for count, lost, twice in steps:
            announce(rig, number)
            rig.play(number, count)
            number += count
            tell_edge(copy.source, rig.channel.edge)
            entry = unpack_entry(pack(publisher.entry("c")))
            told += [] if lost else [entry, entry] if twice else [entry]
        told.append(unpack_entry(pack(publisher.entry("c"))))

        async def take() -> None:
            behind = False
            for entry in told:
                behind = behind or not await copy.mirror.apply(entry)
                if behind and random.random() < 0.5:
                    await copy.mirror.catch_up(listed())
                    behind = False
            await copy.mirror.catch_up(listed())

        def listed() -> Any:
            return unpack_listing(pack(files.listing(copy.source)))

        asyncio.run(take())
        assert copy.same()
        assert copy.resets == 0
        rig.channels.close()


def test_entries_alone_keep_a_copy_equal(tmp_path: Path) -> None:
    """Without a loss nothing is caught up but the beginning."""
    rig = Rig(tmp_path / "live")
    copy = Copy(rig.folder / "c", tmp_path / "copy")
    rig.begin()
    rig.play(FIRST, 2)
    publisher = Publisher(rig.folder, "http://one")

    async def take() -> None:
        assert not await copy.mirror.apply(publisher.entry("c"))
        await copy.mirror.catch_up(files.listing(copy.source))
        for number in range(FIRST + 2, FIRST + 6):
            announce(rig, number)
            rig.play(number, 1)
            tell_edge(copy.source, rig.channel.edge)
            assert await copy.mirror.apply(publisher.entry("c"))
            assert copy.same()

    asyncio.run(take())
    follower = LiveChannel("c", copy.folder, rig.settings, read_only=True)
    follower.events.tail()
    assert list(follower.events) == list(rig.channel.events) != []
    follower.close()
    rig.channels.close()


def test_a_copy_of_another_life_is_dropped(tmp_path: Path) -> None:
    """This machine wrote what nobody copied, died, and another machine went on without it."""
    rigs = [Rig(tmp_path / name) for name in ("mine", "theirs")]
    for rig, count in zip(rigs, (4, 3), strict=True):
        rig.begin()
        rig.play(FIRST, count)
    rigs[1].play(FIRST + 4, 3)
    copy = Copy(rigs[1].folder / "c", rigs[0].folder / "c")
    rigs[0].channels.close()
    asyncio.run(copy.mirror.catch_up(files.listing(copy.source)))
    assert copy.same()
    assert copy.resets > 0
    rigs[1].channels.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e | {"channel": "../x"},
        lambda e: e | {"channel": "a/b"},
        lambda e: e | {"headers": {"..": b""}},
        lambda e: e | {"rows": [{"track": "../v", "volume": 1, "first": 0, "rows": b""}]},
        lambda e: e | {"rows": [{"track": "v", "volume": -1, "first": 0, "rows": b""}]},
        lambda e: e | {"rows": [{"track": "v", "volume": 1, "first": -1, "rows": b""}]},
        lambda e: e | {"rows": [{"track": "v", "volume": 1, "first": 0, "rows": b"cut"}]},
        lambda e: e | {"edge": "far"},
        lambda e: e | {"kept": b"x" * (1 << 20)},
        lambda e: [],
    ],
)
def test_what_is_no_entry_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    good = {"url": "http://one", "channel": "c", "edge": 3, "headers": {}, "rows": []}
    assert unpack_entry(msgspec.msgpack.encode(good)) == Entry("http://one", "c", edge=3)
    with pytest.raises(BadEntry):
        unpack_entry(msgspec.msgpack.encode(change(good)))


@given(st.binary(max_size=200))
@example(b"\x81\xa3url\xa1\xff")  # a text that is no UTF-8
def test_noise_is_refused(data: bytes) -> None:
    for unpack in (unpack_entry, unpack_listing):
        with pytest.raises(BadEntry):
            unpack(data)


def test_media_that_is_not_what_its_records_say_is_never_written(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "live")
    rig.begin()
    rig.play(FIRST, 2)
    source = rig.folder / "c"
    rows = (source / "v" / "00000001.index").read_bytes()
    start, end = files.span(rows)
    media = (source / "v" / "00000001.cmaf").read_bytes()[start:end]
    (tmp_path / "copy" / "v").mkdir(parents=True)
    for wrong_rows, wrong_media in (
        (rows, media[:-1] + b"\xff"),
        (rows, media[:-1]),
        (rows[:-1] + b"\xff", media),
    ):
        with pytest.raises(BadEntry):
            files.put_rows(tmp_path / "copy", Rows("v", 1, 0, wrong_rows), start, wrong_media)
        assert contents(tmp_path / "copy") == {}
    files.put_rows(tmp_path / "copy", Rows("v", 1, 0, rows), start, media)
    assert (tmp_path / "copy" / "v" / "00000001.cmaf").read_bytes() == media
    rig.channels.close()


async def test_a_peer_wants_the_secret_and_gives_nothing_but_channels(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "live")
    rig.begin()
    rig.play(FIRST, 1)
    (tmp_path / "secret").write_text("x")
    app = web.Application()
    peer.mount(app, rig.folder, "a secret of machines")
    said = {"Authorization": "Bearer a secret of machines"}
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/peer/c")).status == 403
        wrong = {"Authorization": "Bearer a secret of machineS"}
        assert (await client.get("/peer/c", headers=wrong)).status == 403
        answer = await client.get("/peer/c", headers=said)
        assert unpack_listing(await answer.read()) == files.listing(rig.folder / "c")
        ranged = {**said, "Range": "bytes=0-47"}
        answer = await client.get("/peer/c/v/00000001.index", headers=ranged)
        assert answer.status == 206
        assert len(await answer.read()) == 48
        for path in ("nothing", "c/v/channel.json", "c/v/%2e%2e", "c/../secret", "%2e%2e/x/1.cmaf"):
            assert (await client.get(f"/peer/{path}", headers=said)).status == 404
    rig.channels.close()
