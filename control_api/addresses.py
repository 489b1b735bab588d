"""Where a player finds what it plays: manifests, CDNs and their credentials, steering (CTL-110)."""

from collections.abc import Mapping

from msgspec import structs

from cat.signers import by_cdn
from control_api import types
from control_api.routerclient import Decision
from control_api.settings import Settings
from control_api.spans import Span

LEAVES = {"hls": "master.m3u8", "dash": "manifest.mpd"}


def judging(settings: Settings, decision: Decision) -> Decision:
    """Only the CDNs that are known to judge patterns, as tokens of a time range have; all of them
    where that would leave none.
    """
    able = {each.id for each in settings.pathways if each.patterns}
    fit = [choice for choice in decision.pathways if choice.id in able]
    return structs.replace(decision, pathways=fit) if fit else decision


def manifests(
    settings: Settings, decision: Decision, origin_path: str, bound: Span | None, token: str
) -> types.Manifests:
    """Through the proxy, of a time range where there is one."""
    base = f"{settings.proxy_public_url}/p/{decision.cohort}{origin_path}"
    query = f"{bound.query}&CAT={token}" if bound else f"CAT={token}"
    return types.Manifests(
        **{protocol: f"{base}{leaf}?{query}" for protocol, leaf in LEAVES.items()}
    )


def cdns(
    natives: Mapping[str, by_cdn.Native], decision: Decision, origin_path: str, expires_ms: int
) -> list[types.Cdn]:
    """Each pathway with its own CDN's credentials, where it has some."""
    return [
        types.Cdn(
            choice.id,
            choice.base_url,
            natives[choice.id].query(choice.base_url, origin_path, expires_ms // 1_000)
            if choice.id in natives
            else None,
        )
        for choice in decision.pathways
    ]


def steering(decision: Decision) -> types.Steering | None:
    """The addresses that players poll; None where nobody steers."""
    if not decision.steering:
        return None
    return types.Steering(decision.steering.hls, decision.steering.dash)
