"""How often films in S3 are asked for: cold starts, neighbours, read-ahead (TR-45, TR-46)."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from twins.plugin import S3_KEYS

from native.http import Entity
from origin.vod import Films, Library, register, register_objects
from origin.vod.spans import Pace, Spans
from runtime.objects import FolderStore, Object, S3Store
from runtime.sections import Objects as Settings

KEY = "films/film.mp4"
PLACE = f"s3://headwater/{KEY}"


class Counted(FolderStore):
    """A store that keeps count, and can be made to wait."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.ranges: list[tuple[int, int | None]] = []
        self.free = 1000  # calls beyond these wait
        self.open = asyncio.Event()

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        self.ranges.append((start, end))
        if len(self.ranges) > self.free:
            await self.open.wait()
        return await super().get(name, start=start, end=end, if_match=if_match)


class CountedS3(S3Store):
    """One request a call."""

    requests = 0

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        self.requests += 1
        return await super().get(name, start=start, end=end, if_match=if_match)


async def body(library: Library, leaf: str) -> bytes:
    answer = library.answer("film", leaf)
    answer = await answer if isinstance(answer, Awaitable) else answer
    assert isinstance(answer, Entity), (leaf, answer)
    return answer.body


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def store(tmp_path: Path, film: Path) -> Counted:
    store = Counted(tmp_path / "s3")
    await store.start()
    await store.put(KEY, film.read_bytes())
    await register_objects(tmp_path / "remote", [PLACE], "film", store, "headwater")
    register(tmp_path / "local", [film], "film")
    store.ranges.clear()
    return store


@pytest.fixture
async def library(store: Counted, tmp_path: Path) -> AsyncIterator[Library]:
    library = Library(tmp_path / "remote", kept_bytes=0)
    films = Films(store, "headwater", library)
    await films.start()
    yield library
    store.open.set()
    await films.stop()
    library.close()


async def test_what_plays_on_is_read_ahead(
    store: Counted, library: Library, tmp_path: Path
) -> None:
    plain = Library(tmp_path / "local")
    for number in (1, 2):
        await body(library, f"v180/{number}.m4s")
        assert len(store.ranges) == number
    await body(library, "v180/3.m4s")
    await until(lambda: len(store.ranges) == 4)
    store.ranges.clear()
    assert await body(library, "v180/4.m4s") == await body(plain, "v180/4.m4s")
    assert len(store.ranges) <= 1  # the one after it
    plain.close()


async def test_leaps_are_not_read_ahead(store: Counted, library: Library) -> None:
    for number in (1, 3, 2, 4):
        await body(library, f"v180/{number}.m4s")
    assert len(store.ranges) == 4


async def test_a_range_on_its_way_is_waited_for(store: Counted, library: Library) -> None:
    store.free = 3
    for number in (1, 2, 3):
        await body(library, f"v180/{number}.m4s")
    await until(lambda: len(store.ranges) == 4)
    asked = [asyncio.ensure_future(body(library, "v180/4.m4s")) for _ in range(3)]
    await asyncio.wait(asked, timeout=0.2)
    assert len(store.ranges) == 4 and not any(task.done() for task in asked)
    store.open.set()
    first, *others = await asyncio.gather(*asked)
    assert others == [first, first]
    assert len(store.ranges) <= 5  # and the one after it


@pytest.mark.twin
async def test_a_cold_film_is_three_requests_of_a_real_store(
    weed_endpoint: str, film: Path, tmp_path: Path
) -> None:
    """TR-45: from nothing but a name to the first segment."""
    access, secret = S3_KEYS
    settings = Settings.model_validate(
        {
            "url": weed_endpoint,
            "access_key": access,
            "secret_key": secret,
            "bucket": "headwater-cold",
        }
    )
    store = CountedS3(settings)
    await store.start()
    await store.put(KEY, film.read_bytes())
    await store.stop()
    place = f"s3://headwater-cold/{KEY}"
    await register_objects(tmp_path / "r", [place], "film", store, "headwater-cold")
    library = Library(tmp_path / "r", kept_bytes=0)
    films = Films(store, "headwater-cold", library)
    await films.start()
    try:
        await body(library, "v180/2.m4s")
        assert 0 < store.requests <= 3
    finally:
        await films.stop()
        library.close()


def test_stretches_stay_below_their_budget() -> None:
    chance = random.Random(3)
    spans = Spans(1000)
    whole = {name: chance.randbytes(400) for name in "ab"}
    for _ in range(3000):
        name, start = chance.choice("ab"), chance.randrange(400)
        end = chance.randrange(start, 401)
        if chance.random() < 0.5:
            spans.put((name,), start, whole[name][start:end])
        else:
            found = spans.find((name,), start, end)
            assert found is None or bytes(found) == whole[name][start:end]
        assert spans.held_bytes <= 1000
    assert spans.find(("a", 1), 0, 1) is None  # another version


def test_the_pace_of_a_viewer() -> None:
    pace = Pace()
    asked = (1, 2, 3, 3, 4, 9, 10, 11, 5)
    expected = [False, False, True, True, True, False, False, True, False]
    assert [pace.goes_on(n) for n in asked] == expected
