"""Journals whose files somebody deletes, other workers store, a disk damages or an older router
wrote: nothing acknowledged is lost, or it is counted.
"""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest

from cdn_router.archive import journal as journals
from cdn_router.archive import keeper
from cdn_router.archive.journal import GONE, HEAD, Frame, Journal, frames
from cdn_router.archive.opening import opened
from cdn_router.archive.reading import dataset
from cdn_router.errors import Busy
from runtime.clock import SYSTEM
from runtime.objects import FolderStore

NOW_MS = 1_700_000_000_000
LINE = b'e=t,sid="s",ts=1,v=2'


def kept(journal: Journal) -> list[bytes]:
    return [frame.body for path in journal.ended() for frame in frames(path.read_bytes())]


def lost() -> float:
    return sum(sample.value for each in GONE.collect() for sample in each.samples[:1])


def test_what_a_deleted_file_held_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "COPIED_BYTES", 16)
    journal, before = Journal(tmp_path / "j", "n", 10_000), lost()
    for number in range(9):
        journal.append(b"body%d" % number, "192.0.2", NOW_MS + number)
    assert not journal.deleted()
    shutil.rmtree(tmp_path / "j")
    assert journal.deleted()
    journal.turn()
    assert kept(journal) == [], "nobody waits for that"
    journal.save()
    journal.append(b"later", "", NOW_MS)
    assert not journal.deleted()
    assert kept(journal) == [b"body%d" % number for number in range(9)] and lost() == before
    journal.turn()
    assert kept(journal)[-1] == b"later"


def test_what_cannot_be_written_anew_is_counted(tmp_path: Path) -> None:
    journal, before = Journal(tmp_path / "j", "n", 10_000), lost()
    journal.append(b"body", "", NOW_MS)
    shutil.rmtree(tmp_path / "j")
    (tmp_path / "j").write_text("in the way")
    journal.turn()
    journal.save()
    assert lost() - before == HEAD.size + 4
    with pytest.raises(Busy):
        journal.append(b"body", "", NOW_MS)


async def test_a_running_archive_sees_to_it_within_a_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the file would end by itself."""
    monkeypatch.setattr(keeper, "SYNC_S", 0.001)
    monkeypatch.setattr(keeper, "TURN_S", 1e9)
    store = FolderStore(tmp_path / "objects")
    await store.start()
    archive = opened(store, tmp_path / "journal", "n", 1 << 20, SYSTEM)
    archive.keep(LINE, "192.0.2.7", NOW_MS)
    shutil.rmtree(tmp_path / "journal")
    await archive.archive.start()
    async with asyncio.timeout(60):
        while not list((tmp_path / "objects").rglob("*.parquet")):
            await asyncio.sleep(0.01)
    await archive.archive.stop()
    await store.stop()
    assert dataset(str(tmp_path / "objects")).to_table().column("at_ms").to_pylist() == [NOW_MS]


def test_what_another_worker_stored_waits_no_more(tmp_path: Path) -> None:
    one, other = Journal(tmp_path, "n", 100), Journal(tmp_path, "m", 100)
    for _ in range(5):
        one.append(b"x" * 60, "", NOW_MS)
        one.turn()
        for path in other.ended():
            other.stored(path)
        assert one.ended() == []


def test_a_changed_bit_is_found_wherever_it_is(tmp_path: Path) -> None:
    """Also in the time of arrival, which is the hour that a row is in."""
    journal = Journal(tmp_path, "n", 10_000)
    journal.append(b"body", "192.0.2", NOW_MS)
    journal.turn()
    content = journal.ended()[0].read_bytes()
    assert list(frames(content)) == [Frame(NOW_MS, "192.0.2", b"body")]
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        assert list(frames(bytes(changed))) == [], bit


def test_journals_of_older_routers_are_read(tmp_path: Path) -> None:
    """Their CRC is over the body; and they do not take ours for theirs, and then for empty."""
    old = HEAD.pack(4, crc32(b"body"), NOW_MS, 7) + b"192.0.2" + b"body"
    assert list(frames(old * 2)) == [Frame(NOW_MS, "192.0.2", b"body")] * 2
    assert list(frames(old[:-1] + b"x")) == []
    (tmp_path / f"{NOW_MS - 1}-m-1.cmcd").write_bytes(old)
    journal, tape = Journal(tmp_path, "n", 10_000), Journal(tmp_path, "n", 10_000, "tape")
    for each in (journal, tape):
        each.append(b"later", "", NOW_MS)
        each.turn()
    assert kept(journal) == [b"body", b"later"] and kept(tape) == [b"later"]
    old_globs = [path.name for kind in ("cmcd", "tape") for path in tmp_path.glob(f"*.{kind}")]
    assert old_globs == [f"{NOW_MS - 1}-m-1.cmcd"]


def test_a_file_that_cannot_take_its_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes into one that nobody lists would never be stored."""
    journal = Journal(tmp_path, "n", 10_000)

    def fails(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fails)
        with pytest.raises(Busy):
            journal.append(b"body", "", NOW_MS)
    assert list(tmp_path.iterdir()) == []
    journal.append(b"later", "", NOW_MS + journals.RETRY_MS)
    journal.turn()
    assert kept(journal) == [b"later"]


@pytest.mark.parametrize("broken", ["turn", "deleted", "sync"])
async def test_an_error_ends_no_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(keeper, "SYNC_S", 0.001)
    monkeypatch.setattr(keeper, "TURN_S", 0.002)
    store, tried = FolderStore(tmp_path / "objects"), asyncio.Event()
    await store.start()
    archive = opened(store, tmp_path / "journal", "n", 1 << 20, SYSTEM)
    loop, works = asyncio.get_running_loop(), getattr(Journal, broken)

    def fails(journal: Journal) -> object:
        if tried.is_set():
            return works(journal)
        loop.call_soon_threadsafe(tried.set)
        raise OSError

    monkeypatch.setattr(Journal, broken, fails)
    archive.keep(LINE, "192.0.2.7", NOW_MS)
    await archive.archive.start()
    async with asyncio.timeout(60):
        await tried.wait()
        while not list((tmp_path / "objects").rglob("*.parquet")):
            await asyncio.sleep(0.01)
    assert archive.archive.ready() is None
    await archive.archive.stop()
    await store.stop()


FULL = """
import resource, signal, sys
from pathlib import Path
from cdn_router.archive.journal import Journal
from cdn_router.errors import Busy
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
journal = Journal(Path(sys.argv[1]), "n", 1 << 30)
for number in range(40):
    try:
        journal.append(b"%060d" % number, "", number * 2000)
    except Busy:
        print("refused", number, flush=True)
    else:
        print("taken", number, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(b"%060d" % 40, "", 1 << 40)
print("taken 40", flush=True)
"""


def test_a_full_disk_tears_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told = [line.split() for line in done.stdout.splitlines()]
    taken = [int(number) for fate, number in told if fate == "taken"]
    assert taken[-1] == 40 and len(taken) < len(told) == 41
    assert [int(body) for body in kept(Journal(tmp_path, "later", 1 << 30))] == taken
