"""Processes that heard of the same sessions pay for them side by side (CTL-107, CTL-189)."""

import asyncio
from typing import Any

from sqlalchemy import func, insert, select

from control_api.ledger import End, Ledger, Sign
from control_api.schema import playback_session
from control_api.sessions import Newcomer

SESSIONS = [f"ses_{n:03}" for n in range(120)]
session = playback_session.c


async def test_payments_of_the_same_sessions_do_not_wait_for_each_other(
    database: Any, make_api: Any
) -> None:
    await make_api(database)
    shape = ("acc_demo", "dev", "vod", "cnt_film", "00", 1)
    rows = [Newcomer(name, *shape).row(1_000) for name in SESSIONS]
    async with database.write() as connection:
        await connection.execute(insert(playback_session), rows)
    ledgers = [Ledger(database, flush_s=60) for _ in range(3)]
    orders = [SESSIONS, SESSIONS[::-1], SESSIONS[60:] + SESSIONS[:60]]
    for turn in range(4):
        for owed, order in zip(ledgers, orders, strict=True):
            for name in order:
                owed.beat(name, Sign(2_000 + turn, 40_000, None))
                if turn == 3:
                    owed.end(End("acc_demo", name, "stopped", 3_000))
        await asyncio.gather(*(owed.flush() for owed in ledgers))
    done = session.ended_ms.is_not(None) & (session.last_seen_ms == 2_003)
    query = select(func.count()).where(done)
    async with database.read() as connection:
        assert (await connection.execute(query)).scalar_one() == len(SESSIONS)
