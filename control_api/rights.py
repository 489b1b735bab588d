"""Reads the facts that CheckAccess judges (entitlement.py) from the database."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.entitlement import Device, Facts, Grant, Offer, Window
from control_api.recordings import playing
from control_api.schema import (
    account,
    asset,
    channel,
    content,
    content_text,
    device,
    entitlement,
    offer,
    package,
    package_content,
    rights_window,
)

Kind = Literal["content", "channel", "recording"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be played and where the origin keeps it: `/live/demo/`, `/vod/film/`,
    `/rec/ras_1/`. A recording is an account's, and its channel's rights decide (CTL-132);
    `offset_ms` is where its programme begins (CTL-128).
    """

    kind: Kind
    id: str
    title: str
    published: bool
    origin_path: str
    channel_id: str = ""
    account_id: str = ""
    offset_ms: int = 0


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
    connection: AsyncConnection, account_id: str, device_id: str, kind: Kind, target_id: str
) -> Case | None:
    """Everything CheckAccess asks about; None when the account is gone."""
    owner = await _one(connection, select(account).where(account.c.id == account_id))
    if owner is None:
        return None
    devices = await _devices(connection, account_id)
    target = await find_target(connection, kind, target_id)
    if kind == "recording":
        if target is not None and target.account_id != account_id:
            target = None
        kind, target_id = "channel", target.channel_id if target else ""
    facts = Facts(
        account_status=owner.status,
        max_devices=owner.max_devices,
        device=next((known for known in devices if known.id == device_id), None),
        devices=devices,
        target_published=target is not None and target.published,
        windows=await _windows(connection, kind, target_id),
        grants=await _grants(connection, account_id, kind, target_id),
        offers=await _offers(connection, kind, target_id),
    )
    return Case(facts, target, owner.max_streams)


def anywhere(facts: Facts) -> Facts:
    """The same question whatever device asks."""
    return replace(facts, device=None, devices=())


async def find_target(connection: AsyncConnection, kind: Kind, target_id: str) -> Target | None:
    """The title or channel, published or not; a title without an asset cannot be played."""
    if kind == "recording":
        row = await playing.find(connection, target_id)
        if row is None:
            return None
        return Target(
            kind,
            target_id,
            row.title,
            row.published,
            f"/rec/{row.asset_id}/",
            row.channel_id,
            row.account_id,
            row.offset_ms,
        )
    if kind == "channel":
        row = await _one(connection, select(channel).where(channel.c.id == target_id))
        if row is None:
            return None
        return Target("channel", row.id, row.slug, row.status == "published", f"/live/{row.slug}/")
    query = (
        select(content.c.id, content.c.status, asset.c.origin_path, content_text.c.title)
        .join(asset, and_(asset.c.content_id == content.c.id, asset.c.kind == "vod"))
        .outerjoin(content_text, content_text.c.content_id == content.c.id)
        .where(content.c.id == target_id)
        .order_by(content_text.c.lang != content.c.orig_lang, asset.c.id)
        .limit(1)
    )
    row = await _one(connection, query)
    if row is None:
        return None
    return Target(
        "content", row.id, row.title or row.id, row.status == "published", row.origin_path
    )


async def _one(connection: AsyncConnection, query: Any) -> Any:
    return (await connection.execute(query)).first()


async def _devices(connection: AsyncConnection, account_id: str) -> Sequence[Device]:
    query = select(device).where(device.c.account_id == account_id).order_by(device.c.id)
    return [
        Device(row.id, row.name, row._mapping["class"], row.revoked_ms is not None)
        for row in await connection.execute(query)
    ]


async def _windows(connection: AsyncConnection, kind: Kind, target_id: str) -> Sequence[Window]:
    subject = rights_window.c.channel_id if kind == "channel" else rights_window.c.content_id
    query = select(rights_window).where(subject == target_id).order_by(rights_window.c.id)
    return [
        Window(
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
        for row in await connection.execute(query)
    ]


def _names(kind: Kind, target_id: str) -> ColumnElement[bool]:
    """Joins a package to the row, if any, by which it holds the target."""
    return and_(
        package_content.c.package_id == package.c.id,
        package_content.c.target_kind == kind,
        package_content.c.target_id == target_id,
    )


async def _grants(
    connection: AsyncConnection, account_id: str, kind: Kind, target_id: str
) -> Sequence[Grant]:
    bought = entitlement.c.content_id == target_id if kind == "content" else false()
    query = (
        select(entitlement, package.c.tier, package_content.c.target_id.label("named"))
        .outerjoin(package, package.c.id == entitlement.c.package_id)
        .outerjoin(package_content, _names(kind, target_id))
        .where(entitlement.c.account_id == account_id)
        .where(or_(entitlement.c.package_id.is_not(None), bought))
        .order_by(entitlement.c.id)
    )
    return [
        Grant(
            id=row.id,
            package_id=row.package_id,
            names_target=row.named is not None or row.content_id is not None,
            tier=row.tier or 0,
            state=row.state,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            max_uses=row.max_uses,
            uses=row.uses,
            first_played_ms=row.first_played_ms,
            viewing_s=row.viewing_s,
        )
        for row in await connection.execute(query)
    ]


async def _offers(connection: AsyncConnection, kind: Kind, target_id: str) -> Sequence[Offer]:
    bought = offer.c.content_id == target_id if kind == "content" else false()
    query = (
        select(offer, package.c.tier, package.c.kind, package_content.c.target_id.label("named"))
        .outerjoin(package, package.c.id == offer.c.package_id)
        .outerjoin(package_content, _names(kind, target_id))
        .where(or_(offer.c.package_id.is_not(None), bought))
        .order_by(offer.c.id)
    )
    return [
        Offer(
            id=row.id,
            package_id=row.package_id,
            kind=row.kind or ("tvod" if row.rental_s is not None else "est"),
            names_target=row.named is not None or row.content_id is not None,
            tier=row.tier or 0,
            territory=row.territory,
            price_minor=row.price_minor,
            currency=row.currency,
            period=row.period,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
        )
        for row in await connection.execute(query)
    ]
