"""Fetches of a demo edge: whole answers, or ones whose body is still arriving and is passed on
as it comes (streaming miss; specs/origin-http.md O10).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from native.http import Growing
from runtime.fetch import Fetched, Fetcher, FetchError, Opened


@dataclass(frozen=True, slots=True)
class Arriving:
    """An answer under way: what viewers get meanwhile, and the whole once it is there.

    `whole` ends with a FetchError when the origin broke off.
    """

    answer: Growing
    whole: asyncio.Future[Fetched]


class Puller:
    """GETs from one origin. An answer without Content-Length is one that is still made."""

    def __init__(
        self,
        fetcher: Fetcher,
        origin_url: str,
        idle_timeout_s: float,
        headers: Sequence[tuple[str, str]],
    ) -> None:
        self._fetcher = fetcher
        self._origin_url = origin_url.rstrip("/")
        self._idle_timeout_s = idle_timeout_s
        self._headers = headers
        self._tasks: set[asyncio.Task[None]] = set()

    async def pull(self, target: str, tag: str | None) -> Fetched | Arriving:
        """One answer; `tag` revalidates. FetchError when the origin does not answer."""
        headers = {"Accept-Encoding": "identity"}
        if tag is not None:
            headers["If-None-Match"] = f'"{tag}"'
        first: asyncio.Future[Fetched | Arriving] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._run(self._origin_url + target, headers, first))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await first

    async def _run(
        self, url: str, headers: Mapping[str, str], first: asyncio.Future[Fetched | Arriving]
    ) -> None:
        try:
            async with self._fetcher.open(
                url, headers, idle_timeout_s=self._idle_timeout_s
            ) as opened:
                if opened.status == 200 and "content-length" not in opened.headers:
                    await self._pass_on(opened, first)
                else:
                    first.set_result(await _whole(opened))
        except FetchError as error:
            if not first.done():
                first.set_exception(error)

    async def _pass_on(self, opened: Opened, first: asyncio.Future[Fetched | Arriving]) -> None:
        growing = Growing(
            opened.headers.get("content-type", "application/octet-stream"),
            cache_control=opened.headers.get("cache-control", "no-store"),
            headers=self._headers,
        )
        whole: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        first.set_result(Arriving(growing, whole))
        body = []
        try:
            async for chunk in opened.chunks:
                body.append(chunk)
                growing.append(chunk)
        except FetchError as error:
            growing.abort()
            whole.set_exception(error)
        except BaseException:
            growing.abort()
            whole.cancel()
            raise
        else:
            growing.finish()
            whole.set_result(Fetched(opened.status, opened.headers, b"".join(body)))


async def _whole(opened: Opened) -> Fetched:
    return Fetched(opened.status, opened.headers, b"".join([c async for c in opened.chunks]))
