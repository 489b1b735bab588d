"""One function an operation of webhooks."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from control_api import audit, events, ids
from control_api.calls import Call, Reply
from control_api.problems import Problem
from control_api.route import ADMIN, READER
from control_api.times import epoch_ms, utc
from control_api.webhooks import deliveries, endpoints, types
from control_api.webhooks.sender import Sender, fetcher
from control_api.webhooks.vault import Vault
from runtime import redact
from runtime.clock import SYSTEM

MANAGE: Final = "webhook:manage"
TEST_TYPE: Final = "webhook.test"
TEST_S: Final = 4.0  # inside the time that a request has


async def list_endpoints(call: Call[None]) -> types.EndpointList:
    """The caller's endpoints; administrators and readers see all."""
    async with call.services.database.read() as connection:
        seen = await endpoints.listed(connection, call.services.secret, _owner(call), call.query)
    return types.EndpointList([_seen(call, each) for each in seen.items], seen.next_cursor)


async def create_endpoint(call: Call[types.NewEndpoint]) -> Reply:
    """Have events sent to a URL; the answer shows the secret, once."""
    services = call.services
    _known(call.body.topics)
    async with services.database.write() as connection:
        made, secret = await endpoints.create(
            connection,
            Vault(services.secret),
            services.settings.webhooks,
            call.caller.account_id,
            call.body,
            call.now_ms,
        )
        row = await endpoints.find(connection, None, made.id)
        await _noted(connection, call, "created", None, row)
    headers = {"Location": f"/v1/webhooks/{made.id}", "ETag": _tag(made)}
    return Reply(types.MadeEndpoint(made, secret), headers)


async def get_endpoint(call: Call[None]) -> Reply:
    """One endpoint."""
    async with call.services.database.read() as connection:
        seen = await endpoints.look(connection, _owner(call), call.path["id"])
    return Reply(_seen(call, seen), {"ETag": _tag(seen)})


async def change_endpoint(call: Call[types.EndpointPatch]) -> Reply:
    """Change an endpoint under the tag that If-Match names."""
    asked = call.headers.get("If-Match")
    if asked is None:
        raise Problem("precondition_required")
    async with call.services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
        if asked not in (f'"{row.version}"', "*"):
            raise Problem("precondition_failed", version=row.version)
        patch = msgspec.structs.asdict(call.body)
        given = {name: value for name, value in patch.items() if value is not msgspec.UNSET}
        _known(given.get("topics", ()))
        await endpoints.change(connection, call.services.settings.webhooks, row, given)
        made = await endpoints.find(connection, None, row.id)
        await _noted(connection, call, "changed", row, made)
        seen = await endpoints.look(connection, None, row.id)
    return Reply(seen, {"ETag": _tag(seen)})


async def remove_endpoint(call: Call[None]) -> None:
    """Remove an endpoint and what waits for it."""
    async with call.services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
        await endpoints.remove(connection, row)
        await _noted(connection, call, "removed", row, None)


async def rotate_secret(call: Call[None]) -> types.NewSecret:
    """A new secret, shown once; the old one signs along for a day."""
    services = call.services
    async with services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
        vault, settings = Vault(services.secret), services.settings.webhooks
        fresh = await endpoints.rotate(connection, vault, settings, row, call.now_ms)
        made = await endpoints.find(connection, None, row.id)
        await _noted(connection, call, "rotated", row, made)
    return fresh


async def pause_endpoint(call: Call[None]) -> types.Endpoint:
    """Send nothing more until it is resumed; its events wait, within the bounds of every pause."""
    async with call.services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
        await endpoints.pause(connection, row, call.now_ms)
        made = await endpoints.find(connection, None, row.id)
        await _noted(connection, call, "paused", row, made)
        return await endpoints.look(connection, None, row.id)


async def resume_endpoint(call: Call[None]) -> types.Endpoint:
    """Send again to a paused or disabled endpoint, beginning with what waits."""
    async with call.services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
        await endpoints.resume(connection, row, call.now_ms)
        made = await endpoints.find(connection, None, row.id)
        await _noted(connection, call, "resumed", row, made)
        return await endpoints.look(connection, None, row.id)


async def test_endpoint(call: Call[None]) -> types.Tested:
    """Send a signed `webhook.test` now, and tell what came of it."""
    services = call.services
    async with services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
    body = {"type": TEST_TYPE, "timestamp": utc(call.now_ms), "data": {"endpoint_id": row.id}}
    settings = services.settings.webhooks
    in_time = {"timeout_s": min(settings.timeout_s, TEST_S)}
    async with fetcher(settings.model_copy(update=in_time)) as client:
        sender = Sender(client, Vault(services.secret), SYSTEM)
        outcome = await sender.send(row, ids.new("message"), msgspec.json.encode(body))
    return types.Tested(outcome.good, outcome.status, outcome.duration_ms, outcome.error or None)


async def list_deliveries(call: Call[None]) -> types.DeliveryList:
    """What was sent to an endpoint or waits for it, the newest first, with every attempt."""
    async with call.services.database.read() as connection:
        seen = await endpoints.look(connection, _owner(call), call.path["id"])
        return await endpoints.history(connection, call.services.secret, seen.id, call.query)


async def replay_deliveries(call: Call[types.Replay]) -> types.Replayed:
    """Send once more what is dead or was dropped."""
    since_ms = epoch_ms(call.body.since) if call.body.since is not None else 0
    async with call.services.database.write() as connection:
        row = await endpoints.find(connection, _owner(call), call.path["id"])
        count = await deliveries.again(
            connection, row.id, call.now_ms, event_ids=call.body.event_ids, since_ms=since_ms
        )
    return types.Replayed(count)


async def _noted(
    connection: AsyncConnection, call: Call[Any], verb: str, old: Any, made: Any
) -> None:
    before, after = (_told(each) if each is not None else None for each in (old, made))
    line = (f"webhook.{verb}", (made or old).id, before, after)
    await audit.record(connection, call.caller.account_id, call.now_ms, line)


def _told(row: Any) -> dict[str, Any]:
    """What audit keeps: no secret, not those in a URL either."""
    kept = ("topics", "filters", "schedule", "state", "reason", "version")
    return {"url": redact.text(row.url)} | {name: row._mapping[name] for name in kept}


def _known(topics: Sequence[str]) -> None:
    """400 for a topic under which nothing would ever be sent."""
    for topic in topics:
        if not any(deliveries.names(topic, each) for each in events.TYPES):
            raise Problem("invalid", f"no event is called {topic}")


def _owner(call: Call[Any]) -> str | None:
    """Whose endpoints the caller may see: None is everybody's."""
    scopes = call.caller.scopes
    everybody = ADMIN in scopes or (READER in scopes and MANAGE not in scopes)
    return None if everybody else call.caller.account_id


def _seen(call: Call[Any], seen: types.Endpoint) -> types.Endpoint:
    """Who only looks is told the host: a path or query may be all that a receiver asks for."""
    if MANAGE in call.caller.scopes:
        return seen
    url = URL(seen.url)
    bare = url.raw_path_qs in ("", "/")
    return msgspec.structs.replace(seen, url=f"{url.origin()}/{'' if bare else redact.MASK}")


def _tag(seen: types.Endpoint) -> str:
    return f'"{seen.version}"'
