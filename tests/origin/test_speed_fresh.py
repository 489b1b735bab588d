"""What is done at once, and what is not: media stays in memory, gaps wait for no disk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin_rigs.hls_rig import FIRST, GRID_S, Rig

from bench.ingester import Synth
from native.http.heads import content_tag
from origin.live import kept
from origin.live.fresh import Fresh
from origin.live.kept import Kept


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 40), st.booleans()),
        max_size=40,
        unique_by=lambda step: step[0],
    ),
    st.integers(0, 200),
)
def test_fresh_chunks_are_the_newest_that_fit(
    steps: list[tuple[int, int, bool]], limit: int
) -> None:
    fresh, plain = Fresh(limit), dict[int, bytes]()
    for at, size, drops in steps:
        if drops:
            fresh.drop(at)
            plain = {begins: data for begins, data in plain.items() if begins >= at}
        else:
            fresh.put(1, at, at, bytes(size))
            plain[at] = bytes(size)
            while sum(map(len, plain.values())) > limit:
                del plain[next(iter(plain))]
        assert {n: d for n in range(51) if (d := fresh.get(1, n)) is not None} == plain
        assert fresh.held_bytes == sum(map(len, plain.values()))


def test_a_segment_knows_its_tag_without_being_read(tmp_path: Path) -> None:
    """O17: the tag is that of the octets, whether they passed through or are read back."""
    synth = Synth("video", 40_000, chunks=4)
    rig = Rig(tmp_path, {"v": synth})
    rig.begin()
    rig.play(FIRST, 4)
    track = rig.channel.tracks["v"]
    stored = track.whole(FIRST + 3)
    assert stored is not None
    assert stored.tag == content_tag(synth.segment(FIRST + 3))
    assert track.pieces(stored) == list(synth.pieces(FIRST + 3))
    stored.take(1, stored.parts[-1][1])
    assert stored.tag is None, "octets that were not seen make no tag"


def test_media_in_the_making_takes_room_in_the_window(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"v": Synth("video", 40_000, chunks=4)})
    rig.begin()
    rig.play(FIRST, 3)
    window, segment = rig.channels.window, list(rig.synths["v"].pieces(FIRST + 3))
    before = window.held_bytes
    for at, piece in enumerate(segment):
        rig.chunk("v", piece)
        assert window.held_bytes == before + sum(map(len, segment[: at + 1]))
    assert rig.channel.edge == FIRST + 3


def test_gaps_wait_for_no_disk_and_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HLS-6: a silent channel goes on after a restart where it was, and costs no fsync."""
    rig = Rig(tmp_path, {"v": Synth("video", 40_000, chunks=4)})
    rig.begin()
    rig.play(FIRST, 4)
    calls: list[int] = []
    monkeypatch.setattr("os.fsync", calls.append)
    counts = []
    for _ in range(12):
        rig.now_s += float(GRID_S)
        rig.channels.fill_gaps()
        counts.append(len(calls))
    assert rig.channel.edge == FIRST + 12
    assert counts[-1] == counts[5], "only who is shown changes once"
    assert rig.channel.tracks["v"].log.fresh.held_bytes == 0, "silence holds nothing in memory"
    rig.restart()
    assert rig.channel.edge == FIRST + 12


@pytest.mark.parametrize("torn", [b"", b'{"segment":"\xff', b'{"segment":"\xff"}'])
def test_state_that_a_power_cut_has_torn_gives_way_to_the_synced(
    tmp_path: Path, torn: bytes
) -> None:
    kept.save(tmp_path, Kept(first=7))
    kept.save(tmp_path, Kept(first=7, filled=9), sync=False)
    kept.save(tmp_path, Kept(first=7, filled=10), sync=False)
    assert kept.load(tmp_path) == Kept(first=7, filled=10)
    (tmp_path / kept.STATE).write_bytes(torn)
    assert kept.load(tmp_path) == Kept(first=7)
    kept.save(tmp_path, Kept(first=7, filled=11))
    (tmp_path / kept.STATE).write_bytes(torn)
    with pytest.raises(ValueError, match=r"truncated|utf-8"):
        kept.load(tmp_path)
