"""Access log: one JSON line per answer, escaped and cut, no tokens (HT-160, HT-161, CAT-92)."""

import json
from typing import Any

import pytest
from native_http.port_rig import GET, GOOD, Site, run

from native.http import Answer, Gate, Growing, Hot, Refusal, Request
from native.http.accesslog import ROOM_BYTES, TEXT_BYTES_MAX


class Log:
    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def __call__(self, lines: bytes) -> None:
        assert lines.endswith(b"\n")
        self.calls.append(lines)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in b"".join(self.calls).splitlines()]


def get(target: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def handler(request: Request) -> Answer:
    return GOOD if request.path == "/good" else Refusal(404, "not_found")


def test_what_a_line_tells() -> None:
    log, hot = Log(), Hot()
    hot.put("/hot", GOOD)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        for data in (get(b"/hot"), get(b"/good", b"HEAD"), get(b"/x"), b"BAD / HTTP/1.1\r\n"):
            await site.ask(client, data)
        assert log.calls == []
        site.tick(0.5)
        assert len(log.calls) == 1

    assert run(scenario, handler, hot, log) == []
    told = [
        [line[k] for k in ("seq", "method", "path", "status", "bytes", "source", "code", "close")]
        for line in log.lines
    ]
    assert told == [
        [1, "GET", "/hot", 200, 4, "hot", "", False],
        [2, "HEAD", "/good", 200, 0, "handler", "", False],
        [3, "GET", "/x", 404, 21, "handler", "not_found", False],
        [4, "BAD", "/", 501, 26, "protocol", "method_unknown", True],
    ]
    for line in log.lines:
        assert (line["conn"], line["peer"], line["version"]) == (1, "127.0.0.1", "1.1")
        assert 0 <= line["ms"] < 10_000


@pytest.mark.parametrize(
    ("query", "logged"),
    [
        (b"CAT=secret&_HLS_msn=5&cat=secret&_HLS_part=1", "_HLS_msn=5&_HLS_part=1"),
        (b"start=1&end=2&CMCD=sid%3d1", "start=1&end=2"),
        (b"xstart=1&_HLS=2", ""),
        (b'_HLS_pathway="a\\b"', '_HLS_pathway="a\\b"'),
        (b"&&start=&", "start="),
        (b"start=" + b"9" * 600 + b"&end=2", "end=2"),
    ],
)
def test_queries_lose_tokens_and_noise(query: bytes, logged: str) -> None:
    log = Log()

    async def scenario(site: Site) -> None:
        await site.ask(await site.connect(), get(b"/good?" + query))

    assert run(scenario, handler, access_log=log) == []
    assert [line["query"] for line in log.lines] == [logged]
    assert b"secret" not in b"".join(log.calls)


def test_paths_are_escaped_and_cut() -> None:
    log = Log()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        await site.ask(client, get(b'/"\\\\<a>'))
        await site.ask(client, get(b"/" + b'"' * 2000))

    assert run(scenario, handler, access_log=log) == []
    assert [line["path"] for line in log.lines] == ['/"\\\\<a>', "/" + '"' * (TEXT_BYTES_MAX - 1)]


def test_answers_that_were_waited_for_tell_of_their_own_request() -> None:
    """Heads move within the connection's octets while others are answered."""
    log = Log()
    gate, growing = Gate(5, Refusal(503, "late")), Growing("a/b", cache_control="no-store")
    growing.append(b"x")

    def parks(request: Request) -> Answer:
        return growing if request.path == "/grow" else gate.park()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(get(b"/one?start=1") + get(b"/two") + get(b"/grow"))
        for number in (1, 2):
            await site.counted("gates_parked", number)
            gate.release(GOOD)
        await site.counted("state_streaming", 1)

    assert run(scenario, parks, access_log=log) == []
    told = [(line["path"], line["query"], line["bytes"]) for line in log.lines]
    assert told == [("/one", "start=1", 4), ("/two", "", 4), ("/grow", "", 0)]


def test_no_line_without_room() -> None:
    """Counted, never half a line, and room again after the hand-over."""
    log = Log()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        while not site.server.counters()["log_lost"]:
            client.send(GET * 100)
            got = b""
            while got.count(b"HTTP/1.1 404 ") < 100:
                got += await site.take(client)
        site.tick(0.5)
        lost = site.server.counters()["log_lost"]
        await site.ask(client)
        assert site.server.counters()["log_lost"] == lost

    assert run(scenario, handler, access_log=log) == []
    assert len(log.calls) == 2
    assert len(log.calls[0]) <= ROOM_BYTES
    assert log.lines[-1]["path"] == "/"
