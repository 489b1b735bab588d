"""Low latency while a track is gone: who is waited for, and how the track comes back (HLS-3,
HLS-10, HLS-16, HLS-37, I8, AB6).
"""

import random
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, GRID_S, A, Playlist, Rig, V, lawful

from native.http import Hot
from origin.live.channel import AHEAD, LiveChannel
from origin.live.channels import Channels
from origin.live.follow import Follower
from origin.live.owner import tell_edge

BROKEN, GAP = "#EXT-X-DISCONTINUITY", "#EXT-X-GAP"


class Reader:
    """Who only reads the files of a rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        channels = Channels(rig.folder, rig.settings, Hot(), lambda: rig.now_s)
        self.channel = LiveChannel("c", rig.folder / "c", rig.settings, read_only=True)
        self._presentation: Any = channels._present(self.channel, channels.window)
        self._follower = Follower(self.channel, self._presentation)

    def compare(self) -> None:
        tell_edge(self.channel.folder, self._rig.channel.edge)
        self._follower.refresh(self._rig.now_s, time.time())
        for track in "va":
            got = self._presentation.directed(f"{track}/media.m3u8", "")
            assert got is not None and got.body == self._rig.entity(track, "").body


def gone(rig: Rig, first: int, count: int) -> None:
    """The audio track says nothing for so many numbers."""
    for number in range(first, first + count):
        for piece in V.pieces(number):
            rig.now_s += float(GRID_S) / 4
            rig.chunk("v", piece)


def broken(found: Playlist) -> set[int]:
    return {number for number, block in found.blocks.items() if BROKEN in block}


def test_a_track_that_is_gone_holds_the_others_up_once(tmp_path: Path) -> None:
    """Until its first gap is published; then parts appear as they come, and gaps with them."""
    rig = Rig(tmp_path)
    rig.begin()
    rig.play(FIRST, 6)
    gone(rig, FIRST + 6, AHEAD)
    assert rig.channel.edge == FIRST + 5, "its media may still come (I13)"
    gone(rig, FIRST + 6 + AHEAD, 1)
    for number in range(FIRST + 7 + AHEAD, FIRST + 14):
        for index, piece in enumerate(V.pieces(number)):
            rig.chunk("v", piece)
            assert rig.channel.edge == number - (index < 3)
            v, a = rig.playlist("v"), rig.playlist("a")
            assert len(v.parts(number)) == index + 1
            assert v.blocks.keys() == a.blocks.keys()
            assert not broken(v) and not broken(a)
            assert min(n for n, block in a.blocks.items() if GAP in block) == FIRST + 6
    rig.channels.close()


def test_a_track_comes_back_at_a_break_that_was_told_in_time(tmp_path: Path) -> None:
    """HLS-10, HLS-16: in the middle of a number that is on show without it"""
    rig = Rig(tmp_path)
    rig.begin()
    rig.play(FIRST, 6)
    gone(rig, FIRST + 6, 6)
    back = FIRST + 12
    for index, (v, a) in enumerate(zip(V.pieces(back), A.pieces(back), strict=True)):
        rig.chunk("v", v)
        if index:
            rig.chunk("a", a)
        assert not rig.playlist("a").parts(back), "nothing that will be a gap is on show"
        assert len(rig.playlist("v").parts(back)) == index + 1
    assert rig.channel.edge == back and GAP in rig.playlist("a").blocks[back]
    pieces = list(zip(V.pieces(back + 1), A.pieces(back + 1), strict=True))
    rig.chunk("v", pieces[0][0])
    assert not rig.playlist("v").parts(back + 1), "it is waited for"
    rig.chunk("a", pieces[0][1])
    for track in "va":
        found = rig.playlist(track)
        assert len(found.parts(back + 1)) == 1 and BROKEN in found.coming
    for v, a in pieces[1:]:
        rig.chunk("v", v)
        rig.chunk("a", a)
    assert rig.channel.edge == back + 1
    assert broken(rig.playlist("v")) == broken(rig.playlist("a")) == {back + 1}
    rig.play(back + 2, 3)
    assert broken(rig.playlist("v")) == broken(rig.playlist("a")) == {back + 1}
    rig.channels.close()


def test_when_all_were_gone_nothing_more_is_lost(tmp_path: Path) -> None:
    """The first number that comes after a silence of all tracks is whole, and a break."""
    rig = Rig(tmp_path)
    rig.begin()
    rig.play(FIRST, 6)
    rig.now_s += 6 * float(GRID_S)
    rig.channels.fill_gaps()
    edge = rig.channel.edge
    assert edge > FIRST + 5
    rig.play(edge + 1, 3)
    assert rig.channel.edge == edge + 3
    for track in "va":
        found = rig.playlist(track)
        assert broken(found) == {edge + 1} and GAP not in found.blocks[edge + 1]
    rig.channels.close()


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_outages_at_random_obey_the_laws(seed: int) -> None:
    """HLS-3, HLS-10: whatever track goes and comes back when, early or late against the other, no
    listed line changes and breaks are equal; who reads the files or starts anew says the same.
    """
    dice = random.Random(seed)
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        rig.begin()
        rig.play(FIRST, 3)
        reader = Reader(rig)
        todo = {
            "v": [(n, p) for n in range(FIRST + 3, FIRST + 28) for p in V.pieces(n)],
            "a": [(n, p) for n in range(FIRST + 3, FIRST + 28) for p in A.pieces(n)],
        }
        lost = {"v": set(), "a": set()} | {dice.choice("va"): outage(dice)}
        versions: list[dict[str, Playlist]] = []
        while any(todo.values()):
            lag = len(todo["v"]) - len(todo["a"])
            track = "v" if lag > 6 else "a" if lag < -6 else dice.choice("va")
            if not todo[track]:
                track = "a" if track == "v" else "v"
            rig.now_s += float(GRID_S) / 8
            index = len(todo[track])
            _, piece = todo[track].pop(0)
            if index not in lost[track]:
                rig.chunk(track, piece)
            versions.append({t: rig.playlist(t) for t in "va"})
            if dice.random() < 0.1:
                reader.compare()
        for older, newer in pairwise(versions):
            for track in "va":
                lawful(older[track], newer[track])
        for version in versions:
            assert broken(version["v"]) == broken(version["a"])
            assert version["v"].blocks.keys() == version["a"].blocks.keys()
        before = {t: rig.entity(t, "").etag for t in "va"}
        reader.channel.close()
        rig.channels.close()
        rig.restart()
        assert {t: rig.entity(t, "").etag for t in "va"} == before
        rig.channels.close()


def outage(dice: random.Random) -> set[int]:
    """Which chunks, counted from the end, never leave an encoder."""
    first = dice.randrange(8, 90)
    return set(range(first - dice.randrange(1, 40), first))
