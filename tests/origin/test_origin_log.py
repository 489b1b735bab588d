"""The track log on disk: what a crash may leave behind is found and cut, nothing else is lost."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.errors import DamagedLog, DiskFull
from origin.live.log import TrackLog
from origin.live.records import END, INDEPENDENT, RECORD_BYTES, Record, pack, unpack

CHUNKS = [bytes([65 + n]) * (100 + n) for n in range(6)]
CASES = st.builds(
    Record,
    *(st.integers(0, 2**bits - 1) for bits in (64, 32, 32, 64, 64, 64, 32)),
)


def write(folder: Path, *, volume_ticks: int = 10**9) -> TrackLog:
    log = TrackLog(folder, volume_ticks=volume_ticks)
    assert list(log.recover()) == []
    for number, chunk in enumerate(CHUNKS):
        log.append(chunk, decode_time=number * 10, duration=10, earliest=0, flags=INDEPENDENT)
    return log


def recovered(folder: Path) -> list[bytes]:
    log = TrackLog(folder, volume_ticks=10**9)
    media = [log.read(volume, r) for volume, r in list(log.recover()) if not r.flags & END]
    log.close()
    return media


@given(st.lists(CASES, max_size=5), st.integers(0, 300))
def test_records_survive_up_to_the_torn_one(records: list[Record], cut: int) -> None:
    data = b"".join(map(pack, records))
    assert unpack(data) == records
    assert unpack(data[:cut]) == records[: min(cut, len(data)) // RECORD_BYTES]


def test_a_tail_torn_at_any_byte_is_cut(tmp_path: Path) -> None:
    """Media or index may end anywhere; what is left is a prefix, and the log can be written on."""
    write(tmp_path / "whole").close()
    media = (tmp_path / "whole/00000001.cmaf").read_bytes()
    index = (tmp_path / "whole/00000001.index").read_bytes()
    for cut in range(0, len(media), 13):
        for kept, (m, i) in ((0, (media[:cut], index)), (1, (media, index[:cut]))):
            folder = tmp_path / f"{cut}-{kept}"
            folder.mkdir()
            (folder / "00000001.cmaf").write_bytes(m)
            (folder / "00000001.index").write_bytes(i)
            found = recovered(folder)
            assert found == CHUNKS[: len(found)]
            assert (folder / "00000001.cmaf").stat().st_size == sum(map(len, found))
            assert (folder / "00000001.index").stat().st_size == len(found) * RECORD_BYTES
            again = TrackLog(folder, volume_ticks=10**9)
            list(again.recover())
            again.append(b"next", decode_time=90, duration=1, earliest=0, flags=0)
            again.seal(90)
            again.close()
            assert recovered(folder) == [*found, b"next"]


def test_lost_media_under_a_good_index_is_noticed(tmp_path: Path) -> None:
    """A power cut may persist the index before the media (zeros in between)."""
    write(tmp_path).close()
    path = tmp_path / "00000001.cmaf"
    path.write_bytes(path.read_bytes()[:250] + b"\0" * 1000)
    assert recovered(tmp_path) == CHUNKS[:2]


def test_damage_while_running_is_an_error_not_a_body(tmp_path: Path) -> None:
    log = write(tmp_path)
    volume, record = log.append(
        b"x" * 50, decode_time=60, duration=1, earliest=0, flags=INDEPENDENT
    )
    path = tmp_path / "00000001.cmaf"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedLog):
        log.read(volume, record)
    log.close()


def test_retention_removes_whole_volumes(tmp_path: Path) -> None:
    log = write(tmp_path, volume_ticks=20)
    assert len(list(tmp_path.glob("*.cmaf"))) == 3
    assert log.expire(before=41) == [1, 2]
    assert [p.stem for p in tmp_path.glob("*.cmaf")] == ["00000003"]
    assert log.expire(before=10**9) == [], "the volume being written stays"
    log.close()


def test_a_follower_reads_what_the_writer_appends(tmp_path: Path) -> None:
    """Another process sees whole records only, in order, over volumes, and learns what left."""
    writer = TrackLog(tmp_path, volume_ticks=20)
    list(writer.recover())
    follower = TrackLog(tmp_path, volume_ticks=20, read_only=True)
    assert list(follower.recover()) == list(follower.tail()) == []
    seen = []
    for number, chunk in enumerate(CHUNKS):
        wrote = writer.append(
            chunk, decode_time=number * 10, duration=10, earliest=0, flags=INDEPENDENT
        )
        found = list(follower.tail())
        assert found == [wrote]
        assert follower.read(*found[0]) == chunk
        seen += found
    assert {volume for volume, _ in seen} == {1, 2, 3}
    late = TrackLog(tmp_path, volume_ticks=20, read_only=True)
    assert list(late.recover()) == seen
    writer.seal(50)
    assert [r.flags for _, r in follower.tail()] == [END]
    assert writer.expire(before=41) == follower.expire(before=0) == [1, 2]
    assert follower.expire(before=10**9) == []
    with pytest.raises(DamagedLog):
        follower.read(*seen[0])
    with pytest.raises(RuntimeError):
        follower.seal(60)
    for log in (writer, follower, late):
        log.close()


def test_a_follower_waits_for_the_rest_of_a_record(tmp_path: Path) -> None:
    writer = write(tmp_path)
    follower = TrackLog(tmp_path, volume_ticks=10**9, read_only=True)
    assert len(list(follower.recover())) == len(CHUNKS)
    writer.append(b"next", decode_time=60, duration=10, earliest=0, flags=0)
    index = tmp_path / "00000001.index"
    whole = index.read_bytes()
    for cut in range(len(whole) - RECORD_BYTES, len(whole)):
        index.write_bytes(whole[:cut])
        assert list(follower.tail()) == []
    index.write_bytes(whole)
    assert [follower.read(*found) for found in follower.tail()] == [b"next"]
    writer.close()
    follower.close()


def test_a_disk_that_takes_no_more_is_refused_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Media or record may fail half-way; the next append writes over what is torn (507)."""
    log = write(tmp_path)
    real = os.pwrite
    for allowed in range(0, 150, 7):
        left = allowed

        def scarce(descriptor: int, data: bytes, offset: int) -> int:
            nonlocal left
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = real(descriptor, data[:left], offset)
            left -= written
            return written

        monkeypatch.setattr(os, "pwrite", scarce)
        with pytest.raises(DiskFull) as refused:
            log.append(b"z" * 110, decode_time=60, duration=10, earliest=0, flags=0)
        monkeypatch.setattr(os, "pwrite", real)
        assert (refused.value.status, refused.value.code) == (507, "disk_full")
        if allowed < 110:
            index = (tmp_path / "00000001.index").stat().st_size
            assert index == len(CHUNKS) * RECORD_BYTES, "media comes before its record"
    at = log.append(b"after", decode_time=60, duration=10, earliest=0, flags=0)
    assert log.read(*at) == b"after"
    log.close()
    assert recovered(tmp_path) == [*CHUNKS, b"after"]


def test_a_follower_waits_for_media_that_a_record_promises(tmp_path: Path) -> None:
    writer = write(tmp_path)
    media = tmp_path / "00000001.cmaf"
    whole = media.read_bytes()
    media.write_bytes(whole[:-1])
    follower = TrackLog(tmp_path, volume_ticks=10**9, read_only=True)
    assert len(list(follower.recover())) == len(CHUNKS) - 1
    media.write_bytes(whole)
    assert [follower.read(*found) for found in follower.tail()] == [CHUNKS[-1]]
    writer.close()
    follower.close()


def test_nothing_is_added_to_a_volume_that_is_archived_in_part(tmp_path: Path) -> None:
    """After a power cut the archive may have more of it than the disk."""
    write(tmp_path).close()
    (tmp_path / "00000001.archive").touch()
    log = TrackLog(tmp_path, volume_ticks=10**9)
    assert len(list(log.recover())) == len(CHUNKS)
    volume, _ = log.append(b"x", decode_time=60, duration=1, earliest=0, flags=INDEPENDENT)
    assert volume == 2
    log.close()
