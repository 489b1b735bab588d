"""One plan on all nodes (RT-14, RT-15): over any store, through cuts, losses and restarts."""

import asyncio

import pytest

from cdn_router.admin import shared
from cdn_router.admin.plan import Plan
from cdn_router.admin.shared import KEY, SharedPlan
from cdn_router.core import Router
from cdn_router.errors import Conflict, NotFound, RequestError
from cdn_router.health import Limits
from cdn_router.pathways import Admin, Pathway
from cdn_router.rules.rule import Rule
from cdn_router.sessions import Viewer
from cdn_router.state import Signer
from runtime.store import MemoryStore, StoreError

NOW_MS = 1_700_000_000_000
TO_B = (Rule("b", only=("CDN-B",)),)
FAULTS = [StoreError("unavailable", "away"), RuntimeError("MOVED 1 b:1")]


class Still:
    """A clock that stands."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        return 0.0


def router() -> Router:
    return Router(
        [Pathway("CDN-A", "http://a", 0), Pathway("CDN-B", "http://b", 1)],
        signer=Signer(b"k" * 32),
        public_url="http://r",
        ttl_s=20,
        state_ttl_s=3600,
        limits=Limits(),
        max_sessions=100,
        now_ms=NOW_MS,
        new_id=str,
    )


def lead(subject: Router) -> str:
    return subject.start("s", Viewer(), NOW_MS)[1].ids[0]


class Slow(MemoryStore):
    """What it says may be old by the time it is heard."""

    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        await asyncio.sleep(0)
        return value


class Nodes:
    """Routers over one store, which may be cut off one by one."""

    def __init__(self, count: int) -> None:
        self.store = Slow()
        self.kept: list[Plan] = []
        self.routers = [router() for _ in range(count)]
        self.shared = [
            SharedPlan(each, self.store, Still(), self.kept.append) for each in self.routers
        ]

    async def rounds(self, *nodes: int) -> None:
        for node in nodes:
            await self.shared[node].round()

    def leads(self) -> list[str]:
        return [lead(each) for each in self.routers]


def generations(routers: list[Router]) -> list[int]:
    return [each.plans.newest for each in routers]


async def test_what_one_node_accepts_holds_on_all() -> None:
    nodes = Nodes(3)
    one, two, _ = nodes.routers
    one.administer("CDN-A", Admin.KILLED, NOW_MS)
    assert nodes.leads() == ["CDN-B", "CDN-A", "CDN-A"], "at once where it was said"
    await nodes.rounds(0, 1, 2)
    assert nodes.leads() == ["CDN-B"] * 3 and generations(nodes.routers) == [1] * 3
    assert nodes.kept == [one.plans.current] * 2, "written down where it was heard"
    assert [entry.outcome for entry in two.plans.audit()] == ["heard"]
    two.apply(Plan(2), NOW_MS)
    await nodes.rounds(1, 0, 2)
    assert nodes.leads() == ["CDN-A"] * 3


async def test_of_plans_accepted_at_once_one_holds_and_all_others_are_refused() -> None:
    """RT-14: nobody is told that a plan holds which another one has pushed aside."""
    nodes = Nodes(4)
    wanted = [Plan(1, rules=TO_B), Plan(1, ttl_s=60), Plan(1), Plan(1, ttl_s=5)]
    told = await asyncio.gather(
        *(each.accept(plan) for each, plan in zip(nodes.shared, wanted, strict=True)),
        return_exceptions=True,
    )
    assert told.count(None) == 1
    refused = [each for each in told if each is not None]
    assert all(isinstance(each, Conflict) and each.code == "stale_generation" for each in refused)
    held = wanted[told.index(None)]
    assert [each.plans.current for each in nodes.routers] == [held] * 4, "heard with the refusal"


async def test_a_pathway_is_killed_beside_whatever_else_is_changed_at_once() -> None:
    """RT-9: who kills a CDN names no generation, and loses to nobody."""
    nodes = Nodes(3)
    one, two, three = nodes.shared
    told = await asyncio.gather(
        one.administer("CDN-A", Admin.KILLED),
        two.administer("CDN-B", Admin.DRAINED),
        three.accept(Plan(1, ttl_s=60)),
        return_exceptions=True,
    )
    assert not any(isinstance(each, Exception) for each in told[:2])
    await nodes.rounds(0, 1, 2)
    stands = {"CDN-A": Admin.KILLED, "CDN-B": Admin.DRAINED}
    assert [each.plans.current.stands for each in nodes.routers] == [stands] * 3
    with pytest.raises(NotFound):
        await one.administer("CDN-Z", Admin.KILLED)


async def test_a_plan_that_cannot_hold_reaches_no_store() -> None:
    nodes = Nodes(1)
    with pytest.raises(RequestError, match="policy_unknown"):
        await nodes.shared[0].accept(Plan(1, policy="none"))
    assert await nodes.store.get(KEY) is None


async def test_two_sides_of_a_cut_agree_afterwards() -> None:
    nodes = Nodes(3)
    one, two, _ = nodes.routers
    one.apply(Plan(1, rules=TO_B), NOW_MS)
    two.apply(Plan(1, ttl_s=60), NOW_MS)
    await nodes.rounds(0, 1, 2, 0, 1, 2)
    assert len({each.plans.current.precedence() for each in nodes.routers}) == 1
    one.apply(Plan(3), NOW_MS)
    two.apply(Plan(2, rules=TO_B), NOW_MS)
    await nodes.rounds(1, 0, 1, 2)
    assert generations(nodes.routers) == [3] * 3 and nodes.leads() == ["CDN-A"] * 3


async def test_a_store_that_forgot_is_told_again() -> None:
    nodes = Nodes(2)
    nodes.routers[0].apply(Plan(4, rules=TO_B), NOW_MS)
    await nodes.rounds(0)
    await nodes.store.delete(KEY)
    await nodes.rounds(0, 1)
    assert nodes.leads() == ["CDN-B"] * 2


async def test_a_plan_that_ended_meanwhile_counts_as_seen() -> None:
    nodes = Nodes(2)
    one, two = nodes.routers
    one.apply(Plan(5, rules=TO_B, expires_ms=NOW_MS), NOW_MS - 1_000)
    await nodes.rounds(0, 1)
    assert lead(two) == "CDN-A" and two.plans.newest == 5


@pytest.mark.parametrize(
    "body", [b'{"newer": 1}', b'{"generation":9,"stands":{"X":"killed"}}', b'{"note":"\xff"}']
)
async def test_what_is_not_understood_stays(body: bytes) -> None:
    nodes = Nodes(1)
    nodes.routers[0].apply(Plan(1), NOW_MS)
    await nodes.store.put(KEY, body)
    await nodes.rounds(0, 0)
    assert await nodes.store.get(KEY) == body and generations(nodes.routers) == [1]


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_the_store_plans_go_on(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_key: str) -> bytes:
        raise fault

    nodes = Nodes(1)
    monkeypatch.setattr(nodes.store, "get", away)
    with pytest.raises(type(fault)):
        await nodes.rounds(0)
    await nodes.shared[0].accept(Plan(1, rules=TO_B))
    assert nodes.leads() == ["CDN-B"]
    await nodes.shared[0].administer("CDN-B", Admin.KILLED)
    assert nodes.leads() == ["CDN-A"] and nodes.kept[-1].generation == 2


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_of_the_store_ends_the_rounds(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, faults = Nodes(1), [fault, fault]
    get = nodes.store.get

    async def faulty(key: str) -> bytes | None:
        if faults:
            raise faults.pop()
        return await get(key)

    monkeypatch.setattr(nodes.store, "get", faulty)
    monkeypatch.setattr(shared, "ROUND_S", 0.001)
    nodes.routers[0].apply(Plan(1, rules=TO_B), NOW_MS)
    rounds = asyncio.create_task(nodes.shared[0].forever())
    async with asyncio.timeout(60):
        while await get(KEY) is None:
            assert not rounds.done()
            await asyncio.sleep(0.001)
    rounds.cancel()
