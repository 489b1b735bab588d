"""Rule files, TOML or JSON: where children lead, and rule sets for channels, titles and cohorts.

steering_url = "https://steer.example/hls?sid="
[[pathways]]
id = "CDN-A"
base_url = "https://a.example"
[[rules]]
name = "phones"
paths = ["/live/*"]
cohorts = ["phone"]
order = "ascending"
video = { height = "..720", codecs = ["avc"] }
audio = { languages = ["de", "en"], channels = "..2" }
"""

from typing import NamedTuple

import msgspec

from .errors import RulesError
from .policy import PATHWAY_ID, Pathway, Policy
from .rule_lines import line_of
from .rulebook import Ruleset
from .selection import Span
from .urls import Url


class PathwayRule(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    base_url: str


class Rules(msgspec.Struct, forbid_unknown_fields=True):
    pathways: list[PathwayRule] | None = None
    steering_url: str = ""
    refresh_url: str = ""
    clock_url: str = ""
    rules: tuple[Ruleset, ...] = ()


class Rulebook(NamedTuple):
    """What a rule file says; no policy when it names no pathways."""

    policy: Policy | None
    rulesets: tuple[Ruleset, ...]


def read_rules(data: bytes, *, toml: bool, tokenised: bool) -> Rulebook:
    """The rules of a file; RulesError with the place of the fault, a line where it is known."""
    try:
        decode = msgspec.toml.decode if toml else msgspec.json.decode
        rules: Rules = decode(data, type=Rules, dec_hook=_hook)
    except (msgspec.MsgspecError, ValueError) as error:
        line = line_of(data, str(error), toml=toml)
        raise RulesError(
            "rules_unreadable", f"line {line}: {error}" if line else str(error)
        ) from None
    _check_names(rules.rules)
    return Rulebook(_policy(rules, tokenised), rules.rules)


def schema() -> dict[str, object]:
    """Of rule files, as JSON Schema (2020-12)."""
    span = {"type": ["string", "number"], "description": "a range: `240..720`, `..720`, `720`"}
    return msgspec.json.schema(Rules, schema_hook=lambda kind: span)


def _hook(kind: type, value: object) -> object:
    if kind is Span and isinstance(value, str):
        return Span.parse(value)
    if kind is Span and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Span(value, value)
    raise ValueError("expected a range such as `240..720`")


def _check_names(rulesets: tuple[Ruleset, ...]) -> None:
    names = [one.name for one in rulesets]
    for name in names:
        if not PATHWAY_ID.fullmatch(name) or names.count(name) > 1:
            raise RulesError("rules_name", f"{name!r} is no name, or the name of two rule sets")


def _policy(rules: Rules, tokenised: bool) -> Policy | None:
    if rules.pathways is None and rules.rules:
        return None
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
