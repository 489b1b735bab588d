"""State in RELOAD-URI: what was sealed opens, and nothing else does (ST-53)."""

import time

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from yarl import URL

from cdn_router.server import build, parts
from cdn_router.sessions import Viewer
from cdn_router.settings import PathwaySettings, Settings
from cdn_router.state import MAX_CHARS, Signer, State
from native.router.seal import Seal
from runtime.service import Web

SIGNER = Signer(b"k" * 32)
STATE = State("ses_1", ("CDN-A", "CDN-B"), 3, 1000)


def test_round_trip_and_expiry() -> None:
    sealed = SIGNER.seal(STATE)
    assert SIGNER.open(sealed, 999.9) == STATE
    assert SIGNER.open(sealed, 1000) is None
    assert Signer(b"x" * 32).open(sealed, 0) is None
    assert sealed.replace(".", "").replace("-", "").replace("_", "").isalnum(), "needs no quoting"


@given(st.integers(0, len(SIGNER.seal(STATE)) - 1), st.characters())
def test_any_altered_character_is_noticed(at: int, letter: str) -> None:
    sealed = SIGNER.seal(STATE)
    altered = sealed[:at] + letter + sealed[at + 1 :]
    assert SIGNER.open(altered, 0) == (STATE if altered == sealed else None)


@pytest.mark.parametrize("more", [[1], [1, 2], [None]])
def test_state_of_another_version_opens_nothing(more: list[object]) -> None:
    """A rolling update is no fault of the player's (ST-21)."""
    fields = [*msgspec.to_builtins(STATE), *more]
    foreign = Seal(b"k" * 32).sealed(msgspec.json.encode(fields))
    assert SIGNER.open(foreign, 0) is None


@pytest.mark.parametrize(
    "text", ["", ".", "v1..", "v2.a.b", "v1.a", "a" * (MAX_CHARS + 1), "é.é.é"]
)
def test_garbage_opens_nothing(text: str) -> None:
    assert SIGNER.open(text, 0) is None


@pytest.mark.parametrize(
    ("count", "length", "content"),
    [(2, 5, "/live/demo/"), (16, 32, "/vod/" + "x" * 91), (64, 32, "/кино/" + "ж" * 90)],
)
async def test_whatever_settings_allow_comes_back(count: int, length: int, content: str) -> None:
    """A session of many CDNs is known again at its next poll, over HTTP, on any node."""
    names = [f"{number:02}{'c' * (length - 2)}" for number in range(count)]
    pathways = [PathwaySettings(id=name, base_url="http://a") for name in names]
    settings = Settings(port=0, pathways=pathways, state_key=SecretStr("k" * 32))
    router, now_ms = build(settings), int(time.time() * 1000)
    viewer = Viewer(content, "DE", "tv", 3320, "ж" * 96)
    session, _ = router.start("a" * 64, viewer, now_ms)
    url = router.steering_url("hls", session, 0, now_ms)
    [web] = [part for part in parts(settings) if isinstance(part, Web)]
    await web.start()
    async with aiohttp.ClientSession() as http:
        asked = f"{url}&_HLS_pathway={names[0]}&_HLS_throughput=1".removeprefix(settings.public_url)
        async with http.get(URL(web.url + asked, encoded=True)) as answer:
            assert answer.status == 200
        async with http.get(f"{web.url}/v1/sessions/{session.id}") as answer:
            known = await answer.json()
    await web.stop()
    assert known["issues"] == [] and known["content"] == content[:96] and known["asn"] == 3320


def test_settings_allow_no_more() -> None:
    pathways = [{"id": f"{number:02}" + "c" * 62, "base_url": "http://a"} for number in range(33)]
    with pytest.raises(ValueError, match="together"):
        Settings(pathways=pathways)
