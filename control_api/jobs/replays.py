"""Many dead letters put back on their way at once: those that lay there when it was asked for
(CTL-172).
"""

from typing import Annotated, Any

from msgspec import Meta
from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.calls import Call, Reply
from control_api.catalogue.editor import Edit
from control_api.events import EventError
from control_api.jobs import desk
from control_api.jobs.steps import Step
from control_api.outbox.handlers import revive
from control_api.outbox.tables import dlq_message
from control_api.types import Request
from control_api.wakes import wake

KIND = "dlq_replay"
BATCH = 100
dead = dlq_message.c
Name = Annotated[str, Meta(min_length=1, max_length=128)]


class ReplayRequest(Request):
    """Letters of all consumers and topics, or of one."""

    consumer: Name | None = None
    topic: Name | None = None


async def ask(call: Call[ReplayRequest]) -> Reply:
    """Put all dead letters, or those of a consumer or topic, back on their way."""
    told = {"consumer": call.body.consumer, "topic": call.body.topic}
    async with call.services.database.write() as connection:
        edit = Edit(connection, call.caller.account_id, call.now_ms)
        asked = _asked(select(func.count()), told, call.now_ms)
        total = (await connection.execute(asked)).scalar_one()
        made = await desk.put(edit, KIND, told, target=told["consumer"], total=total)
    await wake(call.services.store, desk.WAKE)
    return Reply(made, {"Location": f"/v1/admin/jobs/{made.id}"})


async def step(connection: AsyncConnection, row: Any, now_ms: int) -> Step:
    """The next letters; one that holds no event stays where it is."""
    report = row.report or {"replayed": 0, "refused": 0, "after": [0, ""]}
    query = _asked(select(dlq_message), row.told, row.asked_ms)
    query = query.where(tuple_(dead.at_ms, dead.id) > tuple_(*report["after"]))
    query = query.order_by(dead.at_ms, dead.id).limit(BATCH).with_for_update()
    letters = (await connection.execute(query)).all()
    refused = 0
    for letter in letters:
        try:
            await revive(connection, letter, now_ms)
        except EventError:
            refused += 1
    told = {
        "replayed": report["replayed"] + len(letters) - refused,
        "refused": report["refused"] + refused,
        "after": [letters[-1].at_ms, letters[-1].id] if letters else report["after"],
    }
    return Step(len(letters), len(letters) < BATCH, told)


def _asked(query: Select[Any], told: dict[str, str | None], until_ms: int) -> Select[Any]:
    query = query.select_from(dlq_message).where(dead.at_ms <= until_ms)
    for column, name in ((dead.consumer, told["consumer"]), (dead.topic, told["topic"])):
        query = query if name is None else query.where(column == name)
    return query
