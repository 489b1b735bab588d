"""One channel of an origin without sockets, its archive, and a store that fails as a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from twins.plugin import S3_KEYS

from native.http import Hot
from origin.delivery.recordings import TimeShift
from origin.ingest.body import TrackBody
from origin.live.archive import Archive
from origin.live.channels import Channels
from origin.settings import Settings
from runtime.objects import FolderStore, ObjectError, ObjectStore, S3Store
from runtime.sections import Objects

FIRST = 900_000_000
SETTINGS: dict[str, Any] = {
    "window_s": 8,
    "retention_s": 40,
    "archive_s": 400,
    "archive_block_bytes": 65536,
    "channels": {"demo": {"segment_s": "48/25"}},
}
STORES = [
    "folder",
    pytest.param("moto_endpoint", marks=pytest.mark.twin),
    pytest.param("weed_endpoint", marks=pytest.mark.twin),
]


@asynccontextmanager
async def empty(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[ObjectStore]:
    """One of STORES, with nothing in it."""
    made: ObjectStore = FolderStore(folder / "objects")
    if request.param != "folder":
        access, secret = map(SecretStr, S3_KEYS)
        url = request.getfixturevalue(request.param)
        made = S3Store(Objects(url=url, access_key=access, secret_key=secret, bucket="archive"))
    await made.start()
    for left in await made.find():
        await made.delete(left.name)
    yield made
    await made.stop()


class Rig:
    """One channel of an origin without sockets, and its archive."""

    def __init__(self, folder: Path, media: Any, store: ObjectStore, **settings: Any) -> None:
        self.media = media
        self.settings = Settings(**(SETTINGS | settings))
        self.hot = Hot()
        self.now_s = 0.0
        self.channels = Channels(folder / "live", self.settings, self.hot, lambda: self.now_s)
        self.channels.open()
        self.shift = TimeShift(
            self.settings, self.hot, self.channels.presentations, self.channels.recordings
        )
        writers = self.channels.writers
        self.archive = Archive(
            store, self.settings, lambda: (w.channel for w in writers.values()), lambda: self.now_s
        )
        self.shift.archive = self.archive

    def push(self, *numbers: int) -> None:
        for number in numbers:
            self.now_s = float((number + 1) * 48 / 25)
            body = TrackBody(self.channels, "demo", "v", self.settings, lambda: self.now_s)
            if "demo" not in self.channels.presentations:
                body.feed(self.media.header)
            body.feed(self.media.segment(number))
            body.finish()
            body.close()

    @property
    def track(self) -> Any:
        return self.channels.presentations["demo"].channel.tracks["v"]

    async def get(self, number: int) -> Any:
        path = f"/live/demo/v/{number}.m4s"
        if (entity := self.hot.get(path)) is not None:
            self.hot.drop(path)
            del entity
        given = self.shift.media(self.channels.presentations["demo"], self.track, f"{number}.m4s")
        return await given if asyncio.iscoroutine(given) else given

    def local(self) -> set[int]:
        return {int(p.stem) for p in self.track.log.folder.glob("*.cmaf")}


class Flaky:
    """A store that can be away, lie, or lose its process after a put."""

    def __init__(self, store: ObjectStore) -> None:
        self.name = store.name
        self.store = store
        self.away = self.lies = False
        self.puts: list[str] = []
        self.copies: list[str] = []
        self.gets = 0

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def drain(self) -> None: ...
    def ready(self) -> str | None:
        return None

    def _there(self) -> None:
        if self.away:
            raise ObjectError("unavailable", "away")

    async def put(self, name: str, body: bytes, **more: Any) -> str:
        self._there()
        self.puts.append(name)
        return await self.store.put(name, body[:-1] + b"!" if self.lies else body, **more)

    async def get(self, name: str, **more: Any) -> Any:
        self._there()
        self.gets += 1
        await asyncio.sleep(0)
        return await self.store.get(name, **more)

    async def copy(self, source: str, name: str, **more: Any) -> Any:
        self._there()
        self.copies.append(name)
        return await self.store.copy(source, name, **more)

    async def head(self, name: str) -> Any:
        return await self.store.head(name)

    async def find(self, prefix: str = "", **more: Any) -> Any:
        return await self.store.find(prefix, **more)

    async def delete(self, name: str) -> None:
        self._there()
        await self.store.delete(name)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
