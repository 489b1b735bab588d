"""Playlists over random histories of a channel: what may change, deltas, and equal origins."""

import random
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, GRID_S, A, Playlist, Rig, V, attributes, lawful, merged

from bench.ingester import Synth
from native.http import Hot
from origin.hls.daterange import DateRange
from origin.hls.rolling import BLOCK
from origin.live.channel import LiveChannel
from origin.live.channels import Channels
from origin.live.follow import Follower
from origin.live.owner import tell_edge
from origin.live.presentation import LONG

CSU_S = 12


class History:
    """Random media into one or two rigs, and a look at every version."""

    def __init__(self, seed: int, *rigs: Rig) -> None:
        self.dice = random.Random(seed)
        self.rigs = rigs
        self.versions: list[dict[str, Playlist]] = []

    def run(self, segments: int) -> None:
        rate = self.dice.choice([0, 0, 0.02, 0.1])
        for number in range(FIRST, FIRST + segments):
            queues = {"v": list(V.pieces(number)), "a": list(A.pieces(number))}
            early = number < FIRST + 2
            lost = {t for t in queues if not early and self.dice.random() < rate}
            while any(queues.values()):
                track = self.dice.choice([t for t, queue in queues.items() if queue])
                data = queues[track].pop(0)
                cut = self.dice.random() < 0.5
                for rig in self.rigs:
                    rig.now_s += float(GRID_S) / 8
                    if track not in lost or (cut and not queues[track]):
                        rig.chunk(track, data)
                self.look()

    def look(self) -> None:
        first = self.rigs[0]
        if first.channel.edge < 0:
            return
        found = {track: first.playlist(track) for track in "va"}
        query = self.dice.choice(["", "_HLS_skip=YES", "_HLS_skip=v2"])
        for rig in self.rigs[1:]:
            for track in "va":
                if self.dice.random() < 0.2:
                    one, two = first.entity(track, query), rig.entity(track, query)
                    assert (one.body, one.gzip, one.etag) == (two.body, two.gzip, two.etag)
                    assert one.last_modified == two.last_modified
        self.versions.append(found)


@given(st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_consecutive_versions_obey_the_laws(seed: int) -> None:
    """HLS-1, 3, 4, 5, 8, 18 and 37, 38, 40 over losses of either track; two origins fed alike
    answer equal bytes and tags (O17).
    """
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        history = History(seed, Rig(Path(one)), Rig(Path(two)))
        for rig in history.rigs:
            rig.begin()
        history.run(20)
        for track in "va":
            versions = [version[track] for version in history.versions]
            for older, newer in pairwise(versions):
                lawful(older, newer)
        for version in history.versions:
            v, a = version["v"], version["a"]
            assert told(v, "../a/media.m3u8") == ends(a), "HLS-33"
            assert told(a, "../v/media.m3u8") == ends(v), "HLS-33"
            for tag in ("#EXT-X-SERVER-CONTROL", "#EXT-X-TARGETDURATION", "#EXT-X-PART-INF"):
                assert v.value(tag) == a.value(tag)
            assert v.blocks.keys() == a.blocks.keys()
            for number in v.blocks:
                broken = "#EXT-X-DISCONTINUITY"
                assert (broken in v.blocks[number]) == (broken in a.blocks[number])
        for rig in history.rigs:
            rig.channels.close()


def ends(found: Playlist) -> tuple[int, int]:
    """Where a playlist ends: number and part."""
    if parts := len(found.parts(found.last + 1)):
        return found.last + 1, parts - 1
    return found.last, len(found.parts(found.last)) - 1


def told(found: Playlist, uri: str) -> tuple[int, int]:
    """Where another one ends, as a report in this one says."""
    (report,) = [r for r in found.tagged("RENDITION-REPORT") if r["URI"] == uri]
    return int(report["LAST-MSN"]), int(report.get("LAST-PART", "-1"))


def ranges(seed: int) -> list[DateRange]:
    """Date ranges over the whole history, some closed later by a second line."""
    dice = random.Random(seed)
    found = []
    for at in range(40):
        start = (FIRST + dice.randrange(30)) * GRID_S
        length = dice.choice([Fraction(0), Fraction(3), Fraction(9), None])
        end = start + length if length is not None else None
        line = f'#EXT-X-DATERANGE:ID="d{at}",START-DATE="x",DURATION={length}'
        found.append(DateRange(f"d{at}", start, end, max(start - 2, FIRST * GRID_S), (line,)))
    return found


@given(st.integers(0, 10**6), st.sampled_from(["YES", "v2"]), st.sampled_from([12, 30]))
@settings(max_examples=16, deadline=None)
def test_a_delta_merged_into_an_older_playlist_is_the_full_one(
    seed: int, skip: str, window_s: int
) -> None:
    """HLS-21, HLS-23, HLS-12: for any version up to half of CAN-SKIP-UNTIL old."""
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), window_s=window_s)
        rig.begin()
        dates = ranges(seed)
        rig.face.ranges = lambda: [r for r in dates if r.since_s <= (rig.channel.edge + 1) * GRID_S]
        older: list[tuple[float, Playlist]] = []
        dice = random.Random(seed)
        skips = 0
        for number in range(FIRST, FIRST + 30):
            for v, a in zip(V.pieces(number), A.pieces(number), strict=True):
                rig.chunk("v", v)
                rig.chunk("a", a)
                rig.now_s += float(GRID_S) / 4
                if rig.channel.edge < 0 or dice.random() < 0.5:
                    continue
                full, delta = rig.playlist(), rig.playlist("v", f"_HLS_skip={skip}")
                skips += delta.skipped
                assert delta.first == full.first
                version = {"YES": 9, "v2": 10}[skip] if delta.skipped else 6
                assert delta.number("#EXT-X-VERSION") == version
                assert (delta.removed is not None) == bool(delta.skipped and skip == "v2")
                end_s = sum((full.seconds(n) for n in full.blocks), Fraction(0))
                for index in range(delta.skipped):
                    end_s -= full.seconds(full.first + index)
                    assert end_s >= CSU_S, "only what lies wholly outside is skipped"
                older = [entry for entry in older if rig.now_s - entry[0] <= CSU_S / 2]
                for _, before in older:
                    got = merged(before, delta)
                    assert {n: got.plain(n) for n in got.blocks} == {
                        n: full.plain(n) for n in full.blocks
                    }
                    assert set(got.dates) == set(full.dates)
                    assert got.coming == full.coming
                older.append((rig.now_s, full))
        assert skips or window_s == 12
        rig.channels.close()


def test_a_date_range_stays_while_it_overlaps_a_listed_segment(tmp_path: Path) -> None:
    """HLS-12, HLS-42"""
    rig = Rig(tmp_path, window_s=12)
    rig.begin()
    start_s = (FIRST + 2) * GRID_S
    line = '#EXT-X-DATERANGE:ID="x",START-DATE="2027-01-15T08:00:00Z",DURATION=4.000'
    only = DateRange("x", start_s, start_s + 4, start_s, (line,))
    rig.face.ranges = lambda: [only]
    for number in range(FIRST, FIRST + 20):
        rig.play(number, 1)
        if rig.channel.edge < FIRST:
            continue
        found = rig.playlist()
        assert bool(found.dates) == (found.first * GRID_S <= start_s + 4)
        assert rig.playlist("a").dates == found.dates, "HLS-40"
        assert all(any("PROGRAM-DATE-TIME" in x for x in b) for b in found.blocks.values())
    assert not rig.playlist().dates
    assert attributes(line)["ID"] == "x"


def test_a_restart_answers_the_same_bytes(tmp_path: Path) -> None:
    """Everything in a playlist is a function of the logs and channel.json."""
    rig = Rig(tmp_path)
    rig.begin()
    rig.play(FIRST, 9)
    pieces = [*V.pieces(FIRST + 9)][:3]
    for piece in pieces:
        rig.chunk("v", piece)
    rig.chunk("a", next(A.pieces(FIRST + 9)))
    before = {t: rig.entity(t, q).etag for t in "va" for q in ("", "_HLS_skip=YES")}
    text = rig.text()
    assert "#EXT-X-PART:" in text.splitlines()[-4]
    rig.channels.close()
    rig.restart()
    after = {t: rig.entity(t, q).etag for t in "va" for q in ("", "_HLS_skip=YES")}
    assert rig.text() == text and before == after


def test_a_lost_segment_begins_where_its_parts_did(tmp_path: Path) -> None:
    """HLS-3: audio cut by the packet begins before its boundary, also when it becomes a gap."""
    audio = Synth("audio", 20_000, chunks=90)
    rig = Rig(tmp_path, {"v": V, "a": audio})
    rig.begin()
    for number in range(FIRST, FIRST + 10):
        for piece in V.pieces(number):
            rig.chunk("v", piece)
        for at, piece in enumerate(audio.pieces(number)):
            if number < FIRST + 6 or (number == FIRST + 6 and at < 60):
                rig.chunk("a", piece)
        if number == FIRST + 6:
            older = rig.playlist("a")
            assert len(older.parts(FIRST + 6)) > 1
    newer = rig.playlist("a")
    assert "#EXT-X-GAP" in newer.blocks[FIRST + 6]
    lawful(older, newer)


@pytest.mark.parametrize("missing", ["a", "v"])
def test_a_segment_that_is_lost_half_way_ends_in_gap_parts(tmp_path: Path, missing: str) -> None:
    """HLS-9: the parts that were listed stay, the rest of the segment is GAP."""
    rig = Rig(tmp_path, window_s=30)
    rig.begin()
    rig.play(FIRST, 6)
    other = "v" if missing == "a" else "a"
    lost = FIRST + 6
    for at, pieces in enumerate(zip(V.pieces(lost), A.pieces(lost), strict=True)):
        for track, piece in zip("va", pieces, strict=True):
            if track == other or at < 2:
                rig.chunk(track, piece)
    listed = [p["URI"] for p in rig.playlist(missing).parts(lost)]
    assert listed == [f"{lost}.0.m4s", f"{lost}.1.m4s"]
    for number in range(lost + 1, lost + 4):
        for piece in rig.synths[other].pieces(number):
            rig.chunk(other, piece)
    found = rig.playlist(missing)
    assert "#EXT-X-GAP" in found.blocks[lost] and found.last >= lost
    parts = found.parts(lost)
    assert [p["URI"] for p in parts[:2]] == listed
    assert [p.get("GAP") for p in parts] == [None, None, "YES", "YES"][: len(parts)]
    total = sum(Fraction(p["DURATION"]) for p in parts)
    assert abs(total - found.seconds(lost)) < Fraction(1, 1000)
    assert all(Fraction(p["DURATION"]) <= found.part_target_s for p in parts)


def test_a_long_window_rolls_by_whole_blocks(tmp_path: Path) -> None:
    """HLS-4, HLS-5: what a run says is what its segments say, also after a restart."""
    synths = {"v": Synth("video", 8_000, chunks=2)}
    span = LONG + 20
    rig = Rig(tmp_path, synths, window_s=int(span * GRID_S), retention_s=3 * int(span * GRID_S))
    rig.begin()
    older: Playlist | None = None
    firsts, run_blocks = set(), 0
    for number in range(FIRST, FIRST + LONG + 120):
        rig.now_s += float(GRID_S)
        for piece in synths["v"].pieces(number):
            rig.chunk("v", piece)
        if number % 7 or number < FIRST + 6:
            continue
        newer = rig.playlist()
        firsts.add(newer.first)
        run_blocks = max(run_blocks, len(rig.face._playlists["v/media.m3u8"]._run))
        if older is not None:
            lawful(older, newer)
        delta = rig.playlist("v", "_HLS_skip=YES")
        assert merged(newer, delta).blocks.keys() == newer.blocks.keys()
        assert len(delta.blocks) < 14
        older = newer
    assert run_blocks >= LONG // BLOCK - 1
    assert FIRST in firsts and len(firsts) > 2
    assert all(first == FIRST or first % BLOCK == 0 for first in firsts)
    assert rig.playlist().last - max(firsts) >= span - 1
    text = rig.text()
    rig.channels.close()
    rig.restart()
    assert rig.text() == text
    known = [n for n in range(FIRST, number + 1) if rig.hot.get(f"/live/c/v/{n}.m4s")]
    assert not known, "a start reads no media"
    rig.channels.close()


@pytest.mark.parametrize("seed", range(3))
def test_who_only_reads_the_files_answers_the_same_bytes(tmp_path: Path, seed: int) -> None:
    """After every chunk, through losses of a track and to the end of the stream."""
    rig = Rig(tmp_path)
    rig.begin()
    dice = random.Random(seed)
    reader = Channels(tmp_path, rig.settings, Hot(), lambda: rig.now_s)
    channel = LiveChannel("c", tmp_path / "c", rig.settings, read_only=True)
    presentation: Any = reader._present(channel, reader.window)
    follower = Follower(channel, presentation)

    def compare() -> None:
        tell_edge(channel.folder, rig.channel.edge)
        follower.refresh(rig.now_s, time.time())
        for track in "va" if rig.channel.edge >= 0 else "":
            for query in ("", "_HLS_skip=YES"):
                leaf = f"{track}/media.m3u8"
                got = presentation.directed(leaf, query)
                assert got is not None and got.body == rig.entity(track, query).body

    for number in range(FIRST, FIRST + 9):
        lost = dice.choice(["", "", "a"]) if number > FIRST + 2 else ""
        for v, a in zip(V.pieces(number), A.pieces(number), strict=True):
            rig.now_s += float(GRID_S) / 4
            for track, piece in (("v", v), ("a", a)):
                if track != lost:
                    rig.chunk(track, piece)
                    compare()
    assert "#EXT-X-PART:" in rig.text()
    rig.end()
    compare()
    assert rig.text().endswith("#EXT-X-ENDLIST\n")
    channel.close()
    rig.channels.close()
