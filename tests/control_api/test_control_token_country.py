"""Tokens of restricted titles name the viewer's country, where every edge judges it (CTL-112)."""

from typing import Any

import pytest
from sqlalchemy import insert, update

import cat
from control_api import seed
from control_api.schema import rights_window

FILM = rights_window.c.content_id == "cnt_film"
HOME = {"country_header": "X-Country", "trusted_proxies": ["127.0.0.1"]}
BODY = {"content_id": "cnt_film", "device": {"id": "one"}}


def pathways(*countries: bool) -> list[dict[str, Any]]:
    return [
        {"id": f"CDN-{n}", "base_url": f"http://{n}.example", "countries": each}
        for n, each in enumerate(countries)
    ]


async def restrict(api: Any) -> None:
    """The film's window is for Sweden, another like it for Norway."""
    async with api.database.write() as connection:
        await connection.execute(update(rights_window).where(FILM).values(territory="SE"))
        other = seed._window("norway", 1, content_id="cnt_film") | {"territory": "NO"}
        await connection.execute(insert(rights_window).values(other))


def verdict(api: Any, token: str, country: str | None) -> str:
    context = cat.Context(uri="http://x/vod/film/master.m3u8", now=api.now_s, country=country)
    return str(cat.Verifier(api.token_keys(), cat.Options()).verify(token, context).reason)


@pytest.mark.parametrize("judging", [(True, True), (True, False)])
@pytest.mark.parametrize("restricted", [True, False])
async def test_a_restricted_title_is_for_one_country_where_all_edges_judge_it(
    database: Any, make_api: Any, wheel: Any, judging: tuple[bool, ...], restricted: bool
) -> None:
    api = await make_api(database, pathways=pathways(*judging), **HOME)
    api.now_s = wheel.now_ms() / 1_000
    if restricted:
        await restrict(api)
    path = "/v1/playback/start"
    status, told = await api.send("POST", path, BODY, headers={"X-Country": "SE"})
    assert status == 201
    bound = restricted and all(judging)
    countries = {
        "SE": "ok",
        "NO": "geo" if bound else "ok",
        None: "claim_unsupported" if bound else "ok",
    }
    assert {each: verdict(api, told["token"], each) for each in countries} == countries


async def test_who_goes_abroad_gets_a_token_for_there_or_a_stop(
    database: Any, make_api: Any, wheel: Any
) -> None:
    """CTL-132: at the first heartbeat from there, though the old one has not grown old."""
    api = await make_api(database, pathways=pathways(True), **HOME)
    api.now_s = wheel.now_ms() / 1_000
    await restrict(api)
    path = "/v1/playback/start"
    _, told = await api.send("POST", path, BODY, headers={"X-Country": "SE"})
    beat = f"/v1/sessions/{told['session_id']}/heartbeat"
    said = {}
    for country in ("SE", "NO", "NO", "DK"):
        _, answer = await api.send("POST", beat, {}, headers={"X-Country": country})
        said.setdefault(country, []).append(answer["commands"])
    assert said["SE"] == [[]] and said["NO"][1] == []
    [renewed] = said["NO"][0]
    assert renewed["type"] == "renew_token"
    assert verdict(api, renewed["token"], "NO") == "ok"
    assert verdict(api, renewed["token"], "SE") == "geo"
    assert said["DK"] == [[{"type": "stop", "reason": "geo_blocked"}]]
