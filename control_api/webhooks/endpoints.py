"""Endpoints: who wants what sent where, and the secret of each (CTL-150, CTL-152, CTL-154)."""

import re
import secrets
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from control_api import ids, sealed
from control_api.problems import Problem
from control_api.times import utc
from control_api.types import Page
from control_api.webhooks import deliveries, types
from control_api.webhooks.settings import Webhooks
from control_api.webhooks.signature import NEW_SECRET_BYTES, secret_text
from control_api.webhooks.tables import webhook_delivery, webhook_endpoint
from control_api.webhooks.vault import Vault
from runtime.guard import permitted

LISTING = "webhooks"
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
endpoint = webhook_endpoint.c
delivery = webhook_delivery.c


def judge(url: str, settings: Webhooks) -> None:
    """Refuse what can never be sent to; what a name means is judged at each connection."""
    try:
        parsed = URL(url)
        host, port = parsed.host or "", parsed.port
    except ValueError:
        raise Problem("bad_url", "not a URL") from None
    if parsed.user is not None or parsed.fragment or not host or port is None:
        raise Problem("bad_url", "a host, no credentials, no fragment")
    if parsed.scheme != "https" and not settings.allow_http:
        raise Problem("bad_url", "https only")
    private: list[IPv4Network | IPv6Network] = list(settings.private_networks)
    if _is_literal(host) and not permitted(host, private):
        raise Problem("bad_url", "a private address")
    if f".{host.rstrip('.')}".endswith(".localhost"):
        raise Problem("bad_url", "a private address")


async def create(
    connection: AsyncConnection,
    vault: Vault,
    settings: Webhooks,
    account_id: str,
    body: types.NewEndpoint,
    now_ms: int,
) -> tuple[types.Endpoint, str]:
    """A new endpoint and its secret, which nobody will see again."""
    judge(body.url, settings)
    count = select(func.count()).where(endpoint.account_id == account_id)
    if (await connection.execute(count)).scalar_one() >= settings.max_endpoints:
        raise Problem("endpoint_limit", limit=settings.max_endpoints)
    endpoint_id, secret = ids.new("endpoint"), secrets.token_bytes(NEW_SECRET_BYTES)
    await connection.execute(
        insert(webhook_endpoint).values(
            id=endpoint_id,
            account_id=account_id,
            url=body.url,
            topics=body.topics,
            filters=body.filters,
            secret_current=vault.seal(endpoint_id, secret),
            schedule=body.schedule,
            state="active",
            created_ms=now_ms,
        )
    )
    return await look(connection, account_id, endpoint_id), secret_text(secret)


async def find(connection: AsyncConnection, account_id: str | None, endpoint_id: str) -> Any:
    """The row, locked; 404 for another account's (None: an administrator's look at all)."""
    query = select(webhook_endpoint).where(endpoint.id == endpoint_id).with_for_update()
    if account_id is not None:
        query = query.where(endpoint.account_id == account_id)
    row = (await connection.execute(query)).first()
    if row is None:
        raise Problem("not_found")
    return row


async def listed(
    connection: AsyncConnection, secret: bytes, account_id: str | None, page: Page
) -> types.EndpointList:
    """An account's endpoints, the oldest first."""
    listing = f"{LISTING}:{account_id}"
    query = _SEEN.order_by(endpoint.id).limit(page.limit + 1)
    if account_id is not None:
        query = query.where(endpoint.account_id == account_id)
    after = sealed.position(secret, listing, page.cursor)
    if after is not None:
        query = query.where(endpoint.id > str(after[0]))
    rows = (await connection.execute(query)).all()
    here, cursor = sealed.page(rows, page.limit, secret, listing, "id")
    return types.EndpointList([_endpoint(row) for row in here], cursor)


async def look(
    connection: AsyncConnection, account_id: str | None, endpoint_id: str
) -> types.Endpoint:
    """What may be seen of an endpoint; 404 as for `find`."""
    query = _SEEN.where(endpoint.id == endpoint_id)
    if account_id is not None:
        query = query.where(endpoint.account_id == account_id)
    row = (await connection.execute(query)).first()
    if row is None:
        raise Problem("not_found")
    return _endpoint(row)


async def change(
    connection: AsyncConnection, settings: Webhooks, row: Any, patch: dict[str, Any]
) -> None:
    """Put the members of a patch into a row that `find` locked."""
    if "url" in patch:
        judge(patch["url"], settings)
    if patch:
        await _write(connection, row, **patch)


async def rotate(
    connection: AsyncConnection, vault: Vault, settings: Webhooks, row: Any, now_ms: int
) -> types.NewSecret:
    """A new secret; the old one signs as well for the overlap, an older one no more."""
    secret = secrets.token_bytes(NEW_SECRET_BYTES)
    until_ms = now_ms + 1_000 * settings.overlap_s
    await _write(
        connection,
        row,
        secret_current=vault.seal(row.id, secret),
        secret_previous=row.secret_current,
        previous_until_ms=until_ms,
    )
    return types.NewSecret(row.id, secret_text(secret), utc(until_ms))


async def pause(connection: AsyncConnection, row: Any, now_ms: int) -> None:
    """Send nothing until somebody resumes it; unlike after failures it is not tried meanwhile."""
    if (row.state, row.reason) == ("paused", deliveries.ASKED):
        return
    await deliveries.close(connection, row, ("paused", deliveries.ASKED), None, None, now_ms)


async def resume(connection: AsyncConnection, row: Any, now_ms: int) -> None:
    """Active again, with what waits sent now and in order."""
    await _write(connection, row, state="active", reason=None, probe_ms=None)
    await connection.execute(
        update(webhook_delivery)
        .where(delivery.endpoint_id == row.id, delivery.status == "pending")
        .values(next_ms=now_ms)
    )


async def remove(connection: AsyncConnection, row: Any) -> None:
    """The endpoint and all that was on its way to it."""
    await connection.execute(delete(webhook_endpoint).where(endpoint.id == row.id))


async def history(
    connection: AsyncConnection, secret: bytes, endpoint_id: str, query: types.DeliveryQuery
) -> types.DeliveryList:
    """Deliveries of an endpoint, the newest first."""
    listing = f"deliveries:{endpoint_id}:{query.status}"
    rows_of = (
        select(webhook_delivery)
        .where(delivery.endpoint_id == endpoint_id)
        .order_by(delivery.seq.desc(), delivery.id.desc())
        .limit(query.limit + 1)
    )
    if query.status is not None:
        rows_of = rows_of.where(delivery.status == query.status)
    after = sealed.position(secret, listing, query.cursor)
    if after is not None:
        rows_of = rows_of.where(tuple_(delivery.seq, delivery.id) < tuple_(*after))
    rows = (await connection.execute(rows_of)).all()
    here, cursor = sealed.page(rows, query.limit, secret, listing, "seq", "id")
    return types.DeliveryList([_delivery(row) for row in here], cursor)


def _endpoint(row: Any) -> types.Endpoint:
    return types.Endpoint(
        id=row.id,
        url=row.url,
        topics=row.topics,
        filters=row.filters,
        schedule=row.schedule,
        state=row.state,
        reason=row.reason,
        queued=row.queued,
        dropped=row.dropped,
        last_success_at=_latest(row.taken),
        last_failure_at=_latest(row.given_up, row.refused),
        probe_at=utc(row.probe_ms) if row.state == "paused" and row.probe_ms else None,
        created_at=utc(row.created_ms),
        version=row.version,
    )


def _latest(*logs: list[dict[str, Any]] | None) -> datetime | None:
    """When the last attempt of these logs was."""
    times = [datetime.fromisoformat(log[-1]["at"]) for log in logs if log]
    return max(times, default=None)


def _delivery(row: Any) -> types.Delivery:
    return types.Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.topic,
        status=row.status,
        attempts=row.attempt,
        next_at=utc(max(row.next_ms, row.created_ms)) if row.status == "pending" else None,
        created_at=utc(row.created_ms),
        last_error=row.last_error,
        log=row.log,
    )


def _log(*which: ColumnElement[bool]) -> ScalarSelect[Any]:
    """The attempts of an endpoint's newest delivery like this."""
    newest = select(delivery.log).where(delivery.endpoint_id == endpoint.id, *which)
    return newest.order_by(delivery.seq.desc()).limit(1).scalar_subquery()


_PENDING = delivery.status == "pending"
_QUEUED = select(func.count()).where(delivery.endpoint_id == endpoint.id, _PENDING)
_SEEN = select(
    webhook_endpoint,
    _QUEUED.scalar_subquery().label("queued"),
    _log(delivery.status == "done").label("taken"),
    _log(delivery.status == "dead").label("given_up"),
    _log(_PENDING, delivery.attempt > 0).label("refused"),
)


async def _write(connection: AsyncConnection, row: Any, **values: Any) -> None:
    await connection.execute(
        update(webhook_endpoint)
        .where(endpoint.id == row.id)
        .values(**values, version=endpoint.version + 1)
    )


def _is_literal(host: str) -> bool:
    """Whether somebody's parser takes it for an address: the "ends in a number checker" of the URL
    standard, section 3.5.
    """
    return ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None
