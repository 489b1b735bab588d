"""Sessions of the proxy that nobody stores: what a viewer costs who was never seen; one core.

    python -m bench.bench_sessions --json

Microseconds of processor time, so a ratio below 1 is a win. Each call answers a session whose URL
this process has not met: the signature is checked, the rules chosen, the copy found and filled.
`joined`: a live playlist of 60 segments with a bumper, at one of 40 places; `marked`: with a
watermark of the viewer's own in every segment; `filtered`: with a filter of the first request.
Peer: `m3u8` reading and writing the same playlist, the least that a proxy without holes does.
`memory`: what a process grew by for each of 100,000 sessions of all three kinds, in bytes.
Source: manifest-proxy MP-38, MP-41, MP-45.
"""

import resource
from collections.abc import Callable, Iterator
from functools import partial

import m3u8

from bench import harness
from bench.bench_manifest import BEGUN_MS, TOKEN, compare, playlist
from manifest_proxy.asked import Asking
from manifest_proxy.audience import Audience
from manifest_proxy.manifest import Spot
from manifest_proxy.policy import Pathway
from manifest_proxy.press import Press
from manifest_proxy.rulebook import Clip, Ruleset, Watermark
from manifest_proxy.session import Chosen, Sessions
from manifest_proxy.spots import FOREVER_S, Spots
from manifest_proxy.upstream import Version
from manifest_proxy.urls import Origin, Url
from native.http import Request
from runtime.clock import SYSTEM

SECRET = b"secret"
SESSIONS = 100_000
ROOT = "http://127.0.0.1:8001"
PATH = "/live/{}/v720/media.m3u8"
CLIP = playlist(5) + b"#EXT-X-ENDLIST\n"
RULES = {
    "joined": Ruleset("joined", ("/live/joined/*",), bumper=Clip("/vod/b", "v720/media.m3u8")),
    "marked": Ruleset("marked", ("/live/marked/*",), watermark=Watermark()),
    "filtered": Ruleset("filtered", ("/live/filtered/*",), playlists="proxy"),
}


def chosen(kind: str, number: int) -> Chosen:
    """What the session of that number bound."""
    if kind == "joined":  # the spare milliseconds make each session one of its own
        return Chosen(joined_ms=BEGUN_MS + 20_000 + number % 40 * 1000 + number // 40 % 400)
    if kind == "marked":
        return Chosen(mark=f"{number:012d}")
    return Chosen(cohort=f"c{number}", filter="video.height=..720")


def viewer(kind: str, sessions: Iterator[bytes]) -> Callable[[], object]:
    """Answers the next session's viewer."""
    asking = Asking({"A": Pathway("A", "https://a.cdn.example")}, (RULES[kind],), SECRET)
    press = Press(
        asking,
        Origin(ROOT),
        public_url="https://p.example",
        steering_url="",
        tokenised=True,
        clock=SYSTEM,
        shares=False,
    )
    path = PATH.format(kind)
    version = Version(playlist(60), Url.parse(ROOT + path), "", 0.0)
    clip = Spot(CLIP, Url.parse(ROOT + PATH.format("b"))) if kind == "joined" else None
    first = next(sessions).decode()
    asked = asking.read(Request("GET", f"/p/A/{first}{path}"))
    assert asked is not None
    audience = Audience(asked, version, asking, press, SYSTEM)
    audience.know(asked, Spots(clip), FOREVER_S)

    def answered() -> object:
        answer = audience.copy(TOKEN, b"", next(sessions), coded=False)
        assert answer is not None
        return answer

    return answered


def sessions(kind: str) -> Iterator[bytes]:
    """Signed, each another one."""
    signing = Sessions(SECRET)
    made = [signing.sign(chosen(kind, number)).encode() for number in range(SESSIONS // 3)]
    while True:
        yield from made


def resident_bytes() -> int:
    """The most that this process had in memory."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def round_trip(text: str) -> str:
    return m3u8.loads(text).dumps()


def measure() -> Iterator[str]:
    viewers = {kind: viewer(kind, sessions(kind)) for kind in RULES}
    for answered in viewers.values():
        answered()
    before = resident_bytes()
    for answered in viewers.values():
        for _ in range(SESSIONS // 3):
            answered()
    grown = (resident_bytes() - before) / SESSIONS
    peer = partial(round_trip, playlist(60).decode())
    for kind, answered in viewers.items():
        yield compare(f"session_{kind}", answered, "m3u8", peer)
    yield harness.line("manifest", "session_memory", grown, "B", None, None)


if __name__ == "__main__":
    harness.main(__doc__, measure, harness.SERVER_CORE)
