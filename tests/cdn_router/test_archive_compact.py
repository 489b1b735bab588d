"""Compaction: many small files become few, and whoever reads meanwhile sees each row once."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from cdn_router.archive import compact as subject
from cdn_router.archive.compact import LIVE, compact
from cdn_router.archive.opening import opened
from cdn_router.archive.reading import dataset
from runtime import sections
from runtime.clock import SYSTEM
from runtime.objects import FolderStore, Object, ObjectError, ObjectStore, S3Store

HOUR = "qoe/date=2023-11-14/hour=22"
OVER_MS = 1_700_002_800_000
LATER_MS = 1 << 60  # all there is is old by then


def parquet(*values: int) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table({"value": pa.array(values, pa.int64())}), body)
    return body.getvalue()


def values(root: str) -> list[int]:
    return sorted(dataset(root).to_table().column("value").to_pylist())


class Watched(FolderStore):
    """A folder in which somebody reads before and after each change; `dies_at` is the change before
    which the process ends.
    """

    def __init__(self, root: Path, expected: list[int]) -> None:
        super().__init__(root)
        self.changes, self.dies_at = 0, -1
        self._folder, self._expected = root, expected

    def look(self) -> None:
        assert values(str(self._folder)) == self._expected

    def _change(self) -> None:
        self.look()
        if self.changes == self.dies_at:
            raise ObjectError("unavailable", "died")
        self.changes += 1

    async def put(self, name: str, body: bytes, **options: object) -> str:
        self._change()
        tag = await super().put(name, body, **options)  # type: ignore[arg-type]
        self.look()
        return tag

    async def delete(self, name: str) -> None:
        self._change()
        await super().delete(name)
        self.look()


async def filled(store: ObjectStore) -> None:
    for number in range(6):
        await store.put(f"{HOUR}/{number:013d}-n-1.parquet", parquet(2 * number, 2 * number + 1))
    await store.put("qoe/date=2023-11-14/hour=23/0-n-1.parquet", parquet(100))


async def names(store: ObjectStore) -> list[str]:
    return [info.name.rpartition("/")[2] for info in await store.find(f"{HOUR}/")]


EXPECTED = [*range(12), 100]


@pytest.mark.parametrize("dies_at", range(-1, 9))
async def test_each_row_is_there_once_whenever_one_looks(tmp_path: Path, dies_at: int) -> None:
    """A process that dies at any step, one that goes on from there, a reader at every step."""
    store = Watched(tmp_path, EXPECTED)
    await store.start()
    await filled(plain := FolderStore(tmp_path))
    store.dies_at = dies_at
    for now_ms in (OVER_MS, OVER_MS + 400_000, LATER_MS, LATER_MS):
        try:
            await compact(store, "qoe", now_ms)
        except ObjectError:
            store.dies_at = -1
    left = await names(plain)
    assert len(left) == 2 and left[0] == LIVE, "one file, and what says so"
    assert values(str(tmp_path)) == EXPECTED
    assert await compact(store, "qoe", LATER_MS) == 0, "for good"


async def test_what_comes_late_is_neither_lost_nor_doubled(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.start()
    await filled(store)
    assert await compact(store, "qoe", OVER_MS) == 0, "players of the hour may still tell"
    assert await compact(store, "qoe", OVER_MS + 300_000) == 6
    for number in range(2):
        await store.put(f"{HOUR}/9-late-{number}.parquet", parquet(200 + number))
    assert values(str(tmp_path)) == [*EXPECTED, 200, 201]
    assert await compact(store, "qoe", OVER_MS + 300_000) == 2
    assert values(str(tmp_path)) == [*EXPECTED, 200, 201]
    assert len(await names(store)) == 6 + 2 + 2 + 1, "nothing went yet: somebody may be reading"
    await compact(store, "qoe", LATER_MS)
    assert len(await names(store)) == 3


async def test_two_nodes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second swap fails, whichever that is; its file is nobody's and goes later."""
    store, other = FolderStore(tmp_path), FolderStore(tmp_path)
    await store.start()
    await filled(store)
    merge = subject.merge

    def overtaken(bodies: list[bytes]) -> bytes:
        monkeypatch.setattr(subject, "merge", merge)
        (tmp_path / HOUR / "5-x-9.parquet").write_bytes(parquet(300))
        asyncio.run(compact(other, "qoe", OVER_MS + 300_000))
        return merge(bodies)

    monkeypatch.setattr(subject, "merge", overtaken)
    assert await compact(store, "qoe", OVER_MS + 300_000) == 0
    assert values(str(tmp_path)) == [*EXPECTED, 300]
    await compact(store, "qoe", LATER_MS)
    assert values(str(tmp_path)) == [*EXPECTED, 300] and len(await names(store)) == 2


def test_merging_keeps_order_and_knows_new_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of its row groups; null stands for a column of a later version."""
    newer = io.BytesIO()
    pq.write_table(pa.table({"more": ["x"], "value": pa.array([9], pa.int64())}), newer)
    bodies = [parquet(0, 1), parquet(2), newer.getvalue(), parquet(3)]
    for rows, groups in ((200_000, 1), (2, 3), (1, 4)):
        monkeypatch.setattr(subject, "GROUP_ROWS", rows)
        merged = pq.ParquetFile(io.BytesIO(subject.merge(bodies)))
        assert merged.num_row_groups == groups
        found = merged.read()
        assert found.column("value").to_pylist() == [0, 1, 2, 9, 3]
        assert found.column("more").to_pylist() == [None, None, None, "x", None]


async def test_hours_older_than_one_keeps_them_go(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.start()
    await filled(store)
    await store.put("qoe/elsewhere/x.parquet", parquet(7))
    day_ms = 86_400_000
    await compact(store, "qoe", OVER_MS + 2 * day_ms - 1, 2)
    assert len(await names(store)) == 6 + 2, "compacted, and there"
    await compact(store, "qoe", OVER_MS + 2 * day_ms, 2)
    left = [info.name for info in await store.find("qoe/")]
    assert left == ["qoe/date=2023-11-14/hour=23/0-n-1.parquet", "qoe/elsewhere/x.parquet"]


@pytest.mark.parametrize("name", ["0-n-1.parquet", LIVE])
async def test_a_broken_hour_is_told_of_and_left(tmp_path: Path, name: str) -> None:
    store = FolderStore(tmp_path)
    await store.start()
    await filled(store)
    earlier = HOUR.replace("22", "21")
    for number in range(2):
        await store.put(f"{earlier}/{number}-n-1.parquet", parquet(300 + number))
    await store.put(f"{earlier}/{name}", b"not what it was")
    with pytest.raises((ValueError, OSError), match="hour=21"):
        await compact(store, "qoe", OVER_MS + 300_000)
    assert LIVE in await names(store), "the others go on"
    assert len(await store.find(f"{earlier}/")) == 2 + (name == LIVE), "nothing of it went"


WORDS = io.BytesIO()
pq.write_table(pa.table({"value": ["words"]}), WORDS)


@pytest.mark.parametrize(
    ("name", "body"), [(LIVE, b'{"merged":["\xff"]}'), ("0-n-1.parquet", WORDS.getvalue())]
)
async def test_one_bad_object_ends_no_archive(tmp_path: Path, name: str, body: bytes) -> None:
    """What is no UTF-8; a column whose type changed."""
    store = FolderStore(tmp_path)
    await store.start()
    await filled(store)
    earlier = HOUR.replace("22", "21")
    for number in range(1, 3):
        await store.put(f"{earlier}/{number}-n-1.parquet", parquet(300 + number))
    await store.put(f"{earlier}/{name}", body)
    with pytest.raises(ValueError, match="hour=21"):
        await compact(store, "qoe", OVER_MS + 300_000)
    assert LIVE in await names(store), "the others go on"
    await opened(store, tmp_path / "journal", "n", 1 << 20, SYSTEM).archive.compact()


class Counted(FolderStore):
    """A folder that counts what is asked of it."""

    gets = 0

    async def get(self, name: str, **options: object) -> Object:
        self.gets += 1
        return await super().get(name, **options)  # type: ignore[arg-type]


async def test_an_hour_at_rest_costs_nothing_until_it_changes(tmp_path: Path) -> None:
    """It rests once nothing is left that time alone makes due."""
    store, resting = Counted(tmp_path), dict[str, int]()
    await store.start()
    await filled(store)

    async def round_(now_ms: int) -> tuple[int, int]:
        before = store.gets
        return await compact(store, "qoe", now_ms, 0, resting), store.gets - before

    assert (await round_(OVER_MS + 300_000))[0] == 6
    assert await round_(OVER_MS + 300_000) == (0, 1) == await round_(OVER_MS + 300_000)
    await round_(LATER_MS)
    assert len(await names(store)) == 2, "what was replaced went, though nothing had changed"
    assert await round_(LATER_MS) == (0, 1)
    assert await round_(LATER_MS) == (0, 0) and HOUR in resting
    for number in range(2):
        await store.put(f"{HOUR}/9-late-{number}.parquet", parquet(200 + number))
    assert (await round_(LATER_MS))[0] == 2
    await compact(store, "qoe", LATER_MS, 1, resting)
    await compact(store, "qoe", LATER_MS, 1, resting)
    assert not resting, "nor is it remembered for longer than it is there"


async def test_large_files_stay_and_groups_have_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    await store.start()
    await filled(store)
    size = len(parquet(0, 1))
    monkeypatch.setattr(subject, "TARGET_BYTES", 2 * size + 2)
    assert await compact(store, "qoe", OVER_MS + 300_000) == 6
    assert sum(name.startswith("merged-") for name in await names(store)) == 3
    monkeypatch.setattr(subject, "TARGET_BYTES", 2 * size - 2)
    await store.put(f"{HOUR}/8-n-1.parquet", parquet(0, 1))
    await store.put(f"{HOUR}/8-n-2.parquet", parquet(0, 1))
    assert await compact(store, "qoe", OVER_MS + 300_000) == 0


@pytest.fixture
async def s3(moto_endpoint: str) -> AsyncIterator[S3Store]:
    store = S3Store(
        sections.Objects(
            url=moto_endpoint,
            bucket="compaction",
            access_key=SecretStr("key"),
            secret_key=SecretStr("secret"),
        )
    )
    await store.start()
    yield store
    await store.stop()


async def test_the_same_on_s3(
    s3: S3Store, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    scheme, _, host = moto_endpoint.partition("://")
    root = f"s3://compaction?endpoint_override={host}&scheme={scheme}&region=us-east-1"
    await filled(s3)
    assert values(root) == EXPECTED
    assert await compact(s3, "qoe", OVER_MS + 300_000) == 6
    assert values(root) == EXPECTED
    await compact(s3, "qoe", LATER_MS)
    assert len(await names(s3)) == 2 and values(root) == EXPECTED
