"""Field values, paths, dates, heads and the hot table: tables of cases and small models."""

import email.utils
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.http import Entity, HeadError, Hot, Refusal, Request
from native.http.codings import wants_gzip
from native.http.dates import format_date, parse_date
from native.http.ranges import parse_range
from native.http.tags import match_tags
from native.http.target import split_target

IGNORED, UNSATISFIABLE = True, False
NOW_S = 1_790_000_000


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"bytes=0-0", (0, 0)),
        (b"BYTES= 10-19 ", (10, 19)),  # HT-91
        (b"bytes=90-", (90, 99)),
        (b"bytes=90-500", (90, 99)),
        (b"bytes=-10", (90, 99)),
        (b"bytes=-1000", (0, 99)),
        (b"bytes=0-9007199254740991", (0, 99)),
        (b"bytes=90-" + b"9" * 30, (90, 99)),  # HT-94
        (b"bytes=" + b"9" * 30 + b"-", UNSATISFIABLE),
        (b"bytes=100-", UNSATISFIABLE),  # HT-93
        (b"bytes=-0", UNSATISFIABLE),
        (b"bytes=5-2", IGNORED),  # HT-92
        (b"bytes=", IGNORED),
        (b"bytes=-", IGNORED),
        (b"bytes=--5", IGNORED),
        (b"bytes=+0-5", IGNORED),
        (b"bytes=0x0-5", IGNORED),
        (b"bytes=0 - 5", IGNORED),
        (b"bytes:0-5", IGNORED),
        (b"items=0-5", IGNORED),
        (b"bytes=0-0,2-3", IGNORED),  # HT-95
    ],
)
def test_range(value: bytes, found: tuple[int, int] | bool) -> None:
    assert parse_range(value, 100) == found


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_range_is_the_slice(first: int, last: int, length: int) -> None:
    body = bytes(i % 256 for i in range(length))
    found = parse_range(b"bytes=%d-%d" % (first, last), length)
    if isinstance(found, tuple):
        assert body[found[0] : found[1] + 1] == body[first : last + 1]
    else:
        assert found == (IGNORED if last < first else UNSATISFIABLE)


@pytest.mark.parametrize(
    ("lines", "weak", "strong"),
    [
        ([b'"a"'], True, True),
        ([b'W/"a"'], True, False),
        ([b'w/"a"'], False, False),
        ([b"*"], True, True),
        ([b'*, "x"'], False, False),  # HT-82: only alone
        ([b'"x,y", "a"'], True, True),
        ([b', "x",, "a" ,'], True, True),
        ([b'"x"', b'"a"'], True, True),
        ([b'"a'], False, False),
        ([b'"a" "b"'], False, False),
        ([b'"a"', b"junk"], False, False),
        ([b"a"], False, False),
        ([b""], False, False),
    ],
)
def test_tags(lines: list[bytes], weak: bool, strong: bool) -> None:
    assert (match_tags(lines, b'"a"', True), match_tags(lines, b'"a"', False)) == (weak, strong)


@pytest.mark.parametrize(
    ("lines", "gzip"),
    [
        ([], False),
        ([b""], False),
        ([b"GZIP"], True),
        ([b"x-gzip"], True),
        ([b"*"], True),
        ([b"*;q=0"], False),
        ([b"*;q=0, gzip"], True),
        ([b"gzip;q=0, *"], False),
        ([b"gzip;q=0.000"], False),
        ([b"gzip;q=0.001"], True),
        ([b"gzip;q=0.5, identity;q=0.8"], False),
        ([b"gzip;q=2"], False),
        ([b"gzip;q=1.001"], False),
        ([b"gzip;q=0.1234"], False),
        ([b'gzip;q="1"'], False),
        ([b" deflate ,gzip ; q=1.0 , x"], True),
        ([b"deflate", b"gzip"], True),
    ],
)
def test_codings(lines: list[bytes], gzip: bool) -> None:
    assert wants_gzip(lines) is gzip


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", b"/"),
        (b"/a/", b"/a/"),
        (b"/%61%2E%2e%2e?x", b"/a..."),
        (b"/%252e", b"/%2e"),
        (b"/..;/x", b"/..;/x"),
        (b"/%c3%a9", "/é".encode()),
        (b"/%f0%9f%8e%ac", "/🎬".encode()),
    ],
)
def test_paths_that_pass(target: bytes, path: bytes) -> None:
    assert split_target(target)[0] == path


@pytest.mark.parametrize(
    "target",
    b"/.. /. /a/../b /%2e%2e /.%2e/x // /a//b /a// /%00 /%1f /%7f /%2f /%5c /a\\b /%c0%ae /%ff "
    b"/%c3 /%ed%a0%80 /%f4%90%80%80 /% /%2 /%zz /%+1 /a|b /a#b /a?b#c ?x".split(),
)
def test_paths_that_do_not(target: bytes) -> None:
    """HT-50..HT-53."""
    with pytest.raises(ValueError, match="bad_"):
        split_target(target)


@pytest.mark.parametrize(
    ("query", "known"),
    [
        (b"x=1", False),
        (b"Start=1&starts=2&ends", False),
        (b"start", True),
        (b"x&end=5", True),
        (b"_HLS_msn=1&_HLS_part=2", True),
        (b"cAt=x", True),
        (b"CAT=x&cat=y", True),
        (b"x=%zz&%00", False),
    ],
)
def test_queries_that_pass(query: bytes, known: bool) -> None:
    assert split_target(b"/?" + query) == (b"/", query, known)


@pytest.mark.parametrize(
    "query", [b"start=%zz", b"end=%0a", b"_HLS_msn=1&_HLS_msn=1", b"&".join([b"x"] * 65)]
)
def test_queries_that_do_not(query: bytes) -> None:
    """HT-56."""
    with pytest.raises(ValueError, match="bad_query"):
        split_target(b"/?" + query)


@given(st.integers(0, 4_000_000_000))
def test_dates_come_back(epoch_s: int) -> None:
    assert format_date(epoch_s).decode() == email.utils.formatdate(epoch_s, usegmt=True)
    assert parse_date(format_date(epoch_s), NOW_S) == epoch_s
    ascii_form = time.asctime(time.gmtime(epoch_s)).encode()
    assert parse_date(ascii_form, NOW_S) == epoch_s


@pytest.mark.parametrize(
    ("value", "epoch_s"),
    [
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        (b"Sun, 06 Nov 1994 08:49:60 GMT", 784111799),
        (b"Thu, 32 Jan 2026 00:00:00 GMT", None),
        (b"Thu, 01 Jan 2026 25:00:00 GMT", None),
        (b"Thu, 01 Jan 2026 00:00:00 +0000", None),
        (b"Thu, 01 Jan 0000 00:00:00 GMT", None),
        (b"2026-01-01T00:00:00Z", None),
        (b"0", None),
    ],
)
def test_dates(value: bytes, epoch_s: int | None) -> None:
    assert parse_date(value, NOW_S) == epoch_s


@pytest.mark.parametrize(
    "headers",
    [
        [("X", "a\r\nB: c")],
        [("X", "a\0")],
        [("X Y", "a")],
        [("", "a")],
        [("X", "€")],
        [("Content-Length", "1")],
        [("Connection", "close")],
    ],
)
def test_headers_that_would_break_a_head(headers: list[tuple[str, str]]) -> None:
    """HT-70."""
    with pytest.raises(HeadError):
        Refusal(404, "x", headers=headers)


def test_entities_of_equal_octets_have_equal_tags() -> None:
    """O17; and a tag may not end its own quotes."""

    def make(body: bytes, etag: str | None = None) -> Entity:
        return Entity(body, content_type="a/b", cache_control="no-store", etag=etag)

    assert make(b"a").etag == make(b"a").etag != make(b"b").etag
    with pytest.raises(HeadError):
        make(b"a", 'x"')


def test_request_joins_repeated_fields() -> None:
    request = Request("GET", "/", "", "", b"X-A: 1\r\nx-a:\t2 \r\nB: \xe9\r\n\r\n")
    assert request.headers == {"x-a": "1, 2", "b": "é"}
    assert request.header("X-A") == "1, 2"
    assert request.header("c") is None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=400))
def test_hot_is_a_dictionary(steps: list[tuple[bool, int]]) -> None:
    """Growth, replacement and removal against a dict."""
    hot, model = Hot(), dict[str, Entity]()
    for put, number in steps:
        path = f"/{number}"
        if put:
            model[path] = Entity(b"", content_type="a/b", cache_control="x", etag="t")
            hot.put(path, model[path])
        else:
            model.pop(path, None)
            hot.drop(path)
    assert len(hot) == len(model)
    assert all(hot.get(f"/{n}") is model.get(f"/{n}") for n in range(151))
