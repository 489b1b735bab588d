"""Reads the facts that CheckAccess judges (entitlement.py) from the database."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import BigInteger, Select, String, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import household
from control_api.facts import Aged, Blackout, Facts, Grant, Offer, Span, Window
from control_api.household import Bought, Household
from control_api.ratings import title_age
from control_api.recordings import playing
from control_api.schema import (
    asset,
    channel,
    content,
    content_text,
    epg_event,
    offer,
    package,
    package_content,
    rights_window,
)
from control_api.terms.tables import blackout
from runtime.asking import Ask, within

AHEAD_MS = 86_400_000  # how far programmes are read for the ages they ask for
Kind = Literal["content", "channel", "recording"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be played and where the origin keeps it: `/live/demo/`, `/vod/film/`,
    `/rec/ras_1/`. A recording is an account's, and its channel's rights decide (CTL-132);
    `offset_ms` is where its programme begins (CTL-128), `watched_ms` when it was on air.
    """

    kind: Kind
    id: str
    title: str
    published: bool
    origin_path: str
    channel_id: str = ""
    account_id: str = ""
    offset_ms: int = 0
    age: int = 0
    watched_ms: Span | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What is so whoever asks: the target, the packages that name it, its windows and offers, when
    it is blacked out, for which ages it is.
    """

    target: Target | None
    packages: frozenset[str] = frozenset()
    windows: Sequence[Window] = ()
    offers: Sequence[Offer] = ()
    blackouts: Sequence[Blackout] = ()
    ages: Sequence[Aged] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A question's facts, and what admission needs to know of the same rows."""

    facts: Facts
    target: Target | None
    max_streams: int


def device_key(account_id: str, client_id: str) -> str:
    """Our id of a device: the client's own name for it means nothing outside its account."""
    digest = hashlib.blake2s(f"{account_id}\0{client_id}".encode(), digest_size=16)
    return f"dev_{digest.hexdigest()}"


async def load(
    connection: AsyncConnection, account_id: str, kind: Kind, target_id: str, now_ms: int
) -> Case | None:
    """Everything CheckAccess asks about, whatever device asks; None when the account is gone."""
    owner = await household.find(connection, account_id, bought(kind, target_id), now_ms)
    if owner is None:
        return None
    terms = await find_terms(within(connection), kind, target_id, now_ms)
    return case(owner, account_id, "", kind, terms)


def case(owner: Household, account_id: str, device_id: str, kind: Kind, terms: Terms) -> Case:
    """An account's question about what has these terms."""
    target = terms.target
    if kind == "recording" and target is not None and target.account_id != account_id:
        target, terms = None, Terms(None)
    facts = Facts(
        account_status=owner.status,
        max_devices=owner.max_devices,
        device=next((known for known in owner.devices if known.id == device_id), None),
        devices=owner.devices,
        target_published=target is not None and target.published,
        windows=terms.windows,
        grants=[_grant(each, terms) for each in owner.bought],
        offers=terms.offers,
        blackouts=terms.blackouts,
        ages=terms.ages,
    )
    return Case(facts, target, owner.max_streams)


async def find_terms(ask: Ask, kind: Kind, target_id: str, now_ms: int) -> Terms:
    """What is asked about a title or channel itself from now on; of a recording, about its
    channel.
    """
    target = await find_target(ask, kind, target_id)
    if kind == "recording":
        kind, target_id = "channel", target.channel_id if target else ""
    named = await ask(_NAMED, {"kind": kind, "target": target_id})
    packages = frozenset(row.package_id for row in named)
    return Terms(
        target,
        packages,
        await _windows(ask, kind, target_id),
        await _offers(ask, bought(kind, target_id), packages),
        await _blackouts(ask, target_id, now_ms) if kind == "channel" else (),
        await _ages(ask, kind, target, target_id, now_ms),
    )


def anywhere(facts: Facts) -> Facts:
    """The same question whatever device asks."""
    return replace(facts, device=None, devices=())


async def find_target(ask: Ask, kind: Kind, target_id: str) -> Target | None:
    """The title or channel, published or not; a title without an asset cannot be played."""
    if kind == "recording":
        row = await _one(ask, playing.FIND, target_id)
        return None if row is None else as_recording(row)
    if kind == "channel":
        row = await _one(ask, _CHANNEL, target_id)
        if row is None:
            return None
        published, path = row.status == "published", f"/live/{row.slug}/"
        return Target("channel", row.id, row.slug, published, path, age=row.min_age or 0)
    row = await _one(ask, _TITLE, target_id)
    return None if row is None else as_title(row)


def as_recording(row: Any) -> Target:
    return Target(
        "recording",
        row.id,
        row.title,
        row.published,
        f"/rec/{row.asset_id}/",
        row.channel_id,
        row.account_id,
        row.offset_ms,
        max(title_age(row.min_age, row.rating), row.channel_age or 0),
        (row.prog_start_ms, row.prog_end_ms),
    )


def as_title(row: Any) -> Target:
    published, age = row.status == "published", title_age(row.min_age, row.rating)
    return Target("content", row.id, row.title or row.id, published, row.origin_path, age=age)


async def _one(ask: Ask, query: Select[Any], target_id: str) -> Any:
    return next(iter(await ask(query, {"target": target_id})), None)


def bought(kind: Kind, target_id: str) -> str | None:
    """The content that a purchase may be of: channels are not sold one by one."""
    return target_id if kind == "content" else None


async def _windows(ask: Ask, kind: Kind, target_id: str) -> Sequence[Window]:
    return [as_window(row) for row in await ask(_WINDOWS[kind], {"target": target_id})]


def as_window(row: Any) -> Window:
    return Window(
        territory=row.territory,
        licence=row.licence,
        platform=row.platform,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        tier=row.tier,
        max_height=row.max_height,
        hdcp=row.hdcp,
        offline=row.offline,
    )


async def _blackouts(ask: Ask, channel_id: str, now_ms: int) -> Sequence[Blackout]:
    """Those that have not ended."""
    found = await ask(_BLACKOUTS, {"target": channel_id, "now": now_ms})
    return [as_blackout(row) for row in found]


def as_blackout(row: Any) -> Blackout:
    """One whose programme is gone is of the whole channel."""
    return Blackout(
        frozenset(row.territories),
        row.start_ms,
        row.end_ms,
        row.alternate_channel_id,
        (row.aired_from_ms, row.aired_to_ms) if row.aired_from_ms is not None else None,
    )


async def _ages(
    ask: Ask, kind: Kind, target: Target | None, target_id: str, now_ms: int
) -> Sequence[Aged]:
    """What the target asks for at any time, and a channel's next programmes each in its time."""
    coming = {"target": target_id, **from_now(now_ms)}
    return as_ages(target, await ask(_AGED, coming) if kind == "channel" else ())


def from_now(now_ms: int) -> Mapping[str, int]:
    """The time in which programmes are read."""
    return {"now": now_ms, "ahead": now_ms + AHEAD_MS}


def as_ages(target: Target | None, coming: Sequence[Any]) -> Sequence[Aged]:
    found = [Aged(target.age)] if target is not None and target.age else []
    for row in coming:
        if age := title_age(row.min_age, row.rating):
            found.append(Aged(age, (row.start_ms, row.end_ms)))
    return found


def _grant(row: Bought, terms: Terms) -> Grant:
    named = row.package_id in terms.packages or row.content_id is not None
    return Grant.of(row, names_target=named, tier=row.tier or 0)


async def _offers(ask: Ask, content_id: str | None, packages: frozenset[str]) -> Sequence[Offer]:
    return [
        Offer(
            id=row.id,
            package_id=row.package_id,
            kind=row.kind or ("tvod" if row.rental_s is not None else "est"),
            names_target=row.package_id in packages or row.content_id is not None,
            tier=row.tier or 0,
            territory=row.territory,
            price_minor=row.price_minor,
            currency=row.currency,
            period=row.period,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
        )
        for row in await ask(_OFFERS, {"content": content_id})
    ]


# Made once: to make a statement takes longer than to send it.
_TARGET = bindparam("target", type_=String)
_CONTENT = bindparam("content", type_=String)
_NOW = bindparam("now", type_=BigInteger)

_CHANNEL = select(channel.c.id, channel.c.slug, channel.c.status, channel.c.min_age).where(
    channel.c.id == _TARGET
)
TITLES = (
    select(
        content.c.id,
        content.c.status,
        content.c.min_age,
        content.c.rating,
        asset.c.origin_path,
        content_text.c.title,
    )
    .join(asset, and_(asset.c.content_id == content.c.id, asset.c.kind == "vod"))
    .outerjoin(content_text, content_text.c.content_id == content.c.id)
    .order_by(content_text.c.lang != content.c.orig_lang, asset.c.id)
)
_TITLE = TITLES.where(content.c.id == _TARGET).limit(1)
_NAMED = select(package_content.c.package_id).where(
    package_content.c.target_kind == bindparam("kind", type_=String),
    package_content.c.target_id == _TARGET,
)
_WINDOWS: dict[Kind, Select[Any]] = {
    "channel": select(rights_window)
    .where(rights_window.c.channel_id == _TARGET)
    .order_by(rights_window.c.id),
    "content": select(rights_window)
    .where(rights_window.c.content_id == _TARGET)
    .order_by(rights_window.c.id),
}
BLACKOUTS = (
    select(
        blackout,
        epg_event.c.start_ms.label("aired_from_ms"),
        epg_event.c.end_ms.label("aired_to_ms"),
    )
    .outerjoin(epg_event, epg_event.c.id == blackout.c.event_id)
    .where(blackout.c.end_ms > _NOW)
    .order_by(blackout.c.id)
)
_BLACKOUTS = BLACKOUTS.where(blackout.c.channel_id == _TARGET)
AGED = (
    select(epg_event.c.start_ms, epg_event.c.end_ms, content.c.min_age, content.c.rating)
    .join(content, content.c.id == epg_event.c.content_id)
    .where(
        epg_event.c.end_ms > _NOW,
        epg_event.c.start_ms < bindparam("ahead", type_=BigInteger),
        or_(content.c.min_age.is_not(None), content.c.rating.is_not(None)),
    )
    .order_by(epg_event.c.start_ms)
)
_AGED = AGED.where(epg_event.c.channel_id == _TARGET)
_OFFERS = (
    select(offer, package.c.tier, package.c.kind)
    .outerjoin(package, package.c.id == offer.c.package_id)
    .where(
        or_(offer.c.package_id.is_not(None), offer.c.content_id == _CONTENT),
        offer.c.status == "active",
        or_(package.c.status.is_(None), package.c.status == "active"),
    )
    .order_by(offer.c.id)
)
