"""One contract for every object store (CMP-1): a folder, moto, SeaweedFS (CMP-20..22)."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
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


async def test_a_copy_is_an_object_of_its_own(objects: ObjectStore) -> None:
    """CTL-127: whole or in part; what becomes of either is nothing to the other."""
    body = bytes(range(256)) * 40
    await objects.put("live/demo/v/1", body, content_type="video/mp4")
    for start, end in [(0, None), (0, 10_240), (0, 99_999), (0, 1), (10, 300), (10_239, None)]:
        made = await objects.copy("live/demo/v/1", "copies/a/v/1", start=start, end=end)
        there = await objects.get("copies/a/v/1")
        assert (there.body, there.info) == (body[start:end], made)
    await objects.copy("live/demo/v/1", "copies/b/v/1")
    await objects.copy("live/demo/v/1", "copies/b/v/1")
    assert (await objects.head("copies/b/v/1")).size == len(body), "twice is once"
    await objects.delete("copies/a/v/1")
    assert (await objects.get("live/demo/v/1")).body == body
    await objects.delete("live/demo/v/1")
    assert (await objects.get("copies/b/v/1")).body == body
    await objects.put("live/demo/v/1", b"other")
    assert (await objects.get("copies/b/v/1")).body == body
    await objects.put("empty", b"")
    assert (await objects.copy("empty", "empty-too")).size == 0


async def test_copies_of_what_is_not_there(objects: ObjectStore) -> None:
    await refused("not_found", objects.copy("no/such", "copies/a"))
    await refused("not_found", objects.head("copies/a"))
    await objects.put("a", b"0123")
    for start, end in [(4, None), (9, 12), (2, 2), (-1, 2)]:
        await refused("bad_range", objects.copy("a", "copies/a", start=start, end=end))
    await refused("bad_name", objects.copy("a", "../a"))
    await refused("bad_name", objects.copy("../a", "a"))


async def test_what_is_too_large_for_one_copy_goes_in_parts(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 takes 5 GiB in one CopyObject; parts but the last have 5 MiB at least."""
    monkeypatch.setattr("runtime.objects.s3.COPY_BYTES", 5 << 20)
    body = bytes(range(251)) * 44_000
    assert len(body) > 10 << 20
    await objects.put("large", body)
    assert (await objects.copy("large", "copy")).size == len(body)
    assert (await objects.get("copy")).body == body


@pytest.mark.twin
async def test_ranges_of_small_objects_are_copied_where_the_store_refuses_to(
    moto_endpoint: str,
) -> None:
    """AWS, UploadPartCopy: "You can copy a range only if the source object is greater than 5 MB";
    moto and SeaweedFS copy of any.
    """
    store, refusals = s3(moto_endpoint), 0
    await store.start()
    client = store._client

    async def as_aws(params: Any, **_: object) -> None:
        nonlocal refusals
        size = (await store.head("block")).size
        if "CopySourceRange" in params and size <= 5 << 20:
            refusals += 1
            raise ClientError({"Error": {"Code": "InvalidRequest"}}, "UploadPartCopy")

    client.meta.events.register("before-parameter-build.s3.UploadPartCopy", as_aws)
    body = bytes(range(251)) * 20_888 + b"the last"
    for size in (1, 5_000, 5 << 20, (5 << 20) + 1):
        etag = await store.put("block", body[:size], content_type="video/mp4")
        for start, end in [(0, size // 2 or None), (size // 3, None), (size // 3, size - 1 or 1)]:
            made = await store.copy("block", "copy", start=start, end=end)
            there = await store.get("copy")
            assert (there.body, there.info) == (body[:size][start:end], made)
            found = await client.head_object(Bucket="contract", Key="copy")
            assert found["ContentType"] == "video/mp4"
        assert (await store.head("block")).etag == etag
    assert not refusals
    await store.stop()


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
async def test_a_folder_copies_where_the_kernel_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """And what else goes wrong is an error."""
    store, code = FolderStore(tmp_path / "o"), refusal
    await store.start()

    def refuse(*_: object) -> int:
        raise OSError(code, "refused")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr("runtime.objects.folder.CHUNK_BYTES", 1_000)
    body = bytes(range(251)) * 40
    await store.put("a", body)
    for start, end in [(0, None), (7, 5_000), (10_039, None)]:
        made = await store.copy("a", "b", start=start, end=end)
        there = await store.get("b")
        assert (there.body, there.info) == (body[start:end], made)
    code = errno.EIO
    await refused("unavailable", store.copy("a", "c"))
    await refused("not_found", store.head("c"))


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
