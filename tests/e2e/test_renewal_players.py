"""A player loses nothing on renewal: dash.js, Shaka and hls.js outlive many tokens, renewed in each
way that catr knows (CAT-50..CAT-55, CAT-95, E-46).

Each plays PLAY_S seconds with tokens of TOKEN_S; HEADWATER_RENEWAL_S=600 is the long form.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edge_rigs.stage import SIGNER, film, stage
from playwright.sync_api import Browser, Page

import cat

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(900)]

PLAYERS = ("hls.js", "dash.js", "Shaka")
PLAY_S = int(os.environ.get("HEADWATER_RENEWAL_S", "14"))
IS_LONG = PLAY_S >= 60
TOKEN_S, DEADLINE_S = (30, 20) if IS_LONG else (6, 4)
START_S, PATIENCE_S = 20, 90
# catr type, and the CDN whose script renews: CloudFront's bundle has no room for redirects.
WAYS = {
    "automatic": (0, "cloudfront"),
    "cookie": (1, "cloudfront"),
    "header": (2, "akamai"),
    "redirect": (3, "akamai"),
}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    film(folder, PLAY_S + START_S)
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def token(way: int) -> str:
    claims = {
        "iss": "me",
        "exp": int(time.time()) + TOKEN_S,
        "catu": {"path": {"prefix": "/media/"}},
        "catr": {0: way, 1: TOKEN_S, 2: DEADLINE_S},
        "cti": os.urandom(8),
    }
    return cat.issue(claims, SIGNER)


@pytest.mark.parametrize("way", WAYS)
def test_players_outlive_their_tokens(media: Path, page: Page, way: str) -> None:
    number, platform = WAYS[way]
    with stage(media, platform) as edge:
        page.goto(f"http://localhost:{edge.port}/page/")
        page.evaluate(
            "([way, tokens]) => play(way, tokens)",
            [way, {player: token(number) for player in PLAYERS}],
        )
        page.wait_for_function("Object.values(seen).every((one) => one.filled)", timeout=60_000)
        page.wait_for_function(
            f"Object.values(seen).every((one) => one.errors.length || one.at() > {PLAY_S})",
            timeout=(PLAY_S + PATIENCE_S) * 1000,
        )
        told: dict[str, Any] = page.evaluate("told()")
        verdicts = dict(edge.state.verdicts)
    least = PLAY_S // TOKEN_S
    for player, seen in told.items():
        print(f"\n{way} {player}: {seen['at']:.0f} s, {seen['renewals']} renewals seen")
        assert seen["errors"] == [], player
        assert seen["waits"] == 0, player
        if way != "cookie":
            assert seen["renewals"] >= least, player
    assert verdicts.keys() == {"ok"}, verdicts
