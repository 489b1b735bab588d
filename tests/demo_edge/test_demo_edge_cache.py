"""The cache of the demo's CDN: lifetimes, bound, what bridges a failure."""

import pytest

from headwater.demo.edge_cache import Cache, lifetime_s
from runtime.fetch import Fetched, FetchError

LIFETIMES = [
    ("max-age=3", 3),
    ("public, max-age=31536000, immutable", 31536000),
    ("max-age=3, s-maxage=9", 9),
    ("private, max-age=3", 0),
    ("no-store", 0),
    ("no-cache, max-age=5", 0),
    ("", 0),
]


@pytest.mark.parametrize(("text", "seconds"), LIFETIMES)
def test_lifetimes(text, seconds):
    assert lifetime_s(text) == seconds


def fetched(body, max_age=10):
    return Fetched(200, {"cache-control": f"max-age={max_age}"}, body)


async def test_the_cache_is_bounded_by_bytes():
    cache = Cache(lambda: 0.0, max_bytes=1000)

    async def fetch(_):
        return fetched(bytes(250))

    for name in "abcdefgh":
        await cache.look(name, fetch)
        await cache.look("a", fetch)
    assert cache.size_bytes <= 1000
    assert len(cache) == 4
    assert cache.fresh("a") and not cache.fresh("b")


async def test_an_old_answer_bridges_a_short_failure_only():
    now = [0.0]
    cache = Cache(lambda: now[0])

    async def fetch(_):
        return fetched(b"old")

    async def fail(_):
        raise FetchError("unreachable", "origin")

    await cache.look("k", fetch)
    now[0] = 12.0
    assert (await cache.look("k", fail)).how == "STALE"
    now[0] = 15.0
    with pytest.raises(FetchError):
        await cache.look("k", fail)
