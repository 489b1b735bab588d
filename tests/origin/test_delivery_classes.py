"""Lifetimes by class, as settings have them, on a running origin (specs/origin-http.md O9, O13,
O23).
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from origin.delivery.caching import FIELDS, Class
from origin.settings import Settings

V = "/ingest/demo/Streams(v.cmfv)"
LOW = {"demo": {"segment_s": "48/25", "part_s": "12/25"}}
GRID_S = Fraction(48, 25)
Start = Callable[..., Any]


def fed(start: Start, media: Any, n: int, **settings: Any) -> Any:
    origin = start(channels=LOW, hold_s=0.5, retention_s=20000, **settings)
    assert origin.push(V, media.header).status == 200
    for number in range(n, n + 6):
        assert origin.push(V, media.segment(number)).status == 200
    assert origin.push(V, media.pieces(n + 6)[0]).status == 200
    return origin


def paths(n: int) -> dict[Class, list[str]]:
    """What is answered in each class."""
    base = "/live/demo"
    span = f"start={float(n * GRID_S):.2f}&end={float((n + 2) * GRID_S):.2f}"
    return {
        Class.MANIFEST: [f"{base}/master.m3u8", f"{base}/manifest.mpd", f"{base}/ll.mpd"],
        Class.PLAYLIST: [f"{base}/v/media.m3u8", f"{base}/v/iframe.m3u8"],
        Class.BLOCKING: [f"{base}/v/media.m3u8?_HLS_msn={n + 6}&_HLS_part=0"],
        Class.BLOCKING_ERROR: [f"{base}/v/media.m3u8?_HLS_msn={n + 99}"],
        Class.MEDIA: [f"{base}/v/init.mp4", f"{base}/v/{n + 4}.m4s", f"{base}/v/{n + 5}.0.m4s"],
        Class.MEDIA_ERROR: [f"{base}/v/{n + 4}.99.m4s"],
        Class.EARLY: [f"{base}/v/{n + 60}.m4s", "/live/none/master.m3u8", "/rec/none/x.m3u8"],
        Class.GONE: [f"{base}/v/{n - 9}.m4s", f"{base}/v/none", "/nowhere"],
        Class.PAST: [f"{base}/master.m3u8?{span}", f"{base}/v/media.m3u8?{span}"],
    }


def test_every_class_has_its_own_fields(start: Start, chunked_media: Any, now_number: int) -> None:
    """O13: Cache-Control and each CDN's own field, by class; stale answers for manifests alone"""
    rules = {
        kind: {
            "max_age_s": 100 + at,
            "cdn_cache_control": f"max-age={200 + at}",
            "surrogate_control": f"max-age={300 + at}",
            "edge_control": f"!no-store, max-age={400 + at}s",
            "stale_while_revalidate_s": 7,
            "stale_if_error_s": 8,
        }
        for at, kind in enumerate(Class)
    }
    origin = fed(start, chunked_media, now_number, caching=rules)
    for kind, leaves in paths(now_number).items():
        for path in leaves:
            headers = origin.get(path).headers
            told = f"{kind} {path} {headers}"
            for name, field in FIELDS.items():
                assert headers[field.lower()] == rules[kind][name], told
            assert f"max-age={rules[kind]['max_age_s']}" in headers["cache-control"], told
            stale = "stale-while-revalidate=7, stale-if-error=8" in headers["cache-control"]
            assert stale == (kind in (Class.MANIFEST, Class.PLAYLIST)), told


@pytest.mark.parametrize(("keyed", "blocking", "refused"), [(True, 12, 8), (False, 1, 1)])
def test_blocking_answers_live_as_long_as_the_cache_key_allows(
    start: Start, chunked_media: Any, now_number: int, keyed: bool, blocking: int, refused: int
) -> None:
    """O23; without settings no CDN's own field is sent"""
    origin = fed(start, chunked_media, now_number, directives_in_key=keyed)
    wanted = {Class.BLOCKING: blocking, Class.BLOCKING_ERROR: refused, Class.PLAYLIST: 1}
    for kind, age_s in wanted.items():
        for path in paths(now_number)[kind]:
            headers = origin.get(path).headers
            assert headers["cache-control"] == f"public, max-age={age_s}", path
            assert not {field.lower() for field in FIELDS.values()} & headers.keys()


def test_connections_of_cdns_are_kept_as_long_as_they_want() -> None:
    """O9"""
    assert Settings().idle_s >= 125
    with pytest.raises(ValidationError):
        Settings(idle_s=124)
