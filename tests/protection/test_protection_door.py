"""Content keys behind the control API's door: ClearKey licences of films and channels (PR-121)."""

import base64
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import origin.settings
from headwater.licence_urls import public_urls
from headwater.licences import Keys, key_routes
from origin.live.holds import Hold, Holds
from origin.live.ranges import Range
from origin.protection.keyfile import KeyFile
from origin.protection.keys import ContentKey

SETTINGS = origin.settings.Settings()
CHANNEL_S = 1_800_000_000  # when a channel's period begins


class FixedGate:
    """Lets pass what is at one origin path."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def judge(self, request: web.Request, serves: Any) -> str:
        if not request.headers.get("CTA-Common-Access-Token"):
            return "no_session"
        return "ok" if serves(self.path) else "insufficient_proof"


@pytest.fixture
def keys(tmp_path: Path) -> list[ContentKey]:
    with KeyFile.open(SETTINGS.protection, tmp_path, create=True).change() as vault:
        found = vault.ensure("film", "cbcs", ["audio"], os.urandom)
        for at in range(3):
            found += vault.ensure("demo", "cbcs", ["sd"], os.urandom, CHANNEL_S + 600 * at)
    return found


async def kids_given(client: Any, keys: list[ContentKey]) -> tuple[int, list[str]]:
    names = [base64.urlsafe_b64encode(key.kid).rstrip(b"=").decode() for key in keys]
    url, token = "/v1/licence/clearkey", {"CTA-Common-Access-Token": "x"}
    async with client.post(url, json={"kids": names}, headers=token) as response:
        body = json.loads(await response.read())
        return response.status, [names.index(each["kid"]) for each in body.get("keys", [])]


@pytest.mark.parametrize(
    ("path", "now_s", "given"),
    [
        ("/vod/film/", CHANNEL_S, [0]),
        ("/live/demo/", CHANNEL_S - 61, []),
        ("/live/demo/", CHANNEL_S - 60, [1]),
        ("/live/demo/", CHANNEL_S + 540, [1, 2]),
        ("/live/demo/", CHANNEL_S + 600 + SETTINGS.keep_s + 59, [1, 2, 3]),
        ("/live/demo/", CHANNEL_S + 600 + SETTINGS.keep_s + 60, [2, 3]),
        ("/live/demo/", CHANNEL_S + 90_000, [3]),
        ("/vod/other/", CHANNEL_S, []),
    ],
)
async def test_a_licence_has_the_keys_of_the_content_and_of_this_time(
    aiohttp_client: Any,
    tmp_path: Path,
    keys: list[ContentKey],
    path: str,
    now_s: float,
    given: list[int],
) -> None:
    """PR-53, PR-121: per kid, from the start less 60 s to the end plus what is kept plus 60 s."""
    app = web.Application()
    app.add_routes(key_routes(Keys(SETTINGS, tmp_path, lambda: now_s))(FixedGate(path)))  # type: ignore[arg-type]
    client = await aiohttp_client(app)
    status, found = await kids_given(client, keys)
    assert found == given
    assert status == (200 if given else 403)
    bare = await client.get(f"/v1/licence/key/{keys[0].kid.hex()}")
    assert bare.status == 401


async def test_a_recording_keeps_the_keys_of_what_it_holds(
    aiohttp_client: Any, tmp_path: Path, keys: list[ContentKey]
) -> None:
    """PR-54: of the periods that it touches, as long as it is there."""
    holds = Holds(tmp_path / "origin" / "holds", SETTINGS.range_s)
    late = Range(Fraction(CHANNEL_S + 700), Fraction(CHANNEL_S + 900))
    holds.put(Hold("evening", "demo", late))
    holds.put(Hold("other", "cinema", Range(Fraction(CHANNEL_S), Fraction(CHANNEL_S + 900))))
    app = web.Application()
    gate = FixedGate("/live/demo/")
    app.add_routes(key_routes(Keys(SETTINGS, tmp_path, lambda: CHANNEL_S + 90_000))(gate))  # type: ignore[arg-type]
    client = await aiohttp_client(app)
    assert await kids_given(client, keys) == (200, [2, 3])
    holds.remove("evening")
    assert await kids_given(client, keys) == (200, [3])


async def test_without_a_key_file_licences_are_unavailable(
    aiohttp_client: Any, tmp_path: Path
) -> None:
    app = web.Application()
    app.add_routes(key_routes(Keys(SETTINGS, tmp_path))(FixedGate("/vod/film/")))  # type: ignore[arg-type]
    answer = await (await aiohttp_client(app)).get(f"/v1/licence/key/{'01' * 16}")
    assert answer.status == 503 and "Retry-After" in answer.headers


def test_manifests_name_the_control_api_unless_told_otherwise() -> None:
    shown = public_urls(SETTINGS, "https://c.example", ["widevine", "fairplay"]).protection.urls
    assert shown == {
        "clearkey": "https://c.example/v1/licence/clearkey",
        "identity": "https://c.example/v1/licence/key",
        "widevine": "https://c.example/v1/licence/widevine",
    }
    told = origin.settings.Settings.model_validate(
        {"protection": {"urls": {"clearkey": "https://o.example"}}}
    )
    kept = public_urls(told, "https://c.example", []).protection.urls
    assert kept["clearkey"] == "https://o.example"
