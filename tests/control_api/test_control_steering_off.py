"""Steering switched off at the router, seen by viewers: control, router, proxy, origin listen."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

import cdn_router.server
import cdn_router.settings
import manifest_proxy.server
import manifest_proxy.settings
from native.http import Answer, Entity, Request, serve
from runtime.service import Web

MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
MPD = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><Period id="0"/></MPD>'
OFF = {"name": "off", "off": True}


def origin(request: Request) -> Answer:
    body = MASTER if request.path.endswith(".m3u8") else MPD
    return Entity(body, content_type="text/plain", cache_control="max-age=60")


@pytest.fixture
async def started() -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:

        async def start(parts: list[Any]) -> Any:
            for part in parts:
                await part.start()
                stack.push_async_callback(part.stop)
            return parts[-1]

        yield start


async def test_who_starts_while_steering_is_off_never_polls(
    database: Any, make_api: Any, started: Any
) -> None:
    router: Web = await started(cdn_router.server.parts(cdn_router.settings.Settings(port=0)))
    api = await make_api(database, router="http", router_url=router.url)
    source = await serve(origin, host="127.0.0.1", port=0)
    settings = manifest_proxy.settings.Settings(
        port=0, origin_url=f"http://127.0.0.1:{source.port}", steering_url=f"{router.url}/steer"
    )
    issuers = (api.settings.content_token_issuer,)
    proxy = await started(manifest_proxy.server.parts(settings, api.token_keys(), issuers=issuers))

    async def manifests() -> dict[str, bytes]:
        """What a new session is given, by protocol."""
        status, answer = await api.start()
        assert status == 201
        bodies = {}
        for protocol, address in answer["manifests"].items():
            path = address.removeprefix(api.settings.proxy_public_url)
            async with api.client.get(f"http://127.0.0.1:{proxy.port}{path}") as got:
                assert got.status == 200, await got.text()
                bodies[protocol] = await got.read()
        assert (answer["steering"] is None) == (b"teering" not in b"".join(bodies.values()))
        return bodies

    async def planned(*rules: Any) -> None:
        async with api.client.get(f"{router.url}/v1/plan") as answer:
            newest = (await answer.json())["newest_generation"]
        plan = {"generation": newest + 1, "rules": rules}
        async with api.client.put(f"{router.url}/v1/plan", json=plan) as answer:
            assert answer.status == 200, await answer.text()

    async def polled(body: bytes) -> int:
        """What who plays this is answered at its next poll."""
        text = body.decode()
        address = text.split('SERVER-URI="')[1].split('"')[0]
        async with api.client.get(router.url + "/steer" + address.split("/steer")[1]) as answer:
            return int(answer.status)

    before = await manifests()
    assert b"EXT-X-CONTENT-STEERING" in before["hls"] and b"ContentSteering" in before["dash"]
    assert await polled(before["hls"]) == 200
    await planned(OFF)
    while_off = await manifests()
    assert all(b"teering" not in body for body in while_off.values())
    assert while_off["hls"].count(b"PATHWAY-ID=") == 2, "its own failover has where to go"
    assert while_off["dash"].count(b"<BaseURL") == 2
    assert await polled(before["hls"]) == 410, "whoever plays is told so"
    await planned(OFF | {"content": "/live/other/"})
    after = await manifests()
    assert b"EXT-X-CONTENT-STEERING" in after["hls"] and b"ContentSteering" in after["dash"]
    await source.close()
