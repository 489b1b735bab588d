"""What playback tokens open of a real channel through real edges (CTL-112, CTL-131)."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from origin_rigs.running import Origin, until

import cat
from control_api import spans
from control_api.content_tokens import CatSigner
from headwater.demo import edge

GRID_MS = 19_200  # long: the origin fills in nothing while it is asked
WINDOW_S = 120
OLDEST, NEWEST = 40, 1  # segments before now
KEY = {"kid": "t", "alg": "HS256", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
PATH = "/live/demo/"


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory, long_video: Any) -> Any:
    """A channel with ten minutes of past, of which its live manifests list two."""
    settings = {"demo": {"segment_s": "96/5", "ingest_secrets": []}}
    folder = tmp_path_factory.mktemp("live-edge")
    origin = Origin(folder, channels=settings, window_s=WINDOW_S, retention_s=1_200).start()
    now = int(time.time() * 1_000) // GRID_MS
    for number in range(now - OLDEST, now - NEWEST + 1):
        body = long_video.header + long_video.segment(number)
        assert origin.push("/ingest/demo/Streams(v.cmfv)", body).status == 200
    until(lambda: f"{now - NEWEST}.m4s" in origin.get(f"{PATH}v/media.m3u8").text, "the edge", 60)
    yield origin, now
    origin.stop()


@pytest.fixture(params=["akamai", "cloudfront"])
async def cdn(channel: Any, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A function that asks an edge: status, and the reason of a refusal; and the platform."""
    url = f"http://127.0.0.1:{channel[0].delivery_port}"
    parts = edge.parts("CDN", "127.0.0.1", 0, 0, url, [KEY], ["headwater"], request.param)
    for part in parts:
        await part.start()
    port = parts[2].port  # type: ignore[attr-defined]
    async with aiohttp.ClientSession() as session:

        async def ask(leaf: str, token: str) -> tuple[int, str, str]:
            mark = "&" if "?" in leaf else "?"
            asked = f"http://127.0.0.1:{port}{PATH}{leaf}{mark}CAT={token}"
            async with session.get(asked) as answer:
                text = await answer.text(errors="replace")
                return answer.status, answer.headers.get("CAT-Reason", ""), text

        yield ask, request.param
    for part in reversed(parts):
        await part.stop()


def signed(now: int, back_s: int | None, bound: spans.Span | None = None) -> str:
    """As the control API signs in segment `now`, with the length of the channel's segments known:
    by a later clock, what is opened of the past would be less.
    """
    signer = CatSigner(cat.KeySet.from_json([KEY]), "headwater", {"demo": GRID_MS}, back_s)
    now_s = now * GRID_MS // 1_000
    return signer.sign(PATH, b"\x01" * 16, now_s, now_s + 600, bound)


async def test_a_live_token_reads_live_and_no_past(channel: Any, cdn: Any) -> None:
    _, now = channel
    ask, platform = cdn
    past = [
        f"v/{now - OLDEST + 2}.m4s",
        f"master.m3u8?start={now * GRID_MS // 1_000 - 5 * WINDOW_S}",
    ]
    free, kept = signed(now, None), signed(now, 2 * WINDOW_S)
    for leaf in past:
        assert (await ask(leaf, free))[0] == 200, "what a prefix opens"
    if platform == "cloudfront":
        assert (await ask("master.m3u8", kept))[:2] == (403, "claim_unsupported"), "docs/edges.md"
        return
    for leaf in past:
        assert (await ask(leaf, kept))[:2] == (403, "uri")
    _, _, playlist = await ask("v/media.m3u8", kept)
    listed = [line for line in playlist.splitlines() if line.endswith(".m4s")]
    assert len(listed) >= WINDOW_S * 1_000 // GRID_MS - 1
    leaves = ["master.m3u8", "manifest.mpd", "v/init.mp4", *(f"v/{name}" for name in listed)]
    for leaf in (*leaves, f"v/media.m3u8?_HLS_msn={now - NEWEST}&CMCD=sid%3D%22a%22"):
        status, reason, _ = await ask(leaf, kept)
        assert (status, reason) == (200, ""), leaf


@pytest.mark.parametrize("cdn", ["akamai"], indirect=True)
async def test_a_programmes_token_reads_the_programme_and_nothing_else(
    channel: Any, cdn: Any
) -> None:
    """CloudFront judges no patterns: programmes are not played from it (`addresses.judging`)."""
    _, now = channel
    ask, _ = cdn
    first, last = now - 30, now - 20
    bound = spans.span(first * GRID_MS, last * GRID_MS)
    token = signed(now, None, bound)
    status, _, playlist = await ask(f"v/media.m3u8?{bound.query}", token)
    listed = [line for line in playlist.splitlines() if line.endswith(".m4s")]
    assert status == 200 and len(listed) >= last - first
    for name in listed:
        assert (await ask(f"v/{name}", token))[0] == 200, name
    for leaf in (f"v/{first - 4}.m4s", f"v/{last + 4}.m4s", f"v/media.m3u8?start={bound.start_s}0"):
        assert (await ask(leaf, token))[:2] == (403, "uri"), leaf
