"""The short way with answers that are made at once: turns, waiting peers, and the end."""

import asyncio
from typing import Any

import pytest

from runtime.shortway import MAX_WAITING_BYTES, TURN, ShortWay, Taken


class Echo:
    """Requests are single lines; what begins with a digit has so many octets behind it."""

    def __init__(self) -> None:
        self.ended = 0

    def answer(self, data: bytes, at: int, peer: str) -> Taken | None:
        start = data.find(b"\n", at) + 1
        if not start or data[at:start] == b"other\n":
            return None
        end = start + (int(data[at:start]) if data[at : at + 1].isdigit() else 0)
        return (None if end > len(data) else data[at:end] + b"|"), end

    def end(self) -> None:
        self.ended += 1


class Wire:
    """A transport that tells its protocol to stop when `full`."""

    def __init__(self) -> None:
        self.written = b""
        self.ended = ""
        self.reading = True
        self.full = False
        self.protocol: Any = None

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return "::1", 1

    def write(self, data: bytes) -> None:
        self.written += data
        if self.full:
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "cut"


@pytest.fixture
async def front() -> Any:
    found = ShortWay(Echo())
    found.before(asyncio.Protocol)
    yield found
    found.close()


def connected(front: ShortWay) -> tuple[Wire, Any]:
    wire, connection = Wire(), front.before(asyncio.Protocol)()
    wire.protocol = connection
    connection.connection_made(wire)  # type: ignore[arg-type]
    return wire, connection


async def test_who_asks_much_in_a_row_lets_others_go_between(front: ShortWay) -> None:
    greedy, asking = connected(front)
    modest, other = connected(front)
    asking.data_received(b"a\n" * (2 * TURN + 1))
    assert greedy.written == b"a\n|" * TURN
    other.data_received(b"b\n")
    assert modest.written == b"b\n|" and greedy.written == b"a\n|" * TURN
    asking.data_received(b"c\n")
    await asyncio.sleep(0)
    assert greedy.written == b"a\n|" * 2 * TURN
    await asyncio.sleep(0)
    assert greedy.written == b"a\n|" * (2 * TURN + 1) + b"c\n|"


async def test_who_takes_no_answers_gets_no_more_and_then_is_cut(front: ShortWay) -> None:
    wire, connection = connected(front)
    wire.full = True
    connection.data_received(b"a\n")
    connection.data_received(b"b\n" * (MAX_WAITING_BYTES // 2))
    assert wire.written == b"a\n|" and wire.reading
    connection.data_received(b"b\n")
    assert not wire.reading
    wire.full = False
    connection.resume_writing()
    assert wire.reading and wire.written == b"a\n|" + b"b\n|" * TURN
    connection.pause_writing()
    await asyncio.sleep(0)  # its turn
    for _ in range(2):
        assert not wire.ended
        connection.look()
    assert wire.ended == "cut"
    assert wire.written == b"a\n|" + b"b\n|" * TURN


async def test_a_body_in_pieces_is_looked_at_once_it_is_whole(front: ShortWay) -> None:
    wire, connection = connected(front)
    for piece in (b"a\n1", b"00\n", b"x" * 50, b"x" * 49):
        connection.data_received(piece)
        assert wire.written == b"a\n|"
    connection.data_received(b"xb\n")
    assert wire.written == b"a\n|100\n" + b"x" * 100 + b"|b\n|"


async def test_an_answer_of_a_drain_is_its_connections_last(front: ShortWay) -> None:
    """The requests behind it are not looked at (RFC 9112 section 9.6)."""
    idle, _ = connected(front)
    wire, asking = connected(front)
    asking.data_received(b"a\n" * 3 * TURN)
    front.close()
    assert isinstance(front.reader, Echo) and front.reader.ended
    assert idle.ended == "closed" and not wire.ended
    await asyncio.sleep(0)
    assert wire.ended == "closed" and wire.written == b"a\n|" * (TURN + 1)
    late, connection = connected(front)
    connection.data_received(b"a\n" * 3)
    assert (late.ended, late.written) == ("closed", b"a\n|")


@pytest.mark.parametrize("rest", [b"", b"half", b"9\nhalf", b"other\n"])
@pytest.mark.parametrize("full", [False, True])
async def test_a_drain_ends_who_had_his_turn(front: ShortWay, rest: bytes, full: bool) -> None:
    wire, asking = connected(front)
    wire.full = full
    asking.data_received(b"a\n" * TURN + rest)
    front.close()
    assert not wire.ended
    await asyncio.sleep(0)
    assert wire.ended == "closed" and wire.written == b"a\n|" * TURN
