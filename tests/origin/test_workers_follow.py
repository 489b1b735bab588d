"""Who follows sees what the writer sees: random histories, hand-overs and deaths."""

import asyncio
import contextlib
import itertools
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, NOW_S, A, V

from native.http import Hot
from origin.ingest.body import TrackBody
from origin.live.owner import EDGE, Owners, tell_edge, told_edge
from origin.live.shared import SharedChannels
from origin.live.sources import Peer
from origin.settings import Settings

SYNTHS = {"v": V, "a": A}
LEAVES = ("master.m3u8", "manifest.mpd", "ll.mpd", "v/media.m3u8", "a/media.m3u8")
SETTINGS = Settings.model_validate({"window_s": 30, "retention_s": 120})


class Clock:
    def __init__(self) -> None:
        self.now_s = float(NOW_S)

    def __call__(self) -> float:
        return self.now_s


class Worker:
    """One process's channels over a folder that several share."""

    def __init__(self, folder: Path, clock: Clock, address: str) -> None:
        self.channels = SharedChannels(
            folder, SETTINGS, Hot(), clock, wall=time.time, address=address
        )
        self.clock = clock
        self.bodies: dict[str, TrackBody] = {}
        self.channels.open()

    def push(self, track: str, data: bytes) -> bool:
        with self.channels.writing("c") as mine:
            if not mine:
                return False
            body = self.bodies.get(track)
            if body is None:
                peer = Peer(track, "10.0.0.1", 1)
                body = TrackBody(self.channels, "c", track, SETTINGS, self.clock, peer)
                self.bodies[track] = body
                body.feed(SYNTHS[track].header)
            body.feed(data)
        return True

    def look(self) -> None:
        """What a datagram of the bus makes a follower do."""
        self.channels._heard(["c"])

    def tells(self) -> dict[str, Any]:
        """Edge and every manifest, as bytes."""
        presentation = self.channels.presentations.get("c")
        if presentation is None:
            return {}
        channel = presentation.channel
        told: dict[str, Any] = {"edge": channel.edge}
        window = range(presentation.first_listed, channel.edge + 1)
        alive = any(track.whole(n) for track in channel.tracks.values() for n in window)
        for leaf in LEAVES:
            if leaf.endswith(".mpd") and not alive:
                continue  # each keeps the last MPD it made of a dead channel
            entity = presentation.render(leaf)
            told[leaf] = None if entity is None else (bytes(entity.body), entity.etag)
        return told

    def die(self) -> None:
        """kill -9: descriptors close, nothing is tidied."""
        for descriptor in self.channels.owners._held.values():
            os.close(descriptor)
        self.channels.owners._held.clear()
        asyncio.get_running_loop().remove_reader(self.channels._bus._socket.fileno())
        self.channels._bus._socket.close()
        os.close(self.channels._bus._directory)
        for presentation in self.channels.presentations.values():
            presentation.channel.close()


ACTIONS = st.one_of(
    st.tuples(st.just("chunk"), st.sampled_from("va")),
    st.tuples(st.just("chunk"), st.sampled_from("va")),
    st.tuples(st.just("segment"), st.just("")),
    st.tuples(st.just("lose"), st.sampled_from("va")),
    st.tuples(st.just("look"), st.just("")),
    st.tuples(st.just("silence"), st.just("")),
    st.tuples(st.just("swap"), st.just("")),
    st.tuples(st.just("die"), st.just("")),
)


class History:
    """A writer, a follower, and the chunks that come."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.names = folder, Clock(), itertools.count()
        self.writer, self.follower = self.worker(), self.worker()
        self.number = {"v": FIRST, "a": FIRST}
        self.chunk = {"v": 0, "a": 0}
        self.edges: list[int] = []
        for track in "va":
            assert self.writer.push(track, b"")

    def worker(self) -> Worker:
        return Worker(self.folder, self.clock, f"w{next(self.names)}")

    def step(self, action: str, track: str) -> None:
        getattr(self, f"do_{action}")(*track)

    def do_chunk(self, track: str) -> None:
        piece = list(SYNTHS[track].pieces(self.number[track]))[self.chunk[track]]
        self.clock.now_s += 0.25
        self.writer.push(track, piece)
        self.forth(track)

    def do_segment(self) -> None:
        number = max(self.number.values())
        for track in "va":
            while self.number[track] <= number:
                self.do_chunk(track)

    def do_lose(self, track: str) -> None:
        self.forth(track)

    def forth(self, track: str) -> None:
        self.chunk[track] = (self.chunk[track] + 1) % 4
        self.number[track] += not self.chunk[track]

    def do_silence(self) -> None:
        self.clock.now_s += 9
        self.writer.channels.fill_gaps()

    def do_look(self) -> None:
        self.follower.look()
        ours, theirs = self.writer.tells(), self.follower.tells()
        assert ours == theirs
        self.edges.append(theirs["edge"])

    def do_swap(self) -> None:
        """The writer drains; its neighbour gets the next push."""
        self.writer.channels.release("c")
        self.writer.bodies = {}
        self.writer, self.follower = self.follower, self.writer
        for track in "va":
            assert self.writer.push(track, b"")
        self.do_look()

    def do_die(self) -> None:
        self.writer.die()
        self.writer, self.follower = self.follower, self.worker()
        for track in "va":
            assert self.writer.push(track, b"")
        self.do_look()

    def close(self) -> None:
        self.writer.channels.close()
        self.follower.channels.close()


def play(folder: Path, actions: list[tuple[str, str]]) -> History:
    async def run() -> History:
        history = History(folder)
        try:
            for action in actions:
                history.step(*action)
            history.do_look()
            late = history.worker()
            late.look()
            assert late.tells() == history.writer.tells()
            late.channels.close()
        finally:
            history.close()
        return history

    return asyncio.run(run())


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ACTIONS, min_size=4, max_size=40))
@example(
    [
        *[("chunk", "v"), ("chunk", "a"), ("look", ""), ("swap", ""), ("lose", "a")],
        *[("chunk", "a"), ("look", ""), ("die", ""), ("silence", "")],
    ]
)
def test_a_follower_tells_what_the_writer_tells(actions: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        history = play(Path(folder) / "live", [("segment", "")] * 3 + actions)
        assert history.edges == sorted(history.edges)


@pytest.mark.parametrize("end", ["swap", "die"])
def test_the_next_writer_begins_at_the_very_chunk(tmp_path: Path, end: str) -> None:
    """Half a segment before the change of writers, half after it: one whole segment, no gap."""
    actions = [("segment", "")] * 4 + [("chunk", "v"), ("chunk", "a"), ("chunk", "v"), (end, "")]
    history = play(tmp_path / "live", [*actions, *[("segment", "")] * 4])
    assert history.edges[-1] >= FIRST + 6


def test_a_lock_has_one_holder_and_is_free_when_its_holder_dies(tmp_path: Path) -> None:
    one, two = Owners(tmp_path, "one"), Owners(tmp_path, "two")
    assert one.take("c")
    assert one.take("c")
    assert not two.take("c")
    assert two.owner("c") == "one"
    os.close(one._held.pop("c"))
    assert two.take("c")
    assert one.owner("c") == "two"
    assert not one.take("c")
    two.release("c")
    assert one.owner("c") is None
    assert one.take("c")
    one.close()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_removed_file_counts_for_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    """Its holder lets go between our open and our lock."""
    one, two = Owners(tmp_path, "one"), Owners(tmp_path, "two")
    assert one.take("c")
    real = os.open

    def late(path: Any, *arguments: Any) -> int:
        descriptor = real(path, *arguments)
        with contextlib.suppress(KeyError):
            one.release("c")
        return descriptor

    monkeypatch.setattr(os, "open", late)
    assert two.take("c")
    monkeypatch.undo()
    assert two.owner("c") == "two"
    assert not one.take("c")
    two.close()


@given(st.integers(-1, 2**62), st.integers(-1, 2**62), st.integers(1, 11))
def test_an_edge_is_told_whole_or_not_at_all(before: int, after: int, cut: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert told_edge(folder) == -1
        tell_edge(folder, before)
        assert told_edge(folder) == before
        old = (folder / EDGE).read_bytes()
        tell_edge(folder, after)
        assert told_edge(folder) == after
        new = (folder / EDGE).read_bytes()
        (folder / EDGE).write_bytes(new[:cut] + old[cut:])
        assert told_edge(folder) in (before, after, -1)


def test_a_follower_waits_for_the_writer_to_say_what_is_published(tmp_path: Path) -> None:
    """Far more of one track is stored than of the other, but the writer has not published yet: it
    still takes what the other brings, so nobody may call that a gap.
    """

    async def run() -> None:
        history = History(tmp_path / "live")
        try:
            for _ in range(4):
                history.do_segment()
            history.do_look()
            channels = history.writer.channels
            advance, channels.advance = channels.advance, lambda writer: None  # type: ignore[assignment]
            for _ in range(20):
                history.do_chunk("v")
            history.follower.look()
            for _ in range(20):
                history.do_chunk("a")
            channels.advance = advance  # type: ignore[method-assign]
            channels.advance(channels.writers["c"])
            history.do_look()
            presentation = history.follower.channels.presentations["c"]
            assert presentation.channel.edge == FIRST + 8
            assert b"EXT-X-GAP" not in presentation.render("a/media.m3u8").body
        finally:
            history.close()

    asyncio.run(run())


def test_the_torn_tail_of_a_dead_writer_is_cut(tmp_path: Path) -> None:
    async def run() -> None:
        history = History(tmp_path / "live")
        try:
            for _ in range(4):
                history.do_segment()
            index = max((tmp_path / "live" / "c" / "v").glob("*.index"))
            sound = index.stat().st_size
            with index.open("ab") as file:
                file.write(b"torn" * 200)
            history.do_die()
            assert index.stat().st_size == sound
            history.do_segment()
            history.do_look()
        finally:
            history.close()

    asyncio.run(run())


def test_a_channel_that_lost_its_writer_goes_on_with_gaps(tmp_path: Path) -> None:
    """No push comes, yet playlists must move (HLS-6): a follower claims it when a gap is due."""

    async def run() -> None:
        history = History(tmp_path / "live")
        try:
            for _ in range(4):
                history.do_segment()
            history.do_look()
            edge = history.edges[-1]
            history.writer.die()
            follower = history.follower.channels
            history.writer = history.worker()
            for _ in range(20):
                history.clock.now_s += 1
                follower.poll()
                follower.fill_gaps()
            assert "c" in follower.writers
            history.writer.look()
            assert history.writer.tells() == history.follower.tells()
            assert follower.presentations["c"].channel.edge > edge
        finally:
            history.close()

    asyncio.run(run())
