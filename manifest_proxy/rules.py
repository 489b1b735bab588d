"""Rule files: the policy of `headwater manifest rewrite`, as TOML or JSON.

steering_url = "https://steer.example/hls?sid="
[[pathways]]
id = "CDN-A"
base_url = "https://a.example"
"""

import msgspec

from .errors import RulesError
from .policy import PATHWAY_ID, Pathway, Policy
from .urls import Url


class PathwayRule(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    base_url: str


class Rules(msgspec.Struct, forbid_unknown_fields=True):
    pathways: list[PathwayRule]
    steering_url: str = ""
    refresh_url: str = ""
    clock_url: str = ""


def read_rules(data: bytes, *, toml: bool, tokenised: bool) -> Policy:
    """The policy that a rule file describes; RulesError with the place of the fault."""
    try:
        decode = msgspec.toml.decode if toml else msgspec.json.decode
        rules = decode(data, type=Rules)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RulesError("rules_unreadable", str(error)) from None
    if not rules.pathways:
        raise RulesError("rules_empty", "at least one pathway is needed")
    for pathway in rules.pathways:
        if not PATHWAY_ID.fullmatch(pathway.id):
            raise RulesError("pathway_id", f"{pathway.id!r} is not a legal pathway id")
    urls = [rules.steering_url, rules.refresh_url, rules.clock_url]
    for url in [*(pathway.base_url for pathway in rules.pathways), *filter(None, urls)]:
        try:
            Url.parse(url)
        except ValueError as error:
            raise RulesError("rules_url", f"{url!r}: {error}") from None
    return Policy(
        tuple(Pathway(p.id, p.base_url.rstrip("/")) for p in rules.pathways),
        rules.steering_url,
        rules.refresh_url.rstrip("/"),
        rules.clock_url,
        tokenised,
    )
