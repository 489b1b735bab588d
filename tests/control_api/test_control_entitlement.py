"""CheckAccess as a pure function: order of rules, edges of windows, offers (CTL-71..82)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_api.entitlement import RULES, Allowed, Denied, check
from control_api.facts import Ask, Device, Facts, Grant, Offer, Window
from control_api.problems import TABLE

NOW = 1_000_000
ASK = Ask(NOW, "SE", "web")
WINDOW = Window("**", "svod", "*", 0, 2 * NOW, tier=1)
GRANT = Grant("ent_1", "pkg_1", True, 1, "active", 0, None)
DEVICE = Device("dev_1", "TV", "tv", False)
GOOD = Facts("active", 2, DEVICE, [DEVICE], True, [WINDOW], [GRANT])
OFFER = Offer("ofr_1", "pkg_2", "svod", True, 2, "**", 500, "EUR", "month", 0, 2 * NOW)

# Each row breaks one more rule than the row below it: the first that fails answers.
BROKEN = [
    ("account_suspended", {"account_status": "suspended"}),
    ("device_revoked", {"device": replace(DEVICE, revoked=True)}),
    ("content_not_found", {"target_published": False}),
    ("outside_window", {"windows": [replace(WINDOW, end_ms=NOW)]}),
    ("geo_blocked", {"windows": [replace(WINDOW, territory="NO")]}),
    ("not_entitled", {"grants": []}),
]


def code(facts: Facts, ask: Ask = ASK) -> str:
    verdict = check(facts, ask)
    return verdict.code if isinstance(verdict, Denied) else verdict.licence


def test_first_failing_rule_answers() -> None:
    facts = GOOD
    assert code(facts) == "svod"
    for expected, changed in reversed(BROKEN):
        facts = replace(facts, **changed)  # type: ignore[arg-type]
        assert code(facts) == expected
    assert all(name in TABLE for name, _ in BROKEN)
    assert [rule for rule, _ in RULES] == sorted(rule for rule, _ in RULES)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "opened"),
    [(NOW, NOW + 1, True), (NOW + 1, NOW + 2, False), (NOW - 1, NOW, False), (0, NOW + 1, True)],
)
def test_windows_are_half_open(start_ms: int, end_ms: int, opened: bool) -> None:
    """CTL-33: clock at end - 1 ms, end."""
    facts = replace(GOOD, windows=[replace(WINDOW, start_ms=start_ms, end_ms=end_ms)])
    assert (code(facts) == "svod") is opened


def test_outside_window_tells_the_next_or_the_last_one_here() -> None:
    """CTL-74, of the caller's territory only."""
    past = replace(WINDOW, end_ms=NOW - 5)
    coming = replace(WINDOW, start_ms=NOW + 1_000, end_ms=NOW + 2_000)
    elsewhere = replace(coming, territory="NO", start_ms=NOW + 1)
    verdict = check(replace(GOOD, windows=[past, coming, elsewhere]), ASK)
    assert isinstance(verdict, Denied)
    assert verdict.members["available_from"].timestamp() * 1_000 == NOW + 1_000
    verdict = check(replace(GOOD, windows=[past, elsewhere]), ASK)
    assert isinstance(verdict, Denied)
    assert verdict.members["available_until"].timestamp() * 1_000 == NOW - 5


def test_unknown_country_meets_a_restricted_title() -> None:
    facts = replace(GOOD, windows=[replace(WINDOW, territory="SE")])
    assert code(facts) == "svod"
    assert code(facts, replace(ASK, country="ZZ")) == "geo_unknown"
    assert code(GOOD, replace(ASK, country="ZZ")) == "svod"


def test_unknown_device_over_the_limit_is_listed() -> None:
    """CTL-72: revoked ones do not count."""
    second = replace(DEVICE, id="dev_2")
    full = replace(GOOD, device=None, devices=[DEVICE, second])
    verdict = check(full, ASK)
    assert isinstance(verdict, Denied) and verdict.code == "device_limit"
    assert [device["id"] for device in verdict.members["devices"]] == ["dev_1", "dev_2"]
    assert code(replace(full, devices=[DEVICE, replace(second, revoked=True)])) == "svod"


@pytest.mark.parametrize("state", ["trial", "active", "grace", "expired", "cancelled"])
def test_states_of_a_subscription(state: str) -> None:
    alive = state in ("trial", "active", "grace")
    assert (code(replace(GOOD, grants=[replace(GRANT, state=state)])) == "svod") is alive


def test_a_package_grants_what_it_names_and_tiers_up_to_its_own() -> None:
    """CTL-32."""
    for tier, opened in ((0, False), (1, True), (2, True)):
        grant = replace(GRANT, names_target=False, tier=tier)
        assert (code(replace(GOOD, grants=[grant])) == "svod") is opened
    no_tier = replace(GOOD, windows=[replace(WINDOW, tier=None)])
    assert (
        code(replace(no_tier, grants=[replace(GRANT, names_target=False, tier=9)]))
        == "not_entitled"
    )


def test_free_needs_nothing_and_avod_has_advertisements() -> None:
    for licence, ads in (("free", "none"), ("avod", "required")):
        verdict = check(replace(GOOD, windows=[replace(WINDOW, licence=licence)], grants=[]), ASK)
        assert isinstance(verdict, Allowed) and verdict.ads == ads


def test_the_most_generous_window_wins_per_field() -> None:
    """CTL-33."""
    low = replace(WINDOW, max_height=720, hdcp="2.2", offline=True)
    high = replace(WINDOW, max_height=2160, hdcp="1.4", end_ms=3 * NOW)
    verdict = check(replace(GOOD, windows=[low, high]), ASK)
    assert isinstance(verdict, Allowed)
    assert (verdict.max_height, verdict.hdcp, verdict.offline) == (2160, "1.4", True)
    assert verdict.expires_ms == 3 * NOW
    verdict = check(replace(GOOD, windows=[low, WINDOW]), ASK)
    assert isinstance(verdict, Allowed) and (verdict.max_height, verdict.hdcp) == (None, None)


RENTAL = Grant("ent_2", None, True, 0, "active", 0, None, max_uses=1, viewing_s=10)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "tvod"),
        ({"uses": 1}, "uses_exhausted"),
        ({"uses": 1, "first_played_ms": NOW - 9_999}, "tvod"),
        ({"uses": 1, "first_played_ms": NOW - 10_000}, "rental_expired"),
        ({"names_target": False}, "not_entitled"),
        ({"end_ms": NOW}, "not_entitled"),
    ],
    ids=["fresh", "used up", "resumed", "over", "other title", "ended"],
)
def test_rentals(changed: dict[str, Any], expected: str) -> None:
    """CTL-81, CTL-82."""
    facts = replace(
        GOOD, windows=[replace(WINDOW, licence="tvod")], grants=[replace(RENTAL, **changed)]
    )
    assert code(facts) == expected


@pytest.mark.parametrize(
    ("changed", "until_ms"),
    [
        ({}, NOW + 10_000),
        ({"end_ms": NOW + 1}, NOW + 10_000),
        ({"first_played_ms": NOW - 1, "end_ms": NOW + 1}, NOW + 9_999),
        ({"first_played_ms": NOW - 1, "end_ms": NOW}, NOW + 9_999),
        ({"viewing_s": None, "end_ms": NOW + 1}, NOW + 1),
        ({"viewing_s": 10**9}, WINDOW.end_ms),
    ],
    ids=["fresh", "last moment", "seen on", "begun in time", "bought until", "title's end"],
)
def test_a_rental_is_seen_through_its_viewing_window(
    changed: dict[str, Any], until_ms: int
) -> None:
    """CTL-81, CTL-112: it starts before its end, and lasts for its viewing window from there."""
    tvod = replace(WINDOW, licence="tvod")
    verdict = check(replace(GOOD, windows=[tvod], grants=[replace(RENTAL, **changed)]), ASK)
    assert isinstance(verdict, Allowed) and verdict.expires_ms == until_ms


def test_upgrades_are_those_that_would_help_cheapest_first() -> None:
    """CTL-80."""
    offers = [
        OFFER,
        replace(OFFER, id="ofr_2", price_minor=400),
        replace(OFFER, id="other country", territory="NO"),
        replace(OFFER, id="not on sale yet", start_ms=NOW + 1),
        replace(OFFER, id="too low a tier", names_target=False, tier=0),
        replace(OFFER, id="rental of an svod title", package_id=None, kind="tvod"),
    ]
    verdict = check(replace(GOOD, grants=[], offers=offers), ASK)
    assert isinstance(verdict, Denied)
    assert [o["offer_id"] for o in verdict.members["upgrade_options"]] == ["ofr_2", "ofr_1"]
    many = [replace(OFFER, id=f"o{n}", price_minor=n) for n in range(9)]
    verdict = check(replace(GOOD, grants=[], offers=many), ASK)
    assert isinstance(verdict, Denied) and len(verdict.members["upgrade_options"]) == 5


windows = st.builds(
    Window,
    territory=st.sampled_from(["**", "SE", "NO"]),
    licence=st.sampled_from(["free", "est", "svod", "tvod", "avod"]),
    platform=st.sampled_from(["*", "web", "tv"]),
    start_ms=st.integers(NOW - 3, NOW + 3),
    end_ms=st.integers(NOW - 2, NOW + 9),
    tier=st.none() | st.integers(0, 3),
    max_height=st.none() | st.integers(1, 4000),
)
grants = st.builds(
    Grant,
    id=st.just("ent"),
    package_id=st.none() | st.just("pkg"),
    names_target=st.booleans(),
    tier=st.integers(0, 3),
    state=st.sampled_from(["active", "expired"]),
    start_ms=st.integers(NOW - 2, NOW + 2),
    end_ms=st.none() | st.integers(NOW - 2, NOW + 9),
)


@given(st.lists(windows, max_size=4), st.lists(grants, max_size=3))
def test_never_allows_without_an_open_way(some: list[Window], held: list[Grant]) -> None:
    """Against a plain restatement of CTL-74, 75 and 79; an allow never outlives its window."""

    def opens(window: Window) -> bool:
        here = window.territory in ("**", "SE") and window.platform in ("*", "web")
        if not (here and window.start_ms <= NOW < window.end_ms):
            return False
        live = [
            g
            for g in held
            if g.state == "active" and g.start_ms <= NOW and (g.end_ms is None or g.end_ms > NOW)
        ]
        if window.licence in ("free", "avod"):
            return True
        if window.licence == "svod":
            return any(
                g.package_id
                and (g.names_target or (window.tier is not None and g.tier >= window.tier))
                for g in live
            )
        return any(g.package_id is None and g.names_target for g in live)

    verdict = check(replace(GOOD, windows=some, grants=held), ASK)
    assert isinstance(verdict, Allowed) is any(opens(window) for window in some)
    if isinstance(verdict, Allowed):
        assert NOW < verdict.expires_ms <= max(window.end_ms for window in some)
    else:
        assert verdict.code in TABLE
