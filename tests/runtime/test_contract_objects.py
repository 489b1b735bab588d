"""One contract for every object store (CMP-1): a folder, moto, SeaweedFS (CMP-20..22)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from twins.plugin import S3_KEYS

from runtime.objects import FolderStore, ObjectError, ObjectStore, S3Store, choose
from runtime.sections import Objects


def s3(endpoint: str, **more: object) -> S3Store:
    access, secret = map(SecretStr, S3_KEYS)
    more = {"access_key": access, "secret_key": secret, "bucket": "contract", **more}
    return S3Store(Objects.model_validate({"url": endpoint, **more}))


@pytest.fixture(
    params=[
        "folder",
        pytest.param("moto_endpoint", marks=pytest.mark.twin),
        pytest.param("weed_endpoint", marks=pytest.mark.twin),
    ]
)
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    store: ObjectStore
    if request.param == "folder":
        store = FolderStore(tmp_path / "o")
    else:
        store = s3(request.getfixturevalue(request.param))
    await store.start()
    assert store.ready() is None
    for left in await store.find():  # one bucket for all: SeaweedFS grows volumes for each
        await store.delete(left.name)
    yield store
    await store.stop()


async def refused(code: str, work: object) -> None:
    with pytest.raises(ObjectError) as caught:
        await work  # type: ignore[misc]
    assert caught.value.code == code


async def test_a_body_comes_back_whole_or_in_part(objects: ObjectStore) -> None:
    body = bytes(range(256)) * 40
    etag = await objects.put("live/demo/v1/7.m4s", body, content_type="video/mp4")
    whole = await objects.get("live/demo/v1/7.m4s")
    assert whole.body == body
    assert whole.info == await objects.head("live/demo/v1/7.m4s")
    assert (whole.info.name, whole.info.size) == ("live/demo/v1/7.m4s", len(body))
    assert whole.info.etag == etag
    for start, end in [(0, 1), (10, 300), (10_239, None), (10_000, 99_999), (0, None)]:
        part = await objects.get("live/demo/v1/7.m4s", start=start, end=end)
        assert part.body == body[start:end]
        assert part.info == whole.info


async def test_ranges_that_hold_nothing_are_refused(objects: ObjectStore) -> None:
    await objects.put("a", b"0123")
    for start, end in [(4, None), (9, 12), (2, 2), (3, 1), (-1, 2)]:
        await refused("bad_range", objects.get("a", start=start, end=end))
    await objects.put("empty", b"")
    assert (await objects.get("empty")).body == b""


async def test_what_is_not_there(objects: ObjectStore) -> None:
    await refused("not_found", objects.get("no/such"))
    await refused("not_found", objects.head("no/such"))
    await objects.delete("no/such")
    await objects.put("there/it", b"1")
    await objects.delete("there/it")
    await objects.delete("there/it")
    await refused("not_found", objects.head("there/it"))
    assert await objects.find() == []


async def test_only_one_of_many_creates(objects: ObjectStore) -> None:
    async def create(n: int) -> bool:
        try:
            await objects.put("one", b"%d" % n, if_absent=True)
        except ObjectError as error:
            assert error.code == "exists"
            return False
        return True

    assert await create(0)
    assert sum(await asyncio.gather(*map(create, range(1, 6)))) == 0
    assert (await objects.get("one")).body == b"0"


async def test_a_replacement_must_know_what_it_replaces(objects: ObjectStore) -> None:
    first = await objects.put("state", b"1")
    second = await objects.put("state", b"2", if_match=first)
    assert second != first
    await refused("changed", objects.put("state", b"3", if_match=first))
    assert (await objects.get("state")).body == b"2"


async def test_listing_pages_through_every_name_once(objects: ObjectStore) -> None:
    names = ["a/1", "a/10", "a/2", "a-b", "b/c/d", "b/c/e"]
    for name in names:
        await objects.put(name, name.encode())
    paged: list[str] = []
    while page := await objects.find(after=paged[-1] if paged else "", limit=4):
        paged += [each.name for each in page]
    assert sorted(paged) == sorted(names)
    assert paged == [each.name for each in await objects.find()]
    assert [each.name for each in await objects.find("a/")] == ["a/1", "a/10", "a/2"]
    assert [each.name for each in await objects.find("a/1")] == ["a/1", "a/10"]
    assert [each.name for each in await objects.find("a/", limit=2)] == ["a/1", "a/10"]
    assert [each.name for each in await objects.find("a/", after="a/10")] == ["a/2"]
    assert await objects.find("z") == []
    assert (await objects.find("b/c/e"))[0] == await objects.head("b/c/e")


BAD_NAMES = [
    *("", "/etc/passwd", "../x", "a/../x", "a/./b", "a//b", "a/", ".", "..", "a\\b", "a\0b"),
    *("a b", "a%2e", "ü", "a" * 201, "/".join(["a" * 100] * 6), "a\n", "a?b", "a#b", "a*"),
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
async def test_bad_names_reach_no_store(tmp_path: Path, name: str) -> None:
    folder = FolderStore(tmp_path / "o")
    await folder.start()
    for store in (folder, s3("http://127.0.0.1:9")):  # never connected: refused before
        await refused("bad_name", store.put(name, b"x"))
        await refused("bad_name", store.get(name))
        await refused("bad_name", store.head(name))
        await refused("bad_name", store.delete(name))
    assert await folder.find() == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["o"]


async def test_the_folder_hides_what_is_its_own(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    await folder.start()
    for name in (".tmp/x", ".lock", ".lock/x"):
        await refused("bad_name", folder.put(name, b"x"))
    await folder.put("a/b", b"1")
    await refused("bad_name", folder.put("a/b/c", b"1"))
    await refused("bad_name", folder.put("a", b"1"))
    await refused("not_found", folder.get("a"))
    assert [each.name for each in await folder.find()] == ["a/b"]
    await folder.delete("a/b")
    await folder.put("a", b"1")


async def test_a_crash_leaves_no_object_behind(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    await folder.start()
    (tmp_path / ".tmp" / "half").write_bytes(b"half a bo")
    assert await folder.find() == []
    again = FolderStore(tmp_path)
    await again.start()
    assert list((tmp_path / ".tmp").iterdir()) == []


async def test_readers_never_see_half_a_body(tmp_path: Path) -> None:
    folder = FolderStore(tmp_path)
    await folder.start()
    bodies = [bytes([n]) * 200_000 for n in range(8)]
    await folder.put("x", bodies[0])

    async def write() -> None:
        for body in bodies:
            await folder.put("x", body)

    writing = asyncio.create_task(write())
    while not writing.done():
        found = await folder.get("x")
        assert len(set(found.body)) == 1
        assert len(found.body) == found.info.size == 200_000
    await writing


@pytest.mark.twin
async def test_seaweed_checks_credentials(weed_endpoint: str) -> None:
    stranger = s3(weed_endpoint, secret_key=SecretStr("wrong"))
    await refused("unavailable", stranger.start())
    await stranger.stop()


async def test_an_absent_server_is_unavailable() -> None:
    store = s3("http://127.0.0.1:9")
    await refused("unavailable", store.start())
    await store.stop()


def test_the_choice_follows_the_url(tmp_path: Path) -> None:
    assert isinstance(choose(Objects(), tmp_path), FolderStore)
    assert isinstance(choose(Objects(url="http://127.0.0.1:9"), tmp_path), S3Store)
