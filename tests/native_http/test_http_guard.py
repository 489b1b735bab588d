"""The guard before the hot table, fields of one release, fields of every answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from native.http import Entity, Gate, Hot, Limits, Refusal, Request, Server, serve

GOOD = Entity(b"good" * 5000, content_type="text/plain", cache_control="max-age=1")
NO = Refusal(403, "denied", cache_control="max-age=1")


@asynccontextmanager
async def site(handler: Any, **options: Any) -> AsyncIterator[Server]:
    server = await serve(handler, host="127.0.0.1", port=0, **options)
    try:
        yield server
    finally:
        await server.close()


async def ask(server: Server, *lines: str) -> tuple[int, list[str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        head = "\r\n".join([lines[0], "Host: a", "Connection: close", *lines[1:], "", ""])
        writer.write(head.encode())
        raw = await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()
    head, _, body = raw.decode().partition("\r\n\r\n")
    status, *fields = head.split("\r\n")
    return int(status.split()[1]), fields, body.encode()


async def test_the_guard_is_asked_before_the_hot_table_and_the_handler() -> None:
    """O14: what is hot is guarded too; an answer of None lets the request go on."""
    hot = Hot()
    hot.put("/hot", GOOD)
    asked: list[Request] = []

    def guard(request: Request) -> Refusal | None:
        asked.append(request)
        return None if request.header("x-secret") == "s" else NO

    async with site(lambda _: GOOD, hot=hot, guard=guard) as server:
        for path in ("/hot", "/cold"):
            assert (await ask(server, f"GET {path} HTTP/1.1"))[0] == 403
            assert (await ask(server, f"GET {path} HTTP/1.1", "X-Secret: s"))[0] == 200
        assert (await ask(server, "OPTIONS /hot HTTP/1.1"))[0] == 204
        assert len(asked) == 4
        assert server.counters()["hot_hits"] == 1


async def test_the_target_is_told_as_received() -> None:
    """O29: path and query octet for octet, without the authority of an absolute form."""
    targets: list[str] = []

    def guard(request: Request) -> None:
        targets.append(request.target)

    async with site(lambda _: GOOD, guard=guard) as server:
        for target in ("/a%2Db?x=%41&y", "http://a/c?d", "http://a", "/"):
            assert (await ask(server, f"GET {target} HTTP/1.1"))[0] == 200
    assert targets == ["/a%2Db?x=%41&y", "/c?d", "/", "/"]


async def test_what_was_denied_is_logged_without_what_was_shown_for_it() -> None:
    """HT-160: the code, never a header's value"""
    log: list[bytes] = []
    async with site(lambda _: GOOD, guard=lambda _: NO, access_log=log.append) as server:
        await ask(server, "GET / HTTP/1.1", "X-Secret: s3cr3t", "Authorization: Bearer t0ken")
    text = b"".join(log).decode()
    assert '"code":"denied"' in text.replace(" ", "")
    assert "s3cr3t" not in text and "t0ken" not in text


async def test_a_guard_that_fails_lets_nobody_in() -> None:
    faults: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))

    def guard(_: Request) -> None:
        raise ValueError("broken")

    hot = Hot()
    hot.put("/hot", GOOD)
    async with site(lambda _: GOOD, hot=hot, guard=guard) as server:
        assert (await ask(server, "GET /hot HTTP/1.1"))[0] == 500
    assert faults


async def test_a_refused_request_leaves_the_connection_as_it_was() -> None:
    """Pipelined: refused, let in, refused; nothing of one request is taken for the next."""
    hot = Hot()
    hot.put("/hot", GOOD)
    async with site(
        lambda r: Entity(r.path.encode(), content_type="text/plain", cache_control="max-age=1"),
        hot=hot,
        guard=lambda r: NO if r.path == "/no" else None,
    ) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        get = "GET {} HTTP/1.1\r\nHost: a\r\n\r\n"
        writer.write("".join(get.format(p) for p in ("/no", "/one", "/hot", "/two")).encode())
        raw = b""
        while not raw.endswith(b"/two"):
            raw += await asyncio.wait_for(reader.read(65536), 60)
        writer.close()
    assert raw.count(b"HTTP/1.1 200") == 3 and raw.count(b"HTTP/1.1 403") == 1


async def test_fields_of_a_release_are_on_its_answers_alone() -> None:
    """O26"""
    gate = Gate(10, NO)
    async with site(lambda r: gate.park() if r.path == "/held" else GOOD) as server:
        held = [asyncio.create_task(ask(server, f"{m} /held HTTP/1.1")) for m in ("GET", "HEAD")]
        while len(gate) < 2:
            await asyncio.sleep(0.01)
        assert server.load()[0] > 0
        gate.release(GOOD, [("CMSD-Static", "ht=7")])
        for status, fields, _ in await asyncio.gather(*held):
            assert status == 200 and fields.count("CMSD-Static: ht=7") == 1
        status, fields, _ = await ask(server, "GET /now HTTP/1.1")
        assert status == 200 and not [f for f in fields if f.startswith("CMSD")]
        assert server.load()[0] == 0


async def test_the_ports_fields_are_on_every_answer_while_they_are_set() -> None:
    """O27: hot images, ranges, 304, refusals, both kinds of peers; never twice, and none after."""
    hot = Hot()
    hot.put("/hot", GOOD)
    asks = [
        ("GET /hot HTTP/1.1",),
        ("GET /hot HTTP/1.0",),
        ("GET /hot HTTP/1.1", "Range: bytes=1-2"),
        ("GET /hot HTTP/1.1", f'If-None-Match: "{GOOD.etag}"'),
        ("HEAD /cold HTTP/1.1",),
        ("POST /hot HTTP/1.1",),
    ]
    async with site(lambda _: NO, hot=hot, limits=Limits(sendfile_from_bytes=1)) as server:
        for dressed in (False, True, False):
            server.dress([("CMSD-Dynamic", '"o";du')] if dressed else [])
            for _ in range(8):  # the image is made by then
                for lines in asks:
                    _, fields, _ = await ask(server, *lines)
                    assert fields.count('CMSD-Dynamic: "o";du') == dressed
                    assert sum(f.startswith("Date: ") for f in fields) == 1
            _, _, body = await ask(server, "GET /hot HTTP/1.1")
            assert body == GOOD.body


async def test_a_queue_has_a_share_of_its_ceiling() -> None:
    """O27"""
    big = Entity(bytes(1 << 24), content_type="text/plain", cache_control="max-age=1")
    async with site(lambda _: big, limits=Limits(worker_queue_bytes=1 << 25)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while server.load()[1] == 0:
            await asyncio.sleep(0.01)
        assert server.load()[1] == 0.5
        writer.transport.abort()
        while server.load()[1]:
            await asyncio.sleep(0.01)
