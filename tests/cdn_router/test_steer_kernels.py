"""Kernels of polls against plain Python: heads, usual queries, signed state."""

import base64
import hmac
import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from native.router import asked
from native.router.seal import Seal

SECRET = b"k" * 32
SEAL = Seal(SECRET)
MOST = 8192
HEAD = re.compile(
    rb"GET /steer/(hls|dash)(?:\?([!-~]*))? HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+)\r\n"
)
UNUSUAL = re.compile(
    rb"^(?:(?:content-length|transfer-encoding|expect|upgrade):"
    rb"|connection:(?![\t ]*keep-alive[\t ]*\r))",
    re.IGNORECASE | re.MULTILINE,
)
HOST = re.compile(rb"^host:", re.IGNORECASE | re.MULTILINE)
USUAL = re.compile(
    r"ss=([A-Za-z0-9._-]+)&_HLS_pathway=(%22)?([A-Za-z0-9._-]{1,64})(?(2)%22)"
    r"(?:&_HLS_throughput=([0-9]{1,16}))?"
)


def head(data: bytes, at: int) -> tuple[str, str, int] | None:
    found = HEAD.match(data, at, at + MOST)
    if found is None or UNUSUAL.search(found[3]) or len(HOST.findall(found[3])) != 1:
        return None
    return found[1].decode(), (found[2] or b"").decode(), found.end()


def usual(query: str) -> tuple[str, str, int | None] | None:
    found = USUAL.fullmatch(query)
    return found and (found[1], found[3], None if found[4] is None else int(found[4]))


PLAIN = [b"Accept: */*", b"connection: keep-alive", b"Connection:\tKeep-Alive ", b"upgrades: no"]
ODD = [
    b"Connection: close",
    b"Connection: keep-alive, upgrade",
    b"Upgrade: h2c",
    b"upgrade:",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Host: r",
    b" folded",
    b"no colon",
    b"sp ace: 1",
]
PIECES = [  # method, target, version, end of lines: the first is usual
    [b"GET", b"POST", b"HEAD", b"get", b""],
    [
        b"/steer/hls",
        b"/steer/dash?",
        b"/steer/hls?ss=1&_HLS_pathway=%22a%22",
        b"/steer/dash?a?b",
        b"/steer/hlsx",
        b"/steer/dashboard?a",
        b"/steer/",
        b"/steer/hls/",
        b"/steer/hls?\xe9",
        b"/steer/hls? b",
    ],
    [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 "],
    [b"\r\n", b"\n"],
]
USUAL_PIECES = [piece[0] for piece in PIECES]
ODD_ONCE = [
    [*USUAL_PIECES[:at], other, *USUAL_PIECES[at + 1 :]]
    for at, piece in enumerate(PIECES)
    for other in piece
]


def ask(pieces: Sequence[bytes], lines: Sequence[bytes]) -> bytes:
    method, target, version, end = pieces
    fields = b"".join(line + end for line in [b"Host: r", *lines])
    return method + b" " + target + b" " + version + end + fields + end


@pytest.mark.parametrize("line", [*PLAIN, *ODD])
def test_heads_are_read_as_the_grammar_says(line: bytes) -> None:
    """RFC 9112 sections 2 and 6."""
    for pieces in ODD_ONCE:
        for lines in ([], [line]):
            data = b"xy" + ask(pieces, lines) + b"GET /"
            assert asked.head(data, 2, MOST) == head(data, 2)
    data = ask(USUAL_PIECES, [line])
    assert asked.head(data, 0, MOST) == (None if line in ODD else ("hls", "", len(data)))


@given(st.data())
def test_heads_in_any_number_of_pieces(data: st.DataObject) -> None:
    """Whatever is cut short, or goes on behind it, changes nothing."""
    pieces = data.draw(st.tuples(*map(st.sampled_from, PIECES)))
    asks = ask(pieces, data.draw(st.lists(st.sampled_from([*PLAIN, *ODD]), max_size=3)))
    asks = asks[: data.draw(st.integers(0, len(asks)))] + data.draw(st.binary(max_size=3))
    assert asked.head(asks, 0, MOST) == head(asks, 0)


@pytest.mark.parametrize("host", [b"", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n"])
def test_a_head_names_one_host(host: bytes) -> None:
    assert asked.head(b"GET /steer/hls HTTP/1.1\r\n" + host + b"\r\n", 0, MOST) is None


def test_a_head_is_whole_within_its_limit() -> None:
    data = b"GET /steer/hls HTTP/1.1\r\nHost: r\r\n\r\n"
    assert asked.head(data, 0, len(data)) == ("hls", "", len(data))
    assert asked.head(data, 0, len(data) - 1) is None and asked.head(data, -1, MOST) is None
    assert asked.head(data, len(data), MOST) is None and asked.head(data, 0, 0) is None


WORDS = [
    ["ss=v1.a-_.b", "ss=", "ss=é", "SS=x", "ss=a%2E"],
    ["&_HLS_pathway=", "&_HLS_pathway=%22", "&_hls_pathway=", ""],
    ["CDN-A", ".", "", "a b", "x" * 64, "x" * 65, "a\0", "ü"],
    ["", "%22", "%2", "%23"],
    ["&_HLS_throughput=", "", "&_HLS_throughput", "&x="],
    ["5140000", "", "0", "007", "1.5", "-3", "9" * 16, "9" * 17, "1/", ":1"],
]


@pytest.mark.parametrize("at", range(len(WORDS)))
@pytest.mark.parametrize("quote", ["", "%22"])
def test_usual_queries_are_read_as_the_pattern_says(at: int, quote: str) -> None:
    """ST-30: forms 1 and 2, and each piece of them replaced."""
    first = [words[0] for words in WORDS]
    first[1], first[3] = f"&_HLS_pathway={quote}", quote
    assert asked.usual("".join(first)) == ("v1.a-_.b", "CDN-A", 5_140_000)
    for word in WORDS[at]:
        query = "".join([*first[:at], word, *first[at + 1 :]])
        assert asked.usual(query) == usual(query)


@given(st.tuples(*map(st.sampled_from, WORDS)))
def test_any_query_is_read_as_the_pattern_says(pieces: tuple[str, ...]) -> None:
    query = "".join(pieces)
    assert asked.usual(query) == usual(query)


def signed(payload: bytes) -> str:
    """The form in words: RFC 4648 section 5 without padding, RFC 2104 section 5."""
    text = b"v1." + base64.urlsafe_b64encode(payload).rstrip(b"=")
    mac = hmac.digest(SECRET, text, "sha256")[:16]
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


@given(st.binary(max_size=300))
@example(b"\xfb\xff\xbf" * 9)
def test_what_is_signed_has_the_form_and_opens(payload: bytes) -> None:
    """ST-53."""
    text = SEAL.sealed(payload)
    assert text == signed(payload) and SEAL.opened(text) == payload
    assert Seal(b"other").opened(text) is None


@given(st.text(max_size=40))
def test_nothing_else_opens(text: str) -> None:
    assert SEAL.opened(text) is None and SEAL.opened("v1." + text) is None


def test_every_letter_is_signed() -> None:
    text = SEAL.sealed(b"payload")
    for at, letter in enumerate(text):
        other = "B" if letter == "A" else "A"
        assert SEAL.opened(text[:at] + other + text[at + 1 :]) is None
        assert SEAL.opened(text[:at]) is None and SEAL.opened(text + text[at:]) is None
    mac = hmac.digest(SECRET, b"v2.AAAA", "sha256")[:16]
    signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    assert SEAL.opened(f"v2.AAAA.{signature}") is None


@pytest.mark.parametrize("letters", ["a", "a+b/", "a==="])
def test_signed_letters_that_are_no_payload_open_nothing(letters: str) -> None:
    mac = hmac.digest(SECRET, f"v1.{letters}".encode(), "sha256")[:16]
    signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    assert SEAL.opened(f"v1.{letters}.{signature}") is None
