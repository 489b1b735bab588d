"""A film in S3 behind a proxy that counts, and that misbehaves as stores do: TR-45, TR-46."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from origin_rigs.recipes import recipe

from native.http import Answer, Entity
from origin.vod import Films, Library, VodError, register, register_objects
from runtime.objects import S3Store
from runtime.sections import Objects

pytestmark = pytest.mark.twin

KEY = "films/film.mp4"
PLACE = f"s3://headwater/{KEY}"
PASSED = ("Range", "If-Match", "Content-Type", "Authorization", "x-amz-date")


class Proxy:
    """Passes on, notes each range read, and spoils answers while `fault` says how."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.reads: list[dict[str, str]] = []
        self.fault = ""

    async def start(self) -> str:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self.passed)
        self.client = aiohttp.ClientSession()
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self.runner.cleanup()
        await self.client.close()

    async def passed(self, request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in PASSED if name in request.headers}
        if request.method == "GET" and request.path.endswith(".mp4"):
            self.reads.append(headers)
            if self.fault == "whole":
                headers.pop("Range", None)
        url = self.upstream + request.path_qs
        body = await request.read()
        async with self.client.request(request.method, url, data=body, headers=headers) as answer:
            data = await answer.read()
            told = answer.headers
            kept = {name: told[name] for name in ("ETag", "Last-Modified") if name in told}
            place = answer.headers.get("Content-Range", "")
            if place and self.fault == "short":
                data = data[:-10]
            if place and self.fault == "elsewhere":
                place = place.replace("bytes ", "bytes 1")
            if place:
                kept["Content-Range"] = place
            if request.method == "HEAD":
                kept["Content-Length"] = answer.headers.get("Content-Length", "0")
            return web.Response(status=answer.status, body=data, headers=kept)


@pytest.fixture
async def proxy(moto_endpoint: str) -> AsyncIterator[tuple[Proxy, S3Store]]:
    proxy = Proxy(moto_endpoint)
    url = await proxy.start()
    settings = Objects.model_validate({"url": url, "access_key": "k", "secret_key": "s"})
    try:
        await put(S3Store(settings), "base")
        yield proxy, S3Store(settings)
    finally:
        await proxy.stop()


async def put(store: S3Store, name: str) -> None:
    await store.start()
    await store.put(KEY, recipe(name).read_bytes())
    await store.stop()


async def got(library: Library, leaf: str) -> Answer:
    answer = library.answer("film", leaf)
    return await answer if isinstance(answer, Awaitable) else answer


async def body(library: Library, leaf: str) -> bytes:
    answer = await got(library, leaf)
    assert isinstance(answer, Entity), leaf
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


async def test_a_cold_film_takes_three_reads_and_the_tag_goes_along(
    proxy: tuple[Proxy, S3Store], tmp_path: Path
) -> None:
    """TR-45: head, moov, segment. TR-46: If-Match in every range after the first."""
    between, store = proxy
    register(tmp_path / "local", [recipe("ntsc")], "film")
    plain = Library(tmp_path / "local")
    await put(store, "ntsc")
    between.reads.clear()
    await register_objects(tmp_path, [PLACE], "film", store, "headwater")
    indexing = len(between.reads)
    assert indexing <= 2 and "If-Match" not in between.reads[0]
    assert all("If-Match" in read for read in between.reads[1:])
    library = Library(tmp_path)
    films = Films(store, "headwater", library)
    await films.start()
    try:
        assert await body(library, "v72/1.m4s") == await body(plain, "v72/1.m4s")
        assert len(between.reads) == indexing + 1 <= 3
        for leaf in ("v72/2.m4s", "a-und/3.m4s"):
            assert await body(library, leaf) == await body(plain, leaf)
        assert len(between.reads) == indexing + 3
        assert all(read["If-Match"][0] == '"' for read in between.reads[indexing + 1 :])
        assert all("Range" in read for read in between.reads)
    finally:
        await films.stop()
        library.close()
        plain.close()


async def test_another_object_is_indexed_within_the_request(
    proxy: tuple[Proxy, S3Store], tmp_path: Path
) -> None:
    """412 drops the index and begins again once (TR-46)."""
    between, store = proxy
    await register_objects(tmp_path, [PLACE], "film", store, "headwater")
    library = Library(tmp_path)
    films = Films(store, "headwater", library)
    await films.start()
    try:
        await body(library, "v72/1.m4s")
        await put(S3Store(store._settings), "moov_first")
        register(tmp_path / "local", [recipe("moov_first")], "film")
        plain = Library(tmp_path / "local")
        assert await body(library, "a-und/1.m4s") == await body(plain, "a-und/1.m4s")
        assert any("If-Match" in read for read in between.reads)
        plain.close()
    finally:
        await films.stop()
        library.close()


@pytest.mark.parametrize("fault", ["whole", "short", "elsewhere"])
async def test_a_store_that_answers_amiss_is_told(
    proxy: tuple[Proxy, S3Store], tmp_path: Path, fault: str
) -> None:
    """200 for 206, fewer bytes, another range: an upstream error, never wrong media (TR-46)."""
    between, store = proxy
    between.fault = fault
    with pytest.raises(VodError, match=r"film\.mp4") as caught:
        await register_objects(tmp_path, [PLACE], "film", store, "headwater")
    assert caught.value.code == "unreadable"
    between.fault = ""
    await register_objects(tmp_path, [PLACE], "film", store, "headwater")
    library = Library(tmp_path)
    films = Films(store, "headwater", library)
    await films.start()
    try:
        between.fault = fault
        assert (await got(library, "v72/1.m4s")).status == 502
        between.fault = ""
        assert (await got(library, "v72/1.m4s")).status == 200
    finally:
        await films.stop()
        library.close()
