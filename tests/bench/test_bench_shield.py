"""The shield keeps what may be kept, asks once for many, and forgets the oldest."""

from collections.abc import Mapping

import gevent
import pytest
from gevent.event import Event

from bench.players import Answer, Shield
from bench.players.report import Kind
from bench.players.shield import key, lifetime_s


class Far:
    """An origin that counts what it is asked."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.asked: list[tuple[str, str]] = []
        self.control = "max-age=2"
        self.body = b"one"
        self.status = 200
        self.pause_s = 0.0

    def fetch(self, url: str, kind: Kind, headers: Mapping[str, str]) -> Answer:
        self.asked.append((url, headers.get("if-none-match", "")))
        tag, body = f'"{self.body.decode()}"', self.body
        gevent.sleep(self.pause_s)
        named = {"etag": tag, "cache-control": self.control}
        if headers.get("if-none-match") == tag:
            return Answer(304, named)
        return Answer(self.status, named, body)

    def clock(self) -> float:
        return self.now_s

    def shield(self, max_bytes: int = 1 << 20) -> Shield:
        return Shield(self.fetch, self.clock, Event, max_bytes)


def test_fresh_is_kept_and_stale_is_asked_again_with_its_tag() -> None:
    far = Far()
    shield = far.shield()
    for _ in range(3):
        assert shield.get("http://o/a", "media", {}).body == b"one"
    assert far.asked == [("http://o/a", "")]
    far.now_s = 2.0
    assert shield.get("http://o/a", "media", {}).body == b"one"
    assert far.asked[1:] == [("http://o/a", '"one"')]
    assert shield.get("http://o/a", "media", {}).body == b"one"
    far.now_s, far.body = 4.0, b"two"
    assert shield.get("http://o/a", "media", {}).body == b"two"
    assert shield.counts == {"miss": 2, "hit": 3, "revalidated": 1}


def test_a_viewer_with_the_tag_gets_304() -> None:
    shield = Far().shield()
    assert shield.get("http://o/a", "media", {"if-none-match": '"one"'}).status == 304
    assert shield.get("http://o/a", "media", {"if-none-match": '"old"'}).status == 200


def test_many_at_once_are_one_request() -> None:
    far = Far()
    far.control, far.pause_s = "no-store", 0.01
    shield = far.shield()
    waiting = [gevent.spawn(shield.get, "http://o/a", "part", {}) for _ in range(50)]
    gevent.joinall(waiting)
    assert [w.value.body for w in waiting] == [b"one"] * 50
    assert len(far.asked) == 1
    assert shield.counts == {"miss": 1, "collapsed": 49}


def test_a_broken_flight_lets_everybody_go() -> None:
    far = Far()
    calls = []

    def fetch(url: str, kind: Kind, headers: Mapping[str, str]) -> Answer:
        calls.append(url)
        gevent.sleep(0.01)
        if len(calls) == 1:
            raise OSError
        return Answer(200, {}, b"fine")

    shield = Shield(fetch, far.clock, Event)
    first = gevent.spawn(shield.get, "http://o/a", "part", {})
    others = [gevent.spawn(shield.get, "http://o/a", "part", {}) for _ in range(5)]
    first.link_exception(lambda _: None)
    gevent.joinall(others, raise_error=True)
    assert [o.value.body for o in others] == [b"fine"] * 5
    with pytest.raises(OSError):
        first.get()


def test_errors_are_kept_as_long_as_they_say() -> None:
    far = Far()
    far.status = 404
    shield = far.shield()
    assert [shield.get("http://o/a", "part", {}).status for _ in range(3)] == [404] * 3
    assert len(far.asked) == 1


def test_the_oldest_leave_first() -> None:
    far = Far()
    shield = far.shield(max_bytes=7)
    for name in ("a", "b", "c", "b", "a"):
        shield.get(f"http://o/{name}", "segment", {})
    assert [url[-1] for url, _ in far.asked] == ["a", "b", "c", "a"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=30, immutable"}, 30),
        ({"cache-control": "max-age=30, s-maxage=5"}, 5),
        ({"cache-control": "max-age=30", "age": "12"}, 18),
        ({"cache-control": "max-age=3", "age": "12"}, 0),
        ({"cache-control": "max-age=30, no-store"}, 0),
        ({}, 0),
    ],
)
def test_lifetimes(headers: dict[str, str], seconds: float) -> None:
    assert lifetime_s(headers) == seconds


def test_the_key_knows_directives_but_not_cmcd() -> None:
    assert key("http://o/a?_HLS_msn=1&CMCD=x") == key("http://o/a?_HLS_msn=1")
    assert key("http://o/a?_HLS_msn=1") != key("http://o/a?_HLS_msn=2")
