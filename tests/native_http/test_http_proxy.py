"""PROXY headers, both versions: mandatory where configured, refused elsewhere (HT-152, HT-153)."""

import asyncio
import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from native_http.port_rig import DEADLINE_S, GET, Site, run

from native.http import Answer, Limits, Refusal, Request
from native.http.proxy import V2, Header, crc32c, read_header

V4 = bytes([192, 0, 2, 7])
V6 = ipaddress.IPv6Address("2001:db8::7").packed


def second(payload: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return V2 + bytes([command, family]) + len(payload).to_bytes(2, "big") + payload


def addresses(source: bytes) -> bytes:
    return source + bytes(len(source)) + struct.pack(">HH", 5, 80)


def summed(payload: bytes) -> bytes:
    """A version 2 header with its CRC-32c."""
    whole = second(payload + b"\x03\x00\x04" + bytes(4))
    return whole[:-4] + crc32c(whole).to_bytes(4, "big")


GOOD = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65535\r\n", V4),
    (b"PROXY TCP6 2001:db8::7 ::1 0 80\r\n", V6),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    (second(addresses(V4)), V4),
    (second(addresses(V6), family=0x21), V6),
    (second(addresses(V4) + b"\x04\x00\x02ab"), V4),
    (summed(addresses(V4) + b"\x04\x00\x00"), V4),
    (second(b"", command=0x20, family=0), None),
    (second(addresses(V4), command=0x20), None),
    (second(b"x" * 216, family=0x31), None),
    (second(addresses(V4), family=0x12), None),
    (second(addresses(V4) + b"\x04\x0f\xf1" + bytes(4081)), V4),
]
BAD = [
    b"GET / HTTP/1.1\r\n",
    b"proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY  TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n",
    b"PROXY TCP4 192.0.02.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 fe80::1%1 ::1 1 2\r\n",
    b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 \xff92.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY UNKNOWN " + b"x" * 93 + b"\r\n",
    second(addresses(V4), command=0x11),
    second(addresses(V4), command=0x22),
    second(addresses(V4)[:-1]),
    second(addresses(V4) + b"\x04"),
    second(addresses(V4) + b"\x04\x00\x02a"),
    second(addresses(V4) + b"\x03\x00\x04abcd"),
    second(addresses(V4) + b"\x03\x00\x00"),
    second(addresses(V4) + bytes(4096)),
    V2[:-1] + b"\x0b",
]


@pytest.mark.parametrize(("data", "address"), GOOD)
def test_headers(data: bytes, address: bytes | None) -> None:
    assert read_header(data) == Header(len(data), address)
    assert read_header(data + b"GET /") == Header(len(data), address)
    for size in range(1, len(data), 1 + len(data) // 300):
        assert read_header(data[:size]) is None


@pytest.mark.parametrize("data", BAD)
def test_anything_else_is_no_header(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_header(data)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: V2 + tail)))
def test_noise_raises_nothing_else(data: bytes) -> None:
    try:
        header = read_header(data)
    except ValueError:
        return
    assert header is None or header.size <= len(data)


def test_crc32c_of_the_check_string() -> None:
    """RFC 3720 B.4, and the check value of the CRC catalogue."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def peer(request: Request) -> Answer:
    return Refusal(404, f"p-{request.peer.replace('.', '_').replace(':', '-')}")


FRONTED = Limits(proxy_from=("127.0.0.0/8",), per_address=2)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (GOOD[0][0], b"p-192_0_2_7"),
        (GOOD[1][0], b"p-2001-db8--7"),
        (GOOD[2][0], b"p-127_0_0_1"),
        (GOOD[4][0], b"p-192_0_2_7"),
    ],
)
def test_handlers_see_the_client_behind_the_front(data: bytes, name: bytes) -> None:
    async def scenario(site: Site) -> None:
        whole, slow = await site.connect(), await site.connect()
        for _ in range(2):
            assert name in await site.ask(whole, data + GET if _ == 0 else GET)
        for octet in data + GET[:-1]:
            slow.send(bytes([octet]))
            await asyncio.sleep(0)
        assert name in await site.ask(slow, GET[-1:])

    assert run(scenario, peer, limits=FRONTED) == []


@pytest.mark.parametrize("data", [GET, BAD[1], BAD[20]])
def test_no_answer_without_a_header(data: bytes) -> None:
    async def scenario(site: Site) -> None:
        client = await site.connect()
        with pytest.raises(ConnectionResetError):
            await site.ask(client, data)
        assert site.server.counters()["aborts_bad_proxy"] == 1
        assert site.server.counters()["requests"] == 0

    assert run(scenario, peer, limits=FRONTED) == []


def test_a_header_has_its_time() -> None:
    """HT-126: silence and a header in pieces alike."""

    async def scenario(site: Site) -> None:
        silent, half = await site.connect(), await site.connect()
        await site.counted("connections_open", 2)
        half.send(b"PROXY TCP4 ")
        site.tick(4)
        assert site.server.counters()["connections_open"] == 2
        site.tick(2)
        assert site.server.counters()["connections_open"] == 0
        for client in (silent, half):
            with pytest.raises(ConnectionResetError):
                await site.take(client)

    assert run(scenario, peer, limits=FRONTED) == []


def test_caps_are_the_clients_not_the_fronts() -> None:
    """HT-127."""

    async def scenario(site: Site) -> None:
        for number in range(6):
            line = b"PROXY TCP4 192.0.2.%d 10.0.0.1 1 2\r\n" % (number // 2)
            assert b"p-192_0_2" in await site.ask(await site.connect(), line + GET)
        with pytest.raises(ConnectionResetError):
            await site.ask(await site.connect(), b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n" + GET)
        site.clients[2].close()
        await site.counted("connections_open", 5)
        line = b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n"
        assert b"p-192_0_2" in await site.ask(await site.connect(), line + GET)

    assert run(scenario, peer, limits=FRONTED) == []


def test_only_fronts_are_let_in() -> None:
    async def scenario(site: Site) -> None:
        client = await site.connect()
        async with asyncio.timeout(DEADLINE_S):
            assert await site.take(client) == b""
        assert site.server.counters()["connections_shed"] == 1

    assert run(scenario, peer, limits=Limits(proxy_from=("10.0.0.0/8",))) == []


@pytest.mark.parametrize("data", [GOOD[0][0], GOOD[4][0]])
def test_a_header_nobody_asked_for_is_a_bad_request(data: bytes) -> None:
    """HT-153."""

    async def scenario(site: Site) -> None:
        client = await site.connect()
        assert (await site.ask(client, data + GET)).split()[1] in (b"400", b"501")

    assert run(scenario, peer) == []
