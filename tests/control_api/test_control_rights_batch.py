"""Batch checks over HTTP; CheckAccess against a plain oracle under random lives (CTL-70..82)."""

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import update

from control_api.batches import MAX_TARGETS
from control_api.entitlement import Allowed, Denied, check
from control_api.facts import Aged, Ask, Blackout, Device, Facts, Grant, Limit, Offer, Window
from control_api.schema import account

URL = "/v1/entitlements/check-batch"


def asked(*targets: str) -> dict[str, Any]:
    kinds = {"ch": "channel", "cn": "content"}
    listed = [{"kind": kinds[target[:2]], "id": target} for target in targets]
    return {"device": {"id": "tv"}, "targets": listed}


async def test_a_rail_gets_a_verdict_each(api: Any) -> None:
    body = asked("ch_demo", "cnt_vault", "cnt_film", "cnt_none", "ch_arena", "cnt_film")
    status, answer = await api.send("POST", URL, body)
    assert status == 200
    told = [(v["id"], v["allowed"], v["code"], v["upgrade"]) for v in answer["items"]]
    assert told == [
        ("ch_demo", True, None, False),
        ("cnt_vault", False, "not_entitled", True),
        ("cnt_film", True, None, False),
        ("cnt_none", False, "content_not_found", False),
        ("ch_arena", False, "not_entitled", True),
        ("cnt_film", True, None, False),
    ]
    for verdict, target in zip(answer["items"], body["targets"], strict=True):
        one = {"device": {"id": "tv"}, f"{target['kind']}_id": target["id"]}
        status, single = await api.send("POST", "/v1/entitlements/check", one)
        assert verdict["allowed"] is (status == 200), "the same word as CheckAccess itself"
        assert verdict["allowed"] or verdict["code"] == single["code"]


async def test_a_batch_is_the_caller_s_own_and_bounded(api: Any, neighbour: str) -> None:
    """CTL-8: another account's suspension is nobody else's; at most a hundred targets."""
    async with api.database.write() as connection:
        mine = update(account).where(account.c.id == neighbour)
        await connection.execute(mine.values(status="suspended"))
    status, answer = await api.send("POST", URL, asked("ch_demo"), account_id=neighbour)
    assert (status, answer["items"][0]["code"]) == (200, "account_suspended")
    status, answer = await api.send("POST", URL, asked("ch_demo"))
    assert answer["items"][0]["allowed"] is True
    for body in (asked(), asked(*["ch_demo"] * (MAX_TARGETS + 1))):
        status, problem = await api.send("POST", URL, body)
        assert (status, problem["code"]) == (400, "invalid")
    headers = api.bearer(scopes=frozenset({"playback"}))
    status, problem = await api.send("POST", URL, asked("ch_demo"), headers=headers)
    assert (status, problem["code"]) == (403, "forbidden_scope")
    status, _ = await api.send("POST", URL, asked("ch_demo"), account_id="acc_none")
    assert status == 401


DEVICE = Device("dev_1", "TV", "tv", False)
MOMENTS = st.integers(1, 4)  # few, so that edges meet


class Lives(RuleBasedStateMachine):
    """Subscriptions, rentals, windows, blackouts, limits and time change at random; the oracle
    counts by hand.
    """

    @initialize(free=st.booleans())
    def begin(self, free: bool) -> None:
        self.now = 2
        self.suspended = False
        always = Window("**", "free", "*", 0, 10**6)
        self.windows: dict[str, Window] = {"f": always} if free else {}
        self.grants: dict[str, Grant] = {}
        self.dark: dict[str, Blackout] = {}
        self.ages: dict[str, Aged] = {}
        self.limit: Limit | None = None

    @rule(name=st.sampled_from("abc"), licence=st.sampled_from(["svod", "tvod", "est", "free"]),
          territory=st.sampled_from(["**", "SE"]), start=MOMENTS, span=MOMENTS,
          tier=st.integers(1, 2))  # fmt: skip
    def licensed(
        self, name: str, licence: str, territory: str, start: int, span: int, tier: int
    ) -> None:
        start += self.now - 2
        self.windows[name] = Window(territory, licence, "*", start, start + span, tier)

    @rule(name=st.sampled_from("de"), where=st.sampled_from(["**", "SE"]), start=MOMENTS,
          span=MOMENTS, aired=st.none() | st.tuples(MOMENTS, MOMENTS))  # fmt: skip
    def darkened(self, name: str, where: str, start: int, span: int, aired: Any) -> None:
        start += self.now - 2
        on = (self.now - 2 + aired[0], self.now - 2 + sum(aired)) if aired else None
        self.dark[name] = Blackout(frozenset({where}), start, start + span, None, on)

    @rule(name=st.sampled_from("pq"), age=st.sampled_from([0, 12, 18]),
          aired=st.none() | st.tuples(MOMENTS, MOMENTS))  # fmt: skip
    def rated(self, name: str, age: int, aired: Any) -> None:
        on = (self.now - 2 + aired[0], self.now - 2 + sum(aired)) if aired else None
        self.ages[name] = Aged(age, on)

    @rule(limit=st.none() | st.builds(Limit, st.sampled_from([0, 12]), st.booleans()))
    def held_to(self, limit: Limit | None) -> None:
        self.limit = limit

    @rule(name=st.sampled_from("xy"), tier=st.integers(1, 2),
          state=st.sampled_from(["trial", "active", "grace", "expired", "cancelled"]),
          end=st.none() | MOMENTS)  # fmt: skip
    def subscribed(self, name: str, tier: int, state: str, end: int | None) -> None:
        ends = None if end is None else self.now + end
        self.grants[name] = Grant(name, f"pkg_{name}", False, tier, state, 0, ends)

    @rule(uses=st.integers(1, 2), viewing_s=st.none() | st.just(1))
    def rented(self, uses: int, viewing_s: int | None) -> None:
        self.grants["r"] = Grant("r", None, True, 0, "active", 0, None, uses, viewing_s=viewing_s)

    @rule()
    def played(self) -> None:
        if "r" in self.grants:
            rental = self.grants["r"]
            first = self.now if rental.first_played_ms is None else rental.first_played_ms
            self.grants["r"] = replace(rental, uses=rental.uses + 1, first_played_ms=first)

    @rule(passed=MOMENTS | st.just(1_000))
    def time_passes(self, passed: int) -> None:
        self.now += passed

    @rule(suspended=st.booleans())
    def suspend(self, suspended: bool) -> None:
        self.suspended = suspended

    @invariant()
    def agrees_with_the_oracle(self) -> None:
        offers = [Offer("o", "pkg_z", "svod", False, 2, "**", 1, "EUR", None, 0, 10**9)]
        status = "suspended" if self.suspended else "active"
        windows, grants = list(self.windows.values()), list(self.grants.values())
        rest = [*self.dark.values()], [*self.ages.values()]
        facts = Facts(status, 2, DEVICE, [DEVICE], True, windows, grants, offers, *rest)
        for country in ("SE", "NO", "ZZ"):
            ask = Ask(self.now, country, "web", limit=self.limit)
            verdict = check(facts, ask)
            code = verdict.code if isinstance(verdict, Denied) else "ok"
            assert code == self.oracle(country), (self.now, country, facts)
            if isinstance(verdict, Allowed):
                assert verdict.expires_ms > self.now, "an allow never outlives its reason"
                moments = range(self.now, min(verdict.expires_ms, self.now + 12))
                assert not any(self.restriction(country, at) for at in moments), "CTL-83"
            if code == "not_entitled" and verdict.members["upgrade_options"]:
                bought = Grant("z", "pkg_z", False, 2, "active", 0, None)
                better = replace(facts, grants=[*grants, bought])
                again = check(better, ask)
                assert isinstance(again, Allowed), "CTL-80: buying it makes the call pass"

    def oracle(self, country: str) -> str:
        if self.suspended:
            return "account_suspended"
        here_now = [w for w in self.windows.values() if w.start_ms <= self.now < w.end_ms]
        if not here_now:
            return "outside_window"
        usable = [w for w in here_now if w.territory == "**" or w.territory == country]
        if not usable:
            return "geo_unknown" if country == "ZZ" else "geo_blocked"
        if restriction := self.restriction(country, self.now):
            return restriction
        spent = ""
        for window in usable:
            if window.licence == "free":
                return "ok"
            for name in ("x", "y"):
                held = self.grants.get(name)
                alive = held is not None and held.state in ("trial", "active", "grace")
                ended = held is not None and held.end_ms is not None and self.now >= held.end_ms
                opened = held is not None and alive and not ended and window.licence == "svod"
                if opened and held is not None and held.tier >= (window.tier or 0):
                    return "ok"
            rental = self.grants.get("r")
            if window.licence in ("tvod", "est") and rental is not None:
                timed = rental.viewing_s is not None and rental.first_played_ms is not None
                if timed and self.now < (rental.first_played_ms or 0) + 1_000:
                    return "ok"
                if timed:
                    spent = "rental_expired"
                elif rental.max_uses is not None and rental.uses >= rental.max_uses:
                    spent = "uses_exhausted"
                else:
                    return "ok"
        return spent or "not_entitled"

    def restriction(self, country: str, at: int) -> str:
        """What stands before a viewer of live at a time, whatever was bought."""
        found = [
            each
            for each in self.dark.values()
            if each.start_ms <= at < each.end_ms
            if each.aired_ms is None or each.aired_ms[0] <= at < each.aired_ms[1]
            if country == "ZZ" or "**" in each.territories or country in each.territories
        ]
        if found:
            known = country != "ZZ" or any("**" in each.territories for each in found)
            return "blackout" if known else "geo_unknown"
        on = [
            a
            for a in self.ages.values()
            if a.aired_ms is None or a.aired_ms[0] <= at < a.aired_ms[1]
        ]
        if self.limit is None or self.limit.passed or not on:
            return ""
        return "pin_required" if max(each.age for each in on) > self.limit.age else ""


Lives.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestLives = Lives.TestCase
