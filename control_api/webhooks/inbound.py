"""Signed messages of others: `POST /v1/hooks/{source}` (CTL-155, CTL-156).

Rules of the file
1. The raw bytes are verified before anything in them is looked at, and a source that is not
   configured is answered like a bad signature.
2. The receipt and the effect are one transaction: a message has its effect once, however often and
   by however many it is brought within 24 h.
3. A message about a subject that is older than the newest one we know has no effect.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.calls import Call
from control_api.problems import Problem
from control_api.times import epoch_ms
from control_api.types import Instant
from control_api.webhooks import subscriptions, titles, types
from control_api.webhooks.signature import BadSignature, verify
from control_api.webhooks.tables import hook_mark, hook_receipt
from runtime import logs, metrics

RECEIPTS_MS: Final = 86_400_000
Apply = Callable[[AsyncConnection, str, Any, int], Awaitable[str | None]]

# type -> shape of the data, what names its subject, what it does; that tells whose rights changed
MESSAGES: Final[Mapping[str, tuple[type[msgspec.Struct], str, Apply]]] = {
    "subscription.updated": (
        subscriptions.Subscription,
        "subscription_id",
        subscriptions.apply,
    ),
    "title.ready": (titles.ReadyTitle, "title_id", titles.apply),
}

log = logs.get("control")
TAKEN = metrics.counter("hooks_received", "signed messages by outcome", ("outcome",))


class Message(msgspec.Struct):
    """Standard Webhooks 1.0.0, "Payload structure"."""

    type: str
    data: msgspec.Raw
    timestamp: Instant | None = None


async def receive(call: Call[bytes]) -> types.Received:
    """Take a signed message: subscriptions from billing, titles from packaging."""
    settings, source = call.services.settings.webhooks, call.path["source"]
    known = settings.sources.get(source)
    keys = known.keys if known is not None else [secrets.token_bytes(32)]
    try:
        message_id = verify(keys, call.headers, call.body, call.now_ms // 1_000, settings.skew_s)
    except BadSignature as refused:
        log.info("hook_refused", source=source, reason=str(refused))
        TAKEN.labels("refused").inc()
        raise Problem("bad_signature") from None
    message, data, apply, subject = _read(call.body)
    at_ms = epoch_ms(message.timestamp) if message.timestamp is not None else call.now_ms
    if at_ms > call.now_ms + 1_000 * settings.skew_s:  # it would overtake what comes till then
        raise Problem("invalid", "the message is of a time to come")

    async def take() -> str | None:
        async with call.services.database.write() as connection:
            await _receipt(connection, source, message_id, call.now_ms)
            if await _newest(connection, source, subject, at_ms):
                return await apply(connection, source, data, call.now_ms)
        return None

    try:
        try:
            concerned = await take()
        except IntegrityError:  # the first of this subject came a moment before: now it is there
            concerned = await take()
    except _Repeated:
        TAKEN.labels("repeated").inc()
        return types.Received(repeated=True)
    if concerned is not None:
        await call.services.playback.cases.changed(concerned)
    TAKEN.labels("taken").inc()
    return types.Received(repeated=False)


class _Repeated(Exception):
    """We have this message's receipt."""


def _read(body: bytes) -> tuple[Message, Any, Apply, str]:
    try:
        message = msgspec.json.decode(body, type=Message)
        shape, key, apply = MESSAGES[message.type]
        data = msgspec.json.decode(message.data, type=shape)
    except KeyError:
        raise Problem("invalid", "a message of a type that is not taken here") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("invalid", str(error)) from None
    return message, data, apply, f"{message.type}:{getattr(data, key)}"


async def _receipt(connection: AsyncConnection, source: str, message_id: str, now_ms: int) -> None:
    old = hook_receipt.c.received_ms < now_ms - RECEIPTS_MS
    await connection.execute(delete(hook_receipt).where(old))
    row = {"source": source, "webhook_id": message_id, "received_ms": now_ms}
    try:
        await connection.execute(insert(hook_receipt).values(row))
    except IntegrityError:
        raise _Repeated from None


async def _newest(connection: AsyncConnection, source: str, subject: str, at_ms: int) -> bool:
    """Note a message's time; False for one that a newer one has overtaken."""
    mine = (hook_mark.c.source == source, hook_mark.c.subject == subject)
    query = select(hook_mark.c.at_ms).where(*mine).with_for_update()
    known = (await connection.execute(query)).scalar()
    if known is None:
        row = {"source": source, "subject": subject, "at_ms": at_ms}
        await connection.execute(insert(hook_mark).values(row))
    elif known > at_ms:
        return False
    else:
        await connection.execute(update(hook_mark).where(*mine).values(at_ms=at_ms))
    return True
