"""Films in S3: few range reads, an index kept beside, the source never changed (TR-45..TR-47)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import imageio_ffmpeg
import pytest
from origin_rigs.recipes import recipe
from twins.plugin import S3_KEYS

from native.http import Entity, Refusal
from origin.vod import Films, Library, VodError, register, register_objects
from origin.vod.catalog import folder, load_record
from runtime.objects import FolderStore, Object, ObjectStore, S3Store
from runtime.sections import Objects as Settings

KEY = "films/film.mp4"
PLACE = f"s3://headwater/{KEY}"


class Counting(FolderStore):
    """A store that tells which ranges were read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ranges: list[tuple[int, int | None]] = []

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        self.ranges.append((start, end))
        return await super().get(name, start=start, end=end, if_match=if_match)


async def body(library: Library, leaf: str) -> bytes:
    answer = library.answer("film", leaf)
    answer = await answer if isinstance(answer, Awaitable) else answer
    assert isinstance(answer, Entity), (leaf, answer)
    return answer.body


@pytest.fixture
async def store(tmp_path: Path, film: Path) -> AsyncIterator[Counting]:
    store = Counting(tmp_path / "s3")
    await store.start()
    await store.put(KEY, film.read_bytes())
    yield store
    await store.stop()


async def test_text_chapters_and_thumbnails_are_read_by_ranges(
    store: Counting, tmp_path: Path
) -> None:
    for name in ("mov_text", "chapters"):
        await store.put(f"films/{name}.mp4", recipe(name).read_bytes())
        local, remote = tmp_path / f"{name}-local", tmp_path / name
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        register(local, [recipe(name)], "film", ffmpeg=ffmpeg)
        place = f"s3://headwater/films/{name}.mp4"
        await register_objects(remote, [place], "film", store, "headwater", ffmpeg=ffmpeg)
        mine, theirs = (load_record(folder(home, "film")) for home in (local, remote))
        assert mine is not None and theirs is not None
        assert (mine.texts, mine.chapters) == (theirs.texts, theirs.chapters)
        assert mine.texts or mine.chapters
        assert mine.thumbnails is not None and mine.thumbnails == theirs.thumbnails


async def test_the_same_bytes_as_from_a_file_in_few_reads(
    store: Counting, film: Path, tmp_path: Path
) -> None:
    local, remote = tmp_path / "local", tmp_path / "remote"
    register(local, [film], "film")
    await register_objects(remote, [PLACE], "film", store, "headwater")
    assert len(store.ranges) <= 2  # the head, and what is behind the media
    library = Library(remote)
    films = Films(store, "headwater", library)
    await films.start()
    plain = Library(local)
    try:
        store.ranges.clear()
        assert await body(library, "v180/2.m4s") == await body(plain, "v180/2.m4s")
        assert len(store.ranges) == 1
        for leaf in ("a-fra/3.m4s", "v180/4.ts", "v180/1.i.m4s", "v180/track.mp4"):
            assert await body(library, leaf) == await body(plain, leaf)
        whole = {"master.m3u8", "manifest.mpd", "v180/media.m3u8", "a-eng/init.mp4"}
        store.ranges.clear()
        for leaf in whole:
            assert await body(library, leaf) == await body(plain, leaf)
        assert not store.ranges
    finally:
        await films.stop()
        library.close()
        plain.close()


async def test_a_changed_object_is_indexed_again(
    store: Counting, film: Path, tmp_path: Path
) -> None:
    await register_objects(tmp_path, [PLACE], "film", store, "headwater")
    library = Library(tmp_path)
    films = Films(store, "headwater", library)
    await films.start()
    try:
        before = await body(library, "v180/1.m4s")
        await store.put(KEY, film.read_bytes())
        answer = library.answer("film", "v180/2.m4s")
        assert isinstance(answer, Awaitable)
        assert (await answer).status == 200  # TR-46
        assert await body(library, "v180/1.m4s") == before
    finally:
        await films.stop()
        library.close()


async def test_what_is_not_there_is_told(store: Counting, tmp_path: Path) -> None:
    for place, words in (
        ("s3://headwater/nosuch.mp4", "not_found"),
        ("s3://other/film.mp4", "the configured bucket is headwater"),
    ):
        with pytest.raises(VodError, match=words) as caught:
            await register_objects(tmp_path, [place], "film", store, "headwater")
        assert caught.value.code == "unreadable"
    with pytest.raises(VodError, match="no object store"):
        register(tmp_path, [PLACE], "film")


async def _real(store: ObjectStore, film: Path, home: Path) -> None:
    await store.start()
    await store.put(KEY, film.read_bytes())
    await store.stop()
    await register_objects(home, [PLACE], "film", store, "headwater")
    register(home / "local", [film], "film")
    library, plain = Library(home), Library(home / "local")
    films = Films(store, "headwater", library)
    await films.start()
    try:
        leaves = [f"{t}/{n}.m4s" for t in ("v180", "a-eng") for n in range(1, 5)]
        found = await asyncio.gather(*(body(library, leaf) for leaf in leaves))
        assert found == [await body(plain, leaf) for leaf in leaves]
        assert isinstance(library.answer("film", "v180/9.m4s"), Refusal)
    finally:
        await films.stop()
        library.close()
        plain.close()


@pytest.mark.twin
async def test_with_moto(moto_endpoint: str, film: Path, tmp_path: Path) -> None:
    settings = Settings.model_validate({"url": moto_endpoint, "access_key": "k", "secret_key": "s"})
    await _real(S3Store(settings), film, tmp_path)


@pytest.mark.twin
async def test_with_seaweedfs(weed_endpoint: str, film: Path, tmp_path: Path) -> None:
    access, secret = S3_KEYS
    settings = Settings.model_validate(
        {"url": weed_endpoint, "access_key": access, "secret_key": secret}
    )
    await _real(S3Store(settings), film, tmp_path)
