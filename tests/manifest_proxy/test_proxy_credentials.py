"""The proxy before an origin whose door asks for proof (O14, O28..O31)."""

from typing import Any

import pytest
from pydantic import SecretStr

from manifest_proxy.credentials import Credentials
from manifest_proxy.fetching import GuardedFetcher
from manifest_proxy.server import _proof
from manifest_proxy.settings import OriginAccess
from native.http import Answer, Entity, Request, serve
from origin.delivery.access import G2O, Access, Door
from runtime.clock import SYSTEM

KEY = "k" * 32
DOORS = {
    "secret": Access(secrets=[SecretStr("s1"), SecretStr("s2")]),
    "bearer": Access(bearer=[SecretStr("b")]),
    "g2o": Access(g2o=G2O(keys={"n1": SecretStr(KEY)})),
}
BROUGHT: dict[str, dict[str, Any]] = {
    "secret": {"secret": "s2"},
    "bearer": {"bearer": "b"},
    "g2o": {"g2o_nonce": "n1", "g2o_key": KEY},
}


async def statuses(door: Door, access: OriginAccess, targets: list[str]) -> list[int]:
    def origin(request: Request) -> Answer:
        now_s = SYSTEM.now_ms() / 1000
        code = door.refusal(request.header, request.peer, request.target, now_s)
        status = 403 if code else 200
        return Entity(b"x", content_type="text/plain", cache_control="no-store", status=status)

    server = await serve(origin, host="127.0.0.1", port=0)
    base = f"http://127.0.0.1:{server.port}"
    async with GuardedFetcher([base], proof=_proof(access, SYSTEM)) as fetcher:
        found = [(await fetcher.get(base + target)).status for target in targets]
    await server.close()
    return found


TARGETS = [
    "/live/c/master.m3u8",
    "/live/c/v/media.m3u8?_HLS_msn=5&start=1",
    "/live/a%20b~(1)/x.mpd",
]


@pytest.mark.parametrize("kind", DOORS)
async def test_each_door_opens_to_its_own_proof_only(kind: str) -> None:
    for brought, fields in BROUGHT.items():
        wanted = [200 if brought == kind else 403] * len(TARGETS)
        assert await statuses(Door(DOORS[kind]), OriginAccess(**fields), TARGETS) == wanted


async def test_the_same_request_twice_is_no_replay() -> None:
    targets = [TARGETS[0]] * 3
    assert await statuses(Door(DOORS["g2o"]), OriginAccess(**BROUGHT["g2o"]), targets) == [200] * 3


def test_nothing_is_sent_that_is_not_configured() -> None:
    assert _proof(OriginAccess(), SYSTEM) is None
    assert Credentials(secret="s").headers("/", 0, str) == {"x-origin-secret": "s"}
    assert "hidden-key" not in repr(OriginAccess(g2o_key=SecretStr("hidden-key")))
