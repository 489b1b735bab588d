"""Whatever a manifest or a segment holds, judging it ends in findings."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probe.world import T0, Film, World

from headwater.probe import Evidence, check, mpd, playlist
from headwater.probe.model import Exchange, Media, Patch, Piece, Trial

WORLD = World({name: Film(b"", (), 12800) for name in ("v1", "v2", "a1")})
PLAYLISTS = [WORLD.media("v1"), WORLD.media("a1", 6), WORLD.master(), WORLD.vod()]
MPDS = [WORLD.mpd(T0), WORLD.mpd(T0 + 1), WORLD.ll_mpd(), WORLD.vod_mpd()]
VALUES = ["", "-1", "0", "1e9", "99999999999999999999", "PT-5S", "P1Y", "x", "INF", "NaN", "$", "é"]
HEADERS = [
    "cache-control",
    "etag",
    "cmsd-static",
    "content-range",
    "connection",
    "vary",
    "location",
]
URL = "http://o/x"

spots = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(VALUES)), max_size=6)


def bent(text: str, pattern: str, edits: list[tuple[float, str]]) -> str:
    """Replace some values, each found by its share of all matches."""
    for share, value in edits:
        found = list(re.finditer(pattern, text))
        if found:
            at = found[min(int(share * len(found)), len(found) - 1)]
            text = text[: at.start(1)] + value + text[at.end(1) :]
    return text


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLAYLISTS), st.sampled_from(PLAYLISTS), spots, spots)
def test_playlists(one: str, two: str, first: list, second: list) -> None:  # type: ignore[type-arg]
    looks = []
    for text, edits in ((one, first), (two, second)):
        for pattern in (r"[=:]([^,\n]*)", r"\n(#[^\n]*)"):
            text = bent(text, pattern, edits)
        looks.append(playlist.parse(URL, text.encode(), float(T0)))
    answer = Exchange(URL, "manifest", 200, {}, b"", float(T0))
    asked = dict.fromkeys(("msn", "part", "hold", "until", "dates", "target", "ahead"), 1.0)
    kinds = ("block", "block_old", "block_far", "skip", "skip_v2", "skip_odd", "reserved", "hint")
    trials = [Trial(kind, answer, answer, looks[1], looks[0], asked) for kind in kinds]
    seen = Evidence(master=looks[0], media={URL: looks, URL + "2": looks[:1]}, trials=trials)
    assert isinstance(check(seen), list)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MPDS), st.sampled_from(MPDS), spots, spots, spots)
def test_mpds(one: str, two: str, first: list, second: list, third: list) -> None:  # type: ignore[type-arg]
    looks = [
        mpd.parse(URL, bent(text, '="([^"]*)"', edits).encode(), float(T0))
        for text, edits in ((one, first), (two, second))
        if 'xmlns="urn:mpeg:dash:schema:mpd:2011"' in bent(text, '="([^"]*)"', edits)
    ]
    body = bent(WORLD.patch(T0 - 1), '="([^"]*)"', third).encode()
    kind = {"content-type": "application/dash-patch+xml"}
    answer = Exchange(URL, "patch", 200, kind, body, float(T0))
    patches = [Patch(looks[0], answer, looks[-1])] if looks else []
    assert isinstance(check(Evidence(mpds=looks, patches=patches)), list)


@pytest.fixture(scope="module")
def pick(films: dict[str, Film]) -> Callable[[str], Film]:
    """Films by name, in a form that is short to print."""
    return lambda name: films[name]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["v1", "a1"]),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 700), st.integers(0, 255)), max_size=8),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_media(
    pick: Callable[[str], Film],
    name: str,
    edits: list[tuple[int, int, int]],
    cuts: tuple[float, float],
) -> None:
    each = pick(name)
    pieces = [each.header, each.chunk(T0, 0) + each.chunk(T0, 1), each.chunk(T0, 1)]
    raw = [bytearray(piece) for piece in pieces]
    for index, at, value in edits:
        raw[index][at % len(raw[index])] = value
    whole, part = (bytes(raw[i][: int(c * len(raw[i]))]) for i, c in ((1, cuts[0]), (2, cuts[1])))
    media = Media(URL, bytes(raw[0]), [Piece(URL, 1, whole, 5, 5, 1.0)], [Piece(URL, 1, part)], 1)
    assert isinstance(check(Evidence(tracks=[media])), list)


@given(st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=40)), st.integers(0, 599))
def test_answers(headers: dict[str, str], status: int) -> None:
    answer = Exchange(URL, "segment", status, headers, b"12345", 0.0)
    kinds = ("again", "since", "head", "range", "range_past", "early", "expired", "removed", "cmcd")
    asked = {"first": 1.0, "last": 3.0}
    trials = [Trial(kind, answer, answer, asked=asked) for kind in (*kinds, "twin", "prefetch")]
    assert isinstance(check(Evidence(exchanges=[answer], trials=trials)), list)


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n" + "#EXT-X-KEY:" + "A=" * 200_000, "#EXTM3U\n" * 90_000]
)
def test_long_lines_and_many_lines_end_soon(text: str) -> None:
    read = playlist.parse(URL, text.encode(), 0.0)
    assert isinstance(check(Evidence(media={URL: [read, read]})), list)
