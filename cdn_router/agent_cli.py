"""`headwater router agent`: probes CDNs from where viewers are, and tells the routers."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .agent import Agent

Pairs = Annotated[
    list[str], typer.Option("--pathway", help="ID=URL of a segment; repeat for each CDN.")
]


def agent(
    region: Annotated[str, typer.Option("--region", help="As cells name it: a country code.")],
    router: Annotated[list[str], typer.Option("--router", help="Each router's own base URL.")],
    pathway: Pairs,
    interval: Annotated[float, typer.Option(min=1, max=120, help="Seconds between rounds.")] = 30.0,
    slow_ms: Annotated[float, typer.Option(min=1, help="Later than this is slow.")] = 2_000.0,
    token: Annotated[
        str, typer.Option(envvar="HEADWATER_FEED_TOKEN", help="The routers' feed_token.")
    ] = "",
) -> None:
    """Fetch a segment from each CDN in a region and tell the routers what came of it.

    Example: headwater router agent --region DE --router http://10.0.0.4:8004 \
    --pathway CDN-A=https://a.example/live/init.mp4
    """
    from .agent import Agent
    from .prober import Target

    targets = []
    for pair in pathway:
        name, equals, url = pair.partition("=")
        if not equals or not url.startswith(("http://", "https://")):
            typer.echo(f"headwater router agent: {pair!r} is no ID=URL", err=True)
            raise typer.Exit(2)
        targets.append(Target(name, url))
    asyncio.run(_forever(Agent(region, router, targets, slow_ms, token), interval))


async def _forever(agent: "Agent", interval_s: float) -> None:
    async with agent:
        while True:
            await agent.round()
            await asyncio.sleep(interval_s)
