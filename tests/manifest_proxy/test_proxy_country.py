"""Tokens that name a country, judged by what the CDN in front says of the viewer (CTL-112)."""

from typing import Any

import pytest

import cat
from native.http import Answer, Entity, Request

KEYS = cat.KeySet.from_json([{"kty": "oct", "kid": "k", "alg": "HS256", "k": "A" * 43}])
CLAIMS = {"iss": "h", "exp": 4_000_000_000, "catgeoiso3166": ["SE", "NO"]}
RULES = '[[rules]]\nname = "all"\n'
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.m4s\n#EXT-X-ENDLIST\n"


def origin(request: Request) -> Answer:
    return Entity(PLAYLIST, content_type="text/plain", cache_control="max-age=60")


@pytest.mark.parametrize("listed", ["127.0.0.0/8", "192.0.2.1/32"])
async def test_a_listed_proxy_says_where_the_viewer_is(near: Any, listed: str) -> None:
    """Nobody else does, also where the answer for another viewer is held already."""
    base, session = await near(
        origin, RULES, KEYS, country_header="X-Country", trusted_proxies=[listed]
    )
    token = cat.issue(CLAIMS, KEYS.signer())
    home = 200 if listed.startswith("127") else 403
    expected = {"SE": home, "NO": home, "DK": 403, "XX": 403, "": 403}
    for _ in range(2):
        for country, status in expected.items():
            headers = {"X-Country": country} if country else {}
            url = f"{base}/p/CDN-A/vod/c/v1/media.m3u8?CAT={token}"
            async with session.get(url, headers=headers) as answer:
                assert (answer.status, country) == (status, country)
                told = await answer.text()
                assert status == 200 or ('"geo"' in told) == (home == 200 and country == "DK")
