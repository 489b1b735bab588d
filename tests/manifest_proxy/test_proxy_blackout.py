"""Blackouts by schedule and place, with a replacement (MP-20)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from manifest_proxy.errors import RulesError
from manifest_proxy.rules import read_rules
from native.http import Answer, Entity, Refusal, Request
from runtime.clock import SystemClock

MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
MEDIA = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n1.m4s\n"
MPD = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period id="%b"/></MPD>'
PAGES = {
    "/live/c/master.m3u8": MASTER,
    "/live/c/v1/media.m3u8": MEDIA,
    "/live/c/x.mpd": MPD % b"live",
    "/vod/no/master.m3u8": MASTER,
    "/vod/no/x.mpd": MPD % b"no",
}
RULES = """[[rules]]
name = "r"
[[rules.blackouts]]
start = 2026-06-01T18:00:00Z
end = 2026-06-01T22:00:00+02:00
countries = ["DE"]
replacement = { folder = "/vod/no" }
[[rules.blackouts]]
start = 2026-06-01T21:00:00Z
end = 2026-06-01T22:00:00Z
"""


class Told(SystemClock):
    """A clock that tests set."""

    hour = 0.0

    def now_ms(self) -> int:
        return int((datetime(2026, 6, 1, tzinfo=UTC).timestamp() + 3600 * self.hour) * 1000)


@pytest.fixture
async def ask(near: Any, request: Any) -> AsyncIterator[Callable[..., Awaitable[tuple[int, str]]]]:
    def origin(asked: Request) -> Answer:
        body = PAGES.get(asked.path)
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=60")

    clock = Told()
    base, session = await near(
        origin,
        RULES,
        clock=clock,
        country_header="CloudFront-Viewer-Country",
        trusted_proxies=[getattr(request, "param", "127.0.0.1")],
    )

    async def get(leaf: str, hour: float, country: str = "") -> tuple[int, str]:
        clock.hour = hour
        headers = {"CloudFront-Viewer-Country": country} if country else {}
        url = f"{base}/p/CDN-A/live/c/{leaf}"
        async with session.get(url, headers=headers) as answer:
            return answer.status, await answer.text()

    yield get


@pytest.mark.parametrize(
    "hour, country, shut",
    [
        (17.99, "DE", False),
        (18, "DE", True),
        (18, "de", True),
        (18, "", True),
        (18, "FR", False),
        (19.99, "DE", True),
        (20, "DE", False),
    ],
)
async def test_a_blackout_holds_in_its_time_and_place(
    ask: Any, hour: float, country: str, shut: bool
) -> None:
    status, text = await ask("v1/media.m3u8", hour, country)
    assert status == (403 if shut else 200) and ("blackout" in text) == shut
    status, text = await ask("master.m3u8", hour, country)
    assert status == 200 and ("/vod/no/v1/" in text) == shut and ("/live/c/v1/" in text) != shut
    assert ('id="no"' in (await ask("x.mpd", hour, country))[1]) == shut


@pytest.mark.parametrize("ask", ["192.0.2.1/32"], indirect=True)
async def test_nobody_but_a_listed_proxy_says_where_a_viewer_is(ask: Any) -> None:
    """Else a header of the viewer's own would open what is shut at home."""
    for country, status in (("FR", 403), ("DE", 403), ("", 403)):
        assert (await ask("v1/media.m3u8", 19, country))[0] == status, country
    assert (await ask("v1/media.m3u8", 17, "FR"))[0] == 200


async def test_without_a_replacement_nothing_starts(ask: Any) -> None:
    assert [(await ask(leaf, 21.5, "FR"))[0] for leaf in ("master.m3u8", "x.mpd")] == [403, 403]


async def test_media_playlists_come_through_the_proxy(ask: Any) -> None:
    """Or a player that has begun would never meet the blackout."""
    _, text = await ask("master.m3u8", 1)
    assert "\nhttp://localhost:8003/p/CDN-A/live/c/v1/media.m3u8\n" in text


@pytest.mark.parametrize("fault", ["18:00:00Z", '"DE"'])
def test_a_time_without_a_zone_or_a_country_of_three_letters_is_refused(fault: str) -> None:
    broken = RULES.replace(fault, {"18:00:00Z": "18:00:00"}.get(fault, '"DEU"'), 1)
    with pytest.raises(RulesError, match=r"line [46]"):
        read_rules(broken.encode(), toml=True, tokenised=False)
