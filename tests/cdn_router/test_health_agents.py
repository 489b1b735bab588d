"""Probes told by agents in regions: three failures, one success, silence, strangers (RT-8)."""

from itertools import product

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr
from typer import Typer
from typer.testing import CliRunner

from cdn_router.agent import Agent
from cdn_router.agent_cli import agent
from cdn_router.agents import MAX_REGIONS, PATH, SILENT_S, Probe, Probes, RegionProbes
from cdn_router.errors import NotFound
from cdn_router.health import Outcome
from cdn_router.prober import Target
from cdn_router.server import parts
from cdn_router.settings import PathwaySettings, Settings
from cdn_router.upkeep import Upkeep
from runtime.service import Web


def told(outcome: Outcome, region: str = "DE") -> Probes:
    return Probes(region, [Probe("CDN-A", outcome), Probe("CDN-B", Outcome.GOOD)])


def test_three_failures_are_down_there_until_one_succeeds() -> None:
    regions = RegionProbes(["CDN-A", "CDN-B"])
    for n in range(2):
        assert regions.take(told(Outcome.FAILED), n) == []
    assert not regions.down("DE", "CDN-A", 2)
    assert regions.take(told(Outcome.FAILED), 2) == ["CDN-A"]
    assert regions.down("DE", "CDN-A", 3)
    assert not regions.down("DE", "CDN-B", 3) and not regions.down("FR", "CDN-A", 3)
    assert not regions.down("DE", "CDN-A", 3 + SILENT_S), "a silent agent says nothing"
    regions.take(told(Outcome.GOOD), 4)
    assert not regions.down("DE", "CDN-A", 5)


def test_a_cdn_that_leaves_an_agents_list_is_not_down_for_ever() -> None:
    regions = RegionProbes(["CDN-A", "CDN-B"])
    for n in range(3):
        regions.take(told(Outcome.FAILED), n)
    others = Probes("DE", [Probe("CDN-B", Outcome.GOOD)])
    regions.take(others, SILENT_S)
    assert regions.down("DE", "CDN-A", SILENT_S)
    regions.take(others, 2 + SILENT_S)
    assert not regions.down("DE", "CDN-A", 3 + SILENT_S)


def test_what_is_no_pathway_is_refused_and_regions_are_bounded() -> None:
    regions = RegionProbes(["CDN-A"])
    with pytest.raises(NotFound):
        regions.take(told(Outcome.GOOD), 0)
    only = Probes("R0", [Probe("CDN-A", Outcome.FAILED)])
    for n in range(3):
        regions.take(only, n)
    assert regions.down("R0", "CDN-A", 3)
    for n in range(1, MAX_REGIONS + 1):
        regions.take(Probes(f"R{n}", only.probes), 3)
    assert not regions.down("R0", "CDN-A", 4)


async def test_an_agent_takes_a_cdn_out_of_its_region_only() -> None:
    """Over HTTP: a CDN that fails there, another that works."""

    async def asked(request: web.Request) -> web.Response:
        return web.Response(status=503 if request.path == "/a" else 200)

    cdns = web.AppRunner(web.Application())
    cdns.app.router.add_get("/{name}", asked)
    await cdns.setup()
    site = web.TCPSite(cdns, "127.0.0.1", 0)
    await site.start()
    pathways = [
        PathwaySettings(id=name, base_url="http://localhost", capacity_mbps={"DE": 900, "FR": 900})
        for name in ("CDN-A", "CDN-B")
    ]
    token = SecretStr("told")
    running = parts(Settings(port=0, policy="headwater", feed_token=token, pathways=pathways))
    for part in running:
        await part.start()
    listener, upkeep = running[-1], next(part for part in running if isinstance(part, Upkeep))
    assert isinstance(listener, Web)
    where = f"http://127.0.0.1:{cdns.addresses[0][1]}"
    targets = [Target("CDN-A", f"{where}/a"), Target("CDN-B", f"{where}/b")]
    try:
        async with Agent("DE", [listener.url], targets, 60_000, "told") as here:
            for _ in range(3):
                assert await here.round() == 1
        async with Agent("DE", [listener.url], targets, 60_000, "guessed") as here:
            assert await here.round() == 0
        async with ClientSession() as http:
            head = {"Authorization": "Bearer told"}
            for body, status in (
                (b'{"region":"DE","probes":[]}', 400),
                (b'{"region":"DE","probes":[{"pathway":"X","outcome":"good"}]}', 404),
            ):
                async with http.post(listener.url + PATH, data=body, headers=head) as answer:
                    assert answer.status == status
            upkeep.round()
            leads: dict[str, set[str]] = {"DE": set(), "FR": set()}
            for country, number in product(leads, range(12)):
                start = {"session_id": f"{country}{number}", "country": country}
                async with http.post(listener.url + "/v1/decisions", json=start) as answer:
                    leads[country].add((await answer.json())["pathways"][0]["id"])
        assert leads == {"DE": {"CDN-B"}, "FR": {"CDN-A", "CDN-B"}}
    finally:
        for part in reversed(running):
            await part.drain()
            await part.stop()
        await cdns.cleanup()


def test_pathways_of_the_command_line_are_pairs() -> None:
    app = Typer()
    app.command()(agent)
    asked = ["--region", "DE", "--router", "http://x", "--pathway", "CDN-A"]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 2 and "ID=URL" in refused.stderr
