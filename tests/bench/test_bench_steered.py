"""The steered player against the router itself, on a clock that only it moves."""

import itertools
import json
from collections.abc import Mapping

from bench.players import SteeredPlayer
from cdn_router.cmcd.decode import decode_line
from cdn_router.core import Router
from cdn_router.health import Limits
from cdn_router.pathways import Admin, Pathway
from cdn_router.sessions import Viewer
from cdn_router.state import Signer

START_MS = 1_700_000_000_000
BASES = {"CDN-A": "http://a", "CDN-B": "http://b"}


class World:
    """A router, two CDNs, and time."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.asked: list[tuple[int, str]] = []
        self.lines: list[str] = []
        ids = itertools.count()
        self.router = Router(
            [Pathway(name, url, at) for at, (name, url) in enumerate(BASES.items())],
            signer=Signer(b"k" * 32),
            public_url="http://public:8004",
            ttl_s=20,
            state_ttl_s=3600,
            limits=Limits(),
            max_sessions=10,
            now_ms=START_MS,
            new_id=lambda: f"fresh{next(ids)}",
        )

    def sleep(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)
        if self.now_ms >= START_MS + 30_000:
            self.router.administer("CDN-A", Admin.DRAINED, self.now_ms)

    def send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], name: str
    ) -> tuple[int, bytes, float]:
        if name == "start":
            asked = json.loads(body)
            viewer = Viewer(asked["content"])
            session, choice = self.router.start(asked["session_id"], viewer, self.now_ms)
            steering = self.router.steering_url("hls", session, 0, self.now_ms)
            pathways = [{"id": each, "base_url": BASES[each]} for each in choice.ids]
            answer = {"pathways": pathways, "steering": {"hls": steering}}
            return 200, json.dumps(answer).encode(), 0.0
        if name == "steer":
            assert url.startswith("http://router/steer/hls?ss=")
            answer_body = self.router.poll("hls", url.partition("?")[2], self.now_ms).body
            return 200, answer_body, 0.0
        if name == "cmcd":
            self.lines += body.decode().split("\n")
            return 204, b"", 0.0
        self.asked.append((self.now_ms, url))
        return (200 if url.startswith(tuple(BASES.values())) else 404), b"x" * 500_000, 1.0


def test_it_goes_where_it_is_told_and_tells_what_it_saw() -> None:
    world = World()
    player = SteeredPlayer(
        world.send,
        lambda: world.now_ms / 1000,
        world.sleep,
        "http://router",
        "/live/x.mp4",
        "s1",
        query="?CAT=secret",
    )
    player.watch(120.0)
    assert (player.lead, player.switches, player.failed) == ("CDN-B", 1, 0)
    first_b_ms = next(at_ms for at_ms, url in world.asked if url.startswith("http://b"))
    assert 30_000 <= first_b_ms - START_MS <= 30_000 + 22_000 + 4_000, "within one TTL"
    session = world.router.sessions.get("s1")
    assert session is not None and session.polls >= 4 and session.followed is True
    assert all(url.endswith("/live/x.mp4?CAT=secret") for _, url in world.asked)
    assert "secret" not in "".join(world.lines), "a token is nobody's telemetry"
    records = [decode_line(line).data for line in world.lines]
    assert len(records) > 15 and {each["rc"] for each in records} == {200}
    assert {str(each["url"])[:8] for each in records} == set(BASES.values())
