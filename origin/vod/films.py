"""Films in S3 as a part of the process: the store is open while titles are served from it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from origin.vod.library import Library
from origin.vod.opened import InputKeys
from origin.vod.package import Report, register
from origin.vod.reading import Objects
from runtime.objects import ObjectStore


class Films:
    """Lends a bucket to the library (runtime.service.Part)."""

    name = "films"

    def __init__(self, store: ObjectStore, bucket: str, library: Library) -> None:
        self._store = store
        self._bucket = bucket
        self._library = library

    async def start(self) -> None:
        await self._store.start()
        self._library.objects = Objects(self._store, asyncio.get_running_loop(), self._bucket)

    def ready(self) -> str | None:
        return self._store.ready()

    async def drain(self) -> None:
        """Nothing is begun here."""

    async def stop(self) -> None:
        self._library.objects = None
        await self._store.stop()


async def register_objects(
    data_dir: Path,
    inputs: Sequence[Path | str],
    title: str,
    store: ObjectStore,
    bucket: str,
    *,
    ffmpeg: str = "",
    drop_misaligned: bool = False,
    keys: InputKeys | None = None,
) -> Report:
    """`register` for inputs of which some are s3://BUCKET/NAME. VodError, ObjectError."""
    await store.start()
    try:
        objects = Objects(store, asyncio.get_running_loop(), bucket)
        return await asyncio.to_thread(
            register,
            data_dir,
            inputs,
            title,
            objects=objects,
            ffmpeg=ffmpeg,
            drop_misaligned=drop_misaligned,
            keys=keys,
        )
    finally:
        await store.stop()
