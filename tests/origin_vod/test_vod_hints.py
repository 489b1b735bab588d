"""Fragmented films in S3: headers come side by side where the film tells of them (TR-26, TR-48)."""

import asyncio
import struct
from pathlib import Path

import pytest
from origin_rigs.recipes import made, recipe

from native.bmff import walk
from native.bmff.write import sidx
from origin.vod import hints, reading, register, register_objects
from origin.vod.index import load
from origin.vod.reading import open_reader
from runtime.objects import FolderStore, Object

KEY = "films/film.mp4"
FRAGMENTS = 60
SOURCE = ["-f", "lavfi", "-i", f"testsrc2=s=128x72:r=24:d={FRAGMENTS}", "-c:v", "libx264",
          "-pix_fmt", "yuv420p", "-g", "24", "-sc_threshold", "0", "-threads", "1"]  # fmt: skip


class Slow(FolderStore):
    """A store that tells how many reads were on their way at a time, and how often all waited."""

    reads = under_way = most = rounds = 0

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        self.reads += 1
        self.rounds += self.under_way == 0
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.002)
            return await super().get(name, start=start, end=end, if_match=if_match)
        finally:
            self.under_way -= 1


def film(flags: str) -> Path:
    return made(f"hinted_{flags.strip('+').replace('+', '_')}", [*SOURCE, "-movflags", flags])


async def registered(path: Path, folder: Path) -> Slow:
    store = Slow(folder / "s3")
    await store.start()
    await store.put(KEY, path.read_bytes())
    await register_objects(folder, [f"s3://headwater/{KEY}"], "film", store, "headwater")
    await store.stop()
    return store


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads so small that a film of a minute is as one of hours."""
    for name in ("HEAD_BYTES", "TAIL_BYTES", "MERGED_GAP"):
        monkeypatch.setattr(reading, name, 2048)
    monkeypatch.setattr(hints, "HEAD_BYTES", 2048)


@pytest.mark.parametrize(
    "flags",
    [
        "+frag_keyframe+empty_moov+default_base_moof",
        "+dash+frag_keyframe+delay_moov+global_sidx",
    ],
    ids=["mfra", "sidx"],
)
async def test_what_a_film_tells_is_fetched_side_by_side(
    flags: str, small: None, tmp_path: Path
) -> None:
    store = await registered(film(flags), tmp_path / "remote")
    assert store.most >= hints.BATCH // 2
    assert store.rounds < FRAGMENTS // 2
    local = tmp_path / "local"
    register(local, [film(flags)], "film")
    mine, theirs = (
        load(next(home.glob("origin/vod/film/*.idx"))) for home in (local, tmp_path / "remote")
    )
    assert mine.digest == theirs.digest
    for name, column in mine.tracks[0].columns.items():
        other = theirs.tracks[0].columns[name]
        assert column.slice(0, column.rows) == other.slice(0, other.rows), name


async def test_without_hints_headers_come_one_by_one(small: None, tmp_path: Path) -> None:
    whole = film("+frag_keyframe+empty_moov+default_base_moof").read_bytes()
    path = tmp_path / "bare.mp4"
    path.write_bytes(whole[: next(b.start for b in walk(whole) if b.kind == "mfra")])
    store = await registered(path, tmp_path)
    assert store.rounds >= FRAGMENTS


def test_sidx_tells_of_the_same_places() -> None:
    data = recipe("frag_sidx_video").read_bytes()
    boxes = walk(data)
    told = next(b for b in boxes if b.kind == "sidx")
    found = hints.subsegments(data[told.start : told.end], told.end)
    moofs = [b.start for b in boxes if b.kind == "moof"]
    assert found and set(found) <= set(moofs) and found[0] == moofs[0]
    assert hints.subsegments(sidx(1, 1000, 0, [(70, 5, True), (80, 5, True)]), 500) == [500, 570]


def test_tables_that_lie_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    whole = film("+frag_keyframe+empty_moov+default_base_moof").read_bytes()
    (mfra,) = [b for b in walk(whole) if b.kind == "mfra"]
    path.write_bytes(whole)
    assert len(hints.random_access(open_reader(str(path)))) == FRAGMENTS
    for size in (0, 15, 2**32 - 1, mfra.end - mfra.start - 3):
        path.write_bytes(whole[:-4] + struct.pack(">I", size))
        assert hints.random_access(open_reader(str(path))) == []
    at = whole.index(b"tfra", mfra.start) + 16
    path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
    assert len(hints.random_access(open_reader(str(path)))) <= FRAGMENTS
    assert hints.subsegments(b"\0" * 30, 0) == []
