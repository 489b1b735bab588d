"""A killed CDN is in no list while another is left, wherever rules lead (RT-9)."""

import json

from cdn_router.admin.plan import Plan
from cdn_router.pathways import Admin
from cdn_router.rules.rule import Rule
from cdn_router.server import build
from cdn_router.settings import PathwaySettings, Settings
from cdn_router.state import State

NOW_MS = 1_700_000_000_000


def test_nobody_is_led_back_to_what_was_killed() -> None:
    """The manifest of a running session does not name where its rule leads by now."""
    pathways = [PathwaySettings(id=name, base_url="http://h") for name in "ABC"]
    subject = build(Settings(pathways=pathways))
    rules = (Rule("moved", only=("C",)),)
    subject.apply(Plan(generation=1, rules=rules, stands={"A": Admin.KILLED}), NOW_MS)
    for declared, order in ((("A", "B"), ["B"]), (("A",), ["A"])):
        sealed = subject._signer.seal(State("s", declared, 1, NOW_MS // 1000 + 60))
        told = json.loads(subject.poll("hls", f"ss={sealed}", NOW_MS).body)
        assert told["PATHWAY-PRIORITY"] == order


def test_a_rule_for_what_was_killed_leaves_the_others() -> None:
    subject = build(Settings())
    stands = {"CDN-A": Admin.KILLED, "CDN-B": Admin.DRAINED}
    rules = (Rule("only", only=("CDN-A",)),)
    subject.apply(Plan(generation=1, rules=rules, stands=stands), NOW_MS)
    assert subject.poll("hls", "", NOW_MS).session.order == ("CDN-B",)
