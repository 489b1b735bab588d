"""Any plan, any session: there is a start, and a manifest that players take (ST-12, ST-15)."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn_router.admin.plan import Plan
from cdn_router.catalog import POLICIES
from cdn_router.cells.state import State as Cells
from cdn_router.clones import Clone, check
from cdn_router.core import Router
from cdn_router.health import Limits, Outcome
from cdn_router.pathways import Pathway
from cdn_router.policies.face import Cdn
from cdn_router.sessions import Viewer
from cdn_router.state import Signer, State

NOW_MS = 1_700_000_000_000
OWN = ("A", "B", "C")
CLONES = ("K", "L", "M")
SIGNER = Signer(b"k" * 32)

ids = st.sampled_from(OWN + CLONES)
rules = st.fixed_dictionaries(
    {},
    optional={
        "only": st.lists(ids, max_size=3),
        "never": st.lists(ids, max_size=6),
        "weights": st.dictionaries(ids, st.integers(0, 2), max_size=3),
        "sticky": st.booleans(),
        "percent": st.sampled_from([0, 0.01, 50, 100]),
    },
)
plans = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(["static-priority", "headwater", "round-robin"]),
        "clones": st.lists(ids, max_size=3),  # what each stands on
        "rules": st.lists(rules, max_size=3),
        "stands": st.dictionaries(ids, st.sampled_from(["drained", "killed"]), max_size=6),
        "fallback": st.booleans(),
    }
)


def plan(drawn: dict[str, Any], generation: int) -> Plan:
    """What was drawn, of the pathways and clones that it has."""
    known, clones = list(OWN), []
    for name, base in zip(CLONES, drawn["clones"], strict=False):
        if base in known:
            clones.append({"base_id": base, "id": name, "host": "h"})
            known.append(name)
    stands = {name: stand for name, stand in drawn["stands"].items() if name in known}
    rules = [
        rule
        | {"name": f"r{at}"}
        | {
            part: [name for name in rule.get(part, ()) if name in known]
            for part in ("only", "never")
        }
        | {"weights": {n: w for n, w in rule.get("weights", {}).items() if n in known}}
        for at, rule in enumerate(drawn["rules"])
    ]
    more = {"generation": generation, "clones": clones, "stands": stands, "rules": rules}
    return msgspec.convert(drawn | more, Plan)


@settings(max_examples=150, deadline=None)
@given(st.lists(plans, min_size=1, max_size=3), st.lists(st.sampled_from((*OWN, "O"))), ids)
def test_every_plan_leaves_an_answer(
    drawn: list[dict[str, Any]], declared: list[str], current: str
) -> None:
    subject = Router(
        [Pathway(name, "http://h", at) for at, name in enumerate(OWN)],
        signer=SIGNER,
        public_url="http://r",
        ttl_s=20,
        state_ttl_s=3600,
        limits=Limits(),
        max_sessions=100,
        now_ms=NOW_MS,
        new_id=str,
        policies=POLICIES,
    )
    for second in range(3):
        subject.probed("A", Outcome.FAILED, None, second, NOW_MS)
    cells = Cells([Cdn(name) for name in OWN], NOW_MS / 1000)
    subject.use(cells.snapshot(NOW_MS))
    named = tuple(dict.fromkeys(declared))
    query = f"ss={SIGNER.seal(State('s', named, 1, NOW_MS // 1000 + 60))}&_HLS_pathway={current}"
    for generation, each in enumerate(drawn, 1):
        subject.apply(plan(each, generation), NOW_MS)
        session, _ = subject.start("", Viewer(), NOW_MS)
        assert session.order and set(session.order) <= set(OWN)
        told = json.loads(subject.poll("hls", query, NOW_MS).body)
        order = told["PATHWAY-PRIORITY"]
        clones = [
            Clone(clone["BASE-ID"], clone["ID"], clone["URI-REPLACEMENT"]["HOST"])
            for clone in told.get("PATHWAY-CLONES", ())
        ]
        known = set(named) & set(OWN) or set(OWN)
        check(clones, known)
        assert order and len(set(order)) == len(order)
        assert set(order) <= known | {clone.id for clone in clones}
