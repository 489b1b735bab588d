"""A cohort whose steering is off: no manifest of it names who steers, at any time (ST-20)."""

from typing import Any

import pytest

from manifest_proxy.errors import CohortError
from manifest_proxy.policy import Cohort, Pathway, read_cohort
from native.http import Answer, Entity, Refusal, Request

KNOWN = {name: Pathway(name, f"http://{name}") for name in ("CDN-A", "CDN-B")}
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
MPD = (
    b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" minimumUpdatePeriod="PT2S">'
    b"<Location>manifest.mpd</Location><ContentSteering>https://elsewhere/</ContentSteering>"
    b'<Period id="0"/></MPD>'
)
RULES = '[[rules]]\nname = "all"\npaths = ["/live/*"]\n'
STEERED = {"master.m3u8": b"EXT-X-CONTENT-STEERING", "manifest.mpd": b"<ContentSteering "}


def test_a_name_says_the_order_and_whether_it_is_steered() -> None:
    both = KNOWN["CDN-B"], KNOWN["CDN-A"]
    for name, cohort in (
        ("CDN-B~CDN-A", Cohort(both)),
        ("CDN-B~CDN-A;unsteered", Cohort(both, steered=False)),
    ):
        assert read_cohort(name, KNOWN) == cohort and cohort.name == name
    for other in ("CDN-A;steered", "CDN-A;unsteered;unsteered", "CDN-A;unsteered~CDN-B", ";"):
        with pytest.raises(CohortError):
            read_cohort(other, KNOWN)


def origin(request: Request) -> Answer:
    pages = {"/live/c/master.m3u8": MASTER, "/live/c/manifest.mpd": MPD}
    body = pages.get(request.path)
    return (
        Entity(body, content_type="text/plain", cache_control="max-age=60")
        if body
        else Refusal(404, "not_found")
    )


@pytest.mark.parametrize("leaf", STEERED)
async def test_both_kinds_of_viewers_are_served_side_by_side(near: Any, leaf: str) -> None:
    url, http = await near(
        origin, RULES, steering_url="http://steer", public_url="http://proxy", session_secret="s"
    )

    async def got(cohort: str, query: str = "") -> bytes:
        async with http.get(f"{url}/p/{cohort}/live/c/{leaf}{query}") as answer:
            assert answer.status == 200
            return bytes(await answer.read())

    for query in ("", "?filter=video.height=..720", "?window=30", ""):
        for cohort in ("CDN-A~CDN-B", "CDN-A~CDN-B;unsteered", "CDN-A~CDN-B%3Bunsteered"):
            body = await got(cohort, query)
            steered = cohort == "CDN-A~CDN-B"
            assert body.count(STEERED[leaf]) == steered
            assert b"elsewhere" not in body and b"CDN-B" in body
            if leaf == "manifest.mpd":
                name = cohort.replace("%3B", ";").encode()
                assert b"http://proxy/p/" + name + b"/" in body, "the next update is of its kind"
