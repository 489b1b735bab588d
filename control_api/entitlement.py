"""CheckAccess: may this account play this now, from here, on this device; and if not, why not.

A pure function over facts that `rights.load` read. The rules run in the order of `RULES` and the
first that fails answers (control-api section 5, CTL-70..79); CTL-70 is the door's work (auth.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from control_api.facts import (
    EVERYWHERE,
    UNKNOWN_COUNTRY,
    Aged,
    Ask,
    Facts,
    Grant,
    Offer,
    Span,
    Window,
    meet,
)
from control_api.times import utc

MAX_UPGRADES = 5
NEVER_MS = 2**53

# Licences from the one that costs the viewer least to the one with advertisements (CTL-33, CTL-79).
LICENCES = ("free", "est", "svod", "tvod", "avod")


@dataclass(frozen=True, slots=True)
class Denied:
    """Why not: a code of `problems.TABLE`, the rule that said so, members for the answer."""

    code: str
    rule: str
    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowed:
    """By what, until when, and within which limits (None: no limit)."""

    via: str
    licence: str
    expires_ms: int
    max_height: int | None
    hdcp: str | None
    offline: bool
    ads: str
    spends: str | None = None  # the entitlement whose use a new session counts against (CTL-82)
    country: str | None = None  # where alone it is allowed; None: everywhere (CTL-112)


def check(facts: Facts, ask: Ask) -> Allowed | Denied:
    """The verdict of the first rule that has one; the last rule always has."""
    for rule, judge in RULES:
        verdict = judge(facts, ask, rule)
        if isinstance(verdict, Allowed) and (facts.blackouts or facts.ages):
            return replace(verdict, expires_ms=min(verdict.expires_ms, *_edges(facts, ask)))
        if verdict is not None:
            return verdict
    raise AssertionError("the licence rule answers every question")


def _account(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    return None if facts.account_status == "active" else Denied("account_suspended", rule)


def _device(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    if facts.device is not None:
        return Denied("device_revoked", rule) if facts.device.revoked else None
    used = [device for device in facts.devices if not device.revoked]
    if len(used) < facts.max_devices:
        return None
    listed = [{"id": d.id, "name": d.name, "class": d.device_class} for d in used]
    return Denied("device_limit", rule, {"devices": listed})


def _published(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    return None if facts.target_published else Denied("content_not_found", rule)


def _window(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    on_platform = [window for window in facts.windows if window.on(ask.platform)]
    if any(window.open_at(ask.now_ms) for window in on_platform):
        return None
    here = [window for window in on_platform if window.in_country(ask.country)]
    coming = [window for window in here if window.start_ms > ask.now_ms]
    nearest = (
        min(coming, key=lambda w: w.start_ms)
        if coming
        else max(here, key=lambda w: w.end_ms, default=None)
    )
    members = {
        "available_from": utc(nearest.start_ms) if nearest else None,
        "available_until": utc(nearest.end_ms) if nearest else None,
    }
    return Denied("outside_window", rule, members)


def _territory(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    if _usable(facts, ask):
        return None
    code = "geo_unknown" if ask.country == UNKNOWN_COUNTRY else "geo_blocked"
    return Denied(code, rule, {"country": ask.country})


def blacked_out(facts: Facts, country: str, watched_ms: Span) -> bool:
    """Whether any of this cannot be shown at some time while it is on air (CTL-121)."""
    return any(
        meet((each.start_ms, each.end_ms), watched_ms) and each.hides(watched_ms)
        for each in facts.blackouts
        if each.concerns(country)
    )


def needs_pin(verdict: Allowed | Denied) -> bool:
    """Whether the right PIN would let the question go on."""
    return isinstance(verdict, Denied) and verdict.code == "pin_required"


def _blackout(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    found = [
        each
        for each in facts.blackouts
        if each.start_ms <= ask.now_ms < each.end_ms
        and each.hides(ask.span_ms)
        and each.concerns(ask.country)
    ]
    if not found:
        return None
    if not any(each.territories & {EVERYWHERE, ask.country} for each in found):
        return Denied("geo_unknown", rule, {"country": ask.country})
    last = max(found, key=lambda each: each.end_ms)
    members = {"until": utc(last.end_ms), "alternate_channel": last.alternate_channel}
    return Denied("blackout", rule, members)


def age_asked(facts: Facts, ask: Ask) -> int:
    """From which age this is to be watched, now."""
    ages = (each.age for each in facts.ages if _is_on(each, ask.span_ms))
    return max((ask.age, *ages))


def _is_on(each: Aged, span_ms: Span) -> bool:
    return each.aired_ms is None or meet(each.aired_ms, span_ms)


def _parental(facts: Facts, ask: Ask, rule: str) -> Denied | None:
    if ask.limit is None or ask.limit.passed:
        return None
    age = age_asked(facts, ask)
    if age == 0:
        return None
    if not ask.limit.known:
        return Denied("profile_not_found", rule)
    return Denied("pin_required", rule, {"min_age": age}) if age > ask.limit.age else None


def _edges(facts: Facts, ask: Ask) -> Iterator[int]:
    """When a blackout, or live a programme for others, will ask again (CTL-83)."""
    live = ask.watched_ms is None
    yield NEVER_MS
    for each in facts.blackouts:
        begin_ms = each.begin_ms() if live else each.start_ms
        hidden = begin_ms < each.end_ms if live else each.hides(ask.span_ms)
        if begin_ms > ask.now_ms and hidden and each.concerns(ask.country):
            yield begin_ms
    if live and ask.limit is not None and not ask.limit.passed:
        for aged in facts.ages:
            begin_ms = aged.aired_ms[0] if aged.aired_ms else 0
            if begin_ms > ask.now_ms and aged.age > ask.limit.age:
                yield begin_ms


def _licence(facts: Facts, ask: Ask, rule: str) -> Allowed | Denied:
    windows = _usable(facts, ask)
    live = [grant for grant in facts.grants if grant.live_at(ask.now_ms)]
    ways = [
        (window, grant)
        for window in windows
        for grant in (None, *live)
        if _opens(window, grant) and (grant is None or grant.spent_at(ask.now_ms) is None)
    ]
    if not ways:
        return _not_entitled(facts, ask, rule, windows, live)
    window, grant = min(
        ways, key=lambda way: (LICENCES.index(way[0].licence), -_end(ask.now_ms, *way))
    )
    opened = [way[0] for way in ways]
    heights = [w.max_height for w in opened]
    return Allowed(
        via=window.licence if grant is None else grant.package_id or "purchase",
        licence=window.licence,
        expires_ms=max(_end(ask.now_ms, *way) for way in ways),
        max_height=None if None in heights else max(h for h in heights if h is not None),
        hdcp=min(w.hdcp or "" for w in opened) or None,
        offline=any(w.offline for w in opened),
        ads="required" if window.licence == "avod" else "none",
        spends=grant.id if grant and grant.package_id is None else None,
        country=None if any(w.territory == EVERYWHERE for w in opened) else ask.country,
    )


def _usable(facts: Facts, ask: Ask) -> list[Window]:
    return [
        window
        for window in facts.windows
        if window.on(ask.platform) and window.open_at(ask.now_ms) and window.in_country(ask.country)
    ]


def _opens(window: Window, grant: Grant | None) -> bool:
    """Whether a grant (or none at all) is what the window's licence asks for."""
    if window.licence in ("free", "avod"):
        return grant is None
    if grant is None:
        return False
    if window.licence == "svod":
        return grant.package_id is not None and _covers(window, grant)
    return grant.package_id is None and grant.names_target


def _covers(window: Window, package: Grant | Offer) -> bool:
    """A package holds what it names and every tier up to its own (CTL-32)."""
    return package.names_target or (window.tier is not None and package.tier >= window.tier)


def _end(now_ms: int, window: Window, grant: Grant | None) -> int:
    until_ms = grant.until_ms(now_ms) if grant else None
    return window.end_ms if until_ms is None else min(window.end_ms, until_ms)


def _not_entitled(
    facts: Facts, ask: Ask, rule: str, windows: Sequence[Window], live: Sequence[Grant]
) -> Denied:
    used_up = [
        code
        for grant in live
        if any(_opens(window, grant) for window in windows)
        if (code := grant.spent_at(ask.now_ms)) is not None
    ]
    options = sorted(
        (offer for offer in facts.offers if _would_open(offer, ask, windows)),
        key=lambda offer: (offer.price_minor, offer.id),
    )
    listed = [
        {
            "offer_id": offer.id,
            "package_id": offer.package_id,
            "kind": offer.kind,
            "price_minor": offer.price_minor,
            "currency": offer.currency,
            "period": offer.period,
        }
        for offer in options[:MAX_UPGRADES]
    ]
    return Denied(used_up[0] if used_up else "not_entitled", rule, {"upgrade_options": listed})


def _would_open(offer: Offer, ask: Ask, windows: Sequence[Window]) -> bool:
    """Whether buying the offer would make this very question pass (CTL-80)."""
    on_sale = offer.start_ms <= ask.now_ms < offer.end_ms
    if not on_sale or offer.territory not in (EVERYWHERE, ask.country):
        return False
    if offer.package_id is None:
        return any(window.licence in ("tvod", "est") for window in windows)
    return any(window.licence == "svod" and _covers(window, offer) for window in windows)


Judge = Callable[[Facts, Ask, str], Allowed | Denied | None]

# The order is the rule: the first that fails is the reason (CTL-70..79).
RULES: tuple[tuple[str, Judge], ...] = (
    ("CTL-71", _account),
    ("CTL-72", _device),
    ("CTL-73", _published),
    ("CTL-74", _window),
    ("CTL-75", _territory),
    ("CTL-76", _blackout),
    ("CTL-77", _parental),
    ("CTL-79", _licence),
)
