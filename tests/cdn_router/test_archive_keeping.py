"""The journal and its Parquet: nothing acknowledged is lost, everything can be queried."""

import asyncio
import fcntl
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from cdn_router.archive import keeper
from cdn_router.archive.journal import Frame, Journal, frames
from cdn_router.archive.opening import opened
from cdn_router.archive.reading import dataset
from cdn_router.archive.table import NAMES, table
from cdn_router.cells.place import Place
from cdn_router.cmcd.decode import decode_line
from cdn_router.errors import Busy
from runtime.clock import SYSTEM
from runtime.objects import FolderStore, ObjectError, ObjectInfo

NOW_MS = 1_700_000_000_000
LINES = [
    b'bl=(900 500;a),br=(5000;v 128;a),bs,cid="film",e=t,mtp=(4000),sid="s1",sn=1,ts=7,v=2',
    b'e=rr,ot=v,rc=404,sid="s2",ts=8,ttlb=50,url="https://u:p@a.example/1.m4s?CAT=secret",v=2',
    b'e=rr,rc=200,sid="s2",su=?0,ts=9,url="https://a.example/1.m4s?CAT=secret",v=2',
    b'  e=e,ec=("x" "y"),sid=s3,ts=9,v=2 ',
    b'br=300,sid="old"',
]


def rows_of(frames: list[Frame]) -> pa.Table:
    """Rows of players in 192.0.2, which is Sweden, of the CDN A."""
    of, hosts = {"192.0.2.0": Place("SE", "AS1"), "2001:db8::": Place("NO")}, {"a.example": "A"}
    return table(frames, lambda at: of.get(at, Place()), lambda host: hosts.get(host, ""))


def test_rows_are_what_the_records_say() -> None:
    rows = rows_of([Frame(1, "n", b"\n".join(LINES[:2])), Frame(2, "m", b"\n".join(LINES[2:]))])
    found = {(row["sid"], row["ts"]): row for row in rows.to_pylist()}
    assert [row["at_ms"] for row in rows.to_pylist()] == [1, 1, 2, 2, 2]
    first = {name: value for name, value in found["s1", 7].items() if value is not None}
    assert first == {
        **{"at_ms": 1, "network": "n", "bl": 900, "br": 5000, "bs": True, "cid": "film", "e": "t"},
        **{"mtp": 4000, "sid": "s1", "sn": 1, "ts": 7, "region": "", "isp": "", "cdn": ""},
    }
    assert found["s2", 8]["url"] == "" and found["s2", 9]["url"] == "https://a.example/1.m4s"
    assert found["s2", 9]["su"] is False and found["s3", 9]["ec"] == "x"
    assert found["old", None]["br"] == 300
    assert "secret" not in str(rows.to_pylist())
    [odd] = rows_of([Frame(0, "", b" " + LINES[2])]).to_pylist()
    assert odd["url"] == "https://a.example/1.m4s", "cut on the slow way too"


def test_rows_tell_where_and_of_which_cdn() -> None:
    lines = [
        b'e=rr,rc=200,sid="s",ts=1,url="https://a.example/x/1.m4s?y",v=2',
        b'e=t,h="a.example",sid="s",ts=1,v=2',
        b'e=rr,h="a.example",rc=200,sid="s",ts=1,url="https://other.example",v=2',
        b'e=t,sid="s",ts=1,v=2',
    ]
    body = b"\n".join(lines)
    frames = [Frame(1, "192.0.2", body), Frame(1, "2001:db8::/48", lines[0])]
    found = rows_of(frames).to_pylist()
    assert [row["cdn"] for row in found] == ["A", "A", "", "", "A"]
    assert {(row["region"], row["isp"]) for row in found[:4]} == {("SE", "AS1")}
    assert (found[4]["region"], found[4]["isp"]) == ("NO", "")
    assert rows_of([]).num_rows == 0
    named = [
        (b"http://a.example:80@b.example/1", ""),
        (b"http://u:p@a.example/1", "A"),
        (b"//a.example/1", "A"),
        (b"https://a.example#x", "A"),
        (b"a.example", ""),
    ]
    for url, cdn in named:
        line = b'sid="s",url="%s",v=2' % url
        both = rows_of([Frame(1, "n", each) for each in (line, b" " + line)]).to_pylist()
        assert [row["cdn"] for row in both] == [cdn, cdn], url


def test_the_kernel_and_the_reader_tell_the_same() -> None:
    """Each key alone, through both ways."""
    samples = {"sid": '"a"', "cid": '"b"', "cs": '"c"', "cen": '"d"', "h": '"h"', "url": '"u"'}
    tokens = {"e": "t", "ot": "av", "sf": "h", "st": "ll", "sta": "p"}
    for name in NAMES:
        for value in (samples.get(name), tokens.get(name), "(100 300)", '("x")', "200", "?0"):
            line = f"{name}={value},v=2".encode()
            if value is None or decode_line(line.decode()).notes:
                continue
            odd = b"v=2," + line[:-4]  # the same, and left to Python for its space
            ways = [rows_of([Frame(0, "", each)]).to_pylist() for each in (line, b" " + odd)]
            assert ways[0] == ways[1] and ways[0][0][name] is not None, line


def test_frames_end_at_the_first_that_is_torn(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n", 10_000)
    for number in range(3):
        journal.append(b"body%d" % number, "192.0.2", NOW_MS + number)
    assert journal.ended() == []
    journal.turn()
    [path] = journal.ended()
    assert path.stat().st_mode & 0o077 == 0
    content = path.read_bytes()
    assert list(frames(content))[1] == Frame(NOW_MS + 1, "192.0.2", b"body1")
    for cut in range(len(content)):
        whole = list(frames(content[:cut]))
        assert len(whole) == cut // (len(content) // 3)
    assert len(list(frames(content[:-1] + b"x"))) == 2


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n", 100)
    journal.append(b"x" * 60, "", NOW_MS)
    with pytest.raises(Busy):
        journal.append(b"x" * 60, "", NOW_MS)
    journal.turn()
    journal.stored(journal.ended()[0])
    journal.append(b"x" * 60, "", NOW_MS)


CHILD = """
import sys
from pathlib import Path
from cdn_router.archive.journal import Journal
journal = Journal(Path(sys.argv[1]), "n", 1 << 30)
for number in range(10**9):
    journal.append(b"%d" % number, "", 0)
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = [int(child.stdout.readline()) for _ in range(200)]
    child.kill()
    seen += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    child.wait()
    child.stdout.close()
    [path] = Journal(tmp_path, "later", 1 << 30).ended()
    kept = [int(frame.body) for frame in frames(path.read_bytes())]
    assert kept[: len(seen)] == seen and len(kept) <= len(seen) + 1


class Away(FolderStore):
    """A store that is away at first."""

    away = True

    async def put(self, name: str, body: bytes, **options: object) -> str:
        if self.away:
            raise ObjectError("unavailable", "away")
        return await super().put(name, body)


async def test_what_another_process_stored_holds_up_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one folder, between the look at it and the file's turn."""
    store, folder = FolderStore(tmp_path / "objects"), tmp_path / "journal"
    await store.start()
    archive = opened(store, folder, "n", 1 << 20, SYSTEM)
    journals = [shelf.journal for shelf in archive.archive._shelves]
    for _ in range(2):
        archive.keep(LINES[0], "192.0.2.7", NOW_MS)
        journals[0].turn()
    look = journals[0].ended

    def ended() -> list[Path]:
        found = look()
        found[0].unlink()
        return found

    monkeypatch.setattr(journals[0], "ended", ended)
    await archive.archive.store()
    assert not list(folder.iterdir()) and len(await store.find("qoe/")) == 1


async def test_parquet_by_the_hour_can_be_queried(tmp_path: Path) -> None:
    store = Away(tmp_path / "objects")
    await store.start()
    folder = tmp_path / "journal"
    archive = opened(store, folder, "n", 1 << 20, SYSTEM)
    for at_ms in (NOW_MS, NOW_MS + 3_600_000):
        archive.keep(b"\n".join(LINES), "192.0.2.7", at_ms)
    await archive.archive.stop()
    await archive.archive.store()
    assert len(list(folder.iterdir())) == 1, "what was not stored stays"
    store.away = False
    await archive.archive.store()
    assert not list(folder.iterdir())
    names = [info.name for info in await store.find("qoe/")]
    assert [name.rpartition("/")[0] for name in names] == [
        "qoe/date=2023-11-14/hour=22",
        "qoe/date=2023-11-14/hour=23",
    ]
    found = dataset(str(tmp_path / "objects")).to_table(
        filter=(ds.field("rc") >= 400) & (ds.field("hour") == 23)
    )
    assert found.column("sid").to_pylist() == ["s2"]
    assert found.column("network").to_pylist() == ["192.0.2"]
    assert pq.read_schema(tmp_path / "objects" / names[0]).field("at_ms").type == "int64"
    await store.stop()


class Endless(FolderStore):
    """A store whose listing never ends."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked, self.stored = asyncio.Event(), asyncio.Event()

    async def find(self, prefix: str, **options: object) -> list[ObjectInfo]:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def put(self, name: str, body: bytes, **options: object) -> str:
        self.stored.set()
        return await super().put(name, body)


async def test_what_comes_in_waits_for_no_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SYNC_S", "TURN_S", "COMPACT_S"):
        monkeypatch.setattr(keeper, name, 0.001)
    store = Endless(tmp_path / "objects")
    await store.start()
    archive = opened(store, tmp_path / "journal", "n", 1 << 20, SYSTEM)
    await archive.archive.start()
    watch = asyncio.create_task(archive.archive.watch())
    async with asyncio.timeout(60):
        await store.asked.wait()
        archive.keep(LINES[0], "192.0.2.7", NOW_MS)
        await store.stored.wait()
    assert archive.archive.ready() is None and not watch.done()
    await archive.archive.stop()
    await asyncio.wait([watch])
    await store.stop()


def test_no_other_worker_takes_a_file_at_its_birth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One who looks when the file is there and its lock is not yet."""
    journal, other = Journal(tmp_path, "n", 1000), Journal(tmp_path, "m", 1000)
    lock = fcntl.flock

    def late(file: int, kind: int) -> None:
        if kind == fcntl.LOCK_EX:
            for path in other.ended():
                other.stored(path)
        lock(file, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    journal.append(b"kept", "", NOW_MS)
    assert other.ended() == [], "it has a writer"
    journal.turn()
    [path] = other.ended()
    assert [frame.body for frame in frames(path.read_bytes())] == [b"kept"]
    assert list(tmp_path.iterdir()) == [path]
