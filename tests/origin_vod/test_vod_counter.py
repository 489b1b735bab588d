"""Segments answered without the handler are what the handler answers (HT-6, TR-42, TR-44)."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import aiohttp
import pytest

from native.http import Answer, Request, Server, serve
from origin.protection.titles import Policy, settle
from origin.vod import Library, register
from origin.vod.catalog import folder

ASKS: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("HEAD", {}),
    ("GET", {"Range": "bytes=100-4099"}),
    ("GET", {"Range": "bytes=99999999-"}),
    ("GET", {"If-Modified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"}),
]
LEAVES = ["v180/1.m4s", "v180/4.m4s", "a-eng/2.m4s?CMCD=bl%3D1", "a-fra/1.m4s", "a-fra/4.m4s"]
NOWHERE = ["a-eng/5.m4s", "a-eng/0.m4s", "a-eng/01.m4s", "a-eng/.m4s", "a-eng/1000000000.m4s",
           "a-eng/1.m4a", "a-deu/1.m4s"]  # fmt: skip


class Port:
    """One film behind a delivery port; `desk` or the handler alone."""

    def __init__(self, folder: Path, kept_bytes: int = 0, titles: int = 8) -> None:
        self.library = Library(folder, kept_bytes=kept_bytes, open_titles=titles)
        self.handled: list[str] = []
        self.server: Server | None = None

    async def open(self, *, desk: bool) -> None:
        counter = self.library.counter if desk else None
        self.server = await serve(self._handle, host="127.0.0.1", port=0, desk=counter)

    def _handle(self, request: Request) -> Answer | Awaitable[Answer]:
        self.handled.append(request.path)
        _, _, title, leaf = request.path.split("/", 3)
        return self.library.answer(title, leaf, request.query, request)

    async def ask(
        self, leaf: str, method: str = "GET", title: str = "film", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        assert self.server is not None
        url = f"http://127.0.0.1:{self.server.port}/vod/{title}/{leaf}"
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, headers=headers) as got,
        ):
            head = {name: value for name, value in got.headers.items() if name != "Date"}
            return got.status, head, await got.read()

    async def close(self) -> None:
        assert self.server is not None
        await self.server.close()
        self.library.close()


@pytest.fixture
def source(film: Path, tmp_path: Path) -> Path:
    path = tmp_path / "own.mp4"
    shutil.copy(film, path)
    register(tmp_path, [path], "film")
    return path


@pytest.fixture
async def port(source: Path) -> AsyncIterator[Port]:
    port = Port(source.parent)
    await port.open(desk=True)
    yield port
    await port.close()


async def test_the_same_answers_to_the_octet(port: Port, source: Path) -> None:
    """The first ask of a track opens it; a few more and its sound comes from mapped pages."""
    plain = Port(source.parent)
    await plain.open(desk=False)
    try:
        for track in ("v180", "a-eng", "a-fra"):
            await port.ask(f"{track}/1.m4s")
        for _ in range(2):
            for leaf in LEAVES:
                for method, headers in ASKS:
                    want = await plain.ask(leaf, method, **headers)
                    assert await port.ask(leaf, method, **headers) == want, (leaf, method, headers)
        assert len(port.handled) == 3 and plain.library.counter.answers == 0
        assert port.library.counter.answers == 2 * len(LEAVES) * len(ASKS)
        for leaf in NOWHERE:
            want = await plain.ask(leaf)
            assert want[0] == 404 and await port.ask(leaf) == want, leaf
    finally:
        await plain.close()


async def test_a_file_that_changed_is_the_handler_s(port: Port, source: Path) -> None:
    first = await port.ask("a-eng/2.m4s")
    assert await port.ask("a-eng/2.m4s") == first and len(port.handled) == 1
    os.utime(source, ns=(1, 10**18))  # indexed again, and with the time of the new one
    changed = await port.ask("a-eng/2.m4s")
    assert changed[2] == first[2] and changed[1]["Last-Modified"] != first[1]["Last-Modified"]
    assert len(port.handled) == 2
    assert await port.ask("a-eng/2.m4s") == changed and len(port.handled) == 2
    os.truncate(source, source.stat().st_size // 2)
    assert (await port.ask("a-eng/4.m4s"))[0] >= 400
    assert len(port.handled) == 3


async def test_who_waits_for_the_same_index_takes_nothing_away(port: Port, source: Path) -> None:
    await port.ask("a-eng/2.m4s")
    os.utime(source, ns=(1, 10**18))
    library = port.library
    waiting = [library.answer("film", f"a-eng/{number}.m4s") for number in (1, 2, 3)]
    assert all(isinstance(each, Awaitable) for each in waiting)
    await asyncio.gather(*(each for each in waiting if isinstance(each, Awaitable)))
    handled = len(port.handled)
    assert (await port.ask("a-eng/2.m4s"))[0] == 200
    assert len(port.handled) == handled, "its press is still there"


async def test_what_is_kept_is_recalled_and_titles_close(film: Path, tmp_path: Path) -> None:
    register(tmp_path, [film], "film")
    register(tmp_path, [film], "other")
    port = Port(tmp_path, kept_bytes=64 << 20, titles=2)
    await port.open(desk=True)
    try:
        for title in ("film", "other"):
            await port.ask("a-eng/1.m4s", title=title)
        want = await port.ask("a-eng/3.m4s")
        held = port.library._open["film/"].title
        kept = port.library._kept.get(held.serial, "a-eng/3.m4s")
        assert kept is not None and kept.body == want[2]
        assert await port.ask("a-eng/3.m4s") == want and len(port.handled) == 2
        register(tmp_path, [film], "third")
        await port.ask("a-eng/1.m4s", title="third")  # `other` was asked for longest ago
        assert list(port.library._open) == ["film/", "third/"]
        await port.ask("a-eng/3.m4s")
        assert len(port.handled) == 3
        await port.ask("a-eng/3.m4s", title="other")
        assert len(port.handled) == 4
    finally:
        await port.close()


async def test_a_film_that_becomes_protected_is_closed_at_once(port: Port, source: Path) -> None:
    """No policy, no clear media: a title that is settled goes by no press of before (PR-43)."""
    await port.ask("a-eng/1.m4s")
    assert (await port.ask("a-eng/1.m4s"))[0] == 200 and len(port.handled) == 1
    settle(folder(source.parent, "film"), Policy("film", []))
    assert (await port.ask("a-eng/1.m4s"))[0] == 503
