"""A new signing key is told of once: by one node, across restarts (section 11)."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import select

from control_api import events, keys
from control_api.identity import rotations
from control_api.identity.schema import told_key
from control_api.outbox.tables import outbox
from runtime.sql import Database

AT_MS = 1_700_000_000_000


async def told(database: Database) -> list[tuple[str, str]]:
    query = select(outbox.c.payload).where(outbox.c.topic == "key.rotated").order_by(outbox.c.seq)
    async with database.read() as connection:
        rows = (await connection.execute(query)).scalars()
        found = [events.decode(each.encode()) for each in rows]
    return [(each.data["purpose"], each.subject) for each in found]


async def firsts(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(select(told_key.c.kid))).scalars())


async def test_each_key_after_the_first_is_told_once(kept: Database) -> None:
    for kid, expected in (
        ("k1", []),
        ("k1", []),
        ("k2", ["k2"]),
        ("k2", ["k2"]),
        ("k1", ["k2"]),  # a node that has not read the new one
        ("k3", ["k2", "k3"]),
    ):
        await rotations.tell(kept, {"content_token": kid}, AT_MS)
        assert await told(kept) == [("content_token", each) for each in expected]
    await rotations.tell(kept, {"access_token": "k9"}, AT_MS)
    assert len(await told(kept)) == 2, "another purpose's first"


async def test_of_nodes_that_start_at_once_one_tells(kept: Database) -> None:
    await rotations.tell(kept, {"access_token": "old"}, AT_MS)
    both = {"access_token": "new", "content_token": "first"}
    await asyncio.gather(*(rotations.tell(kept, both, AT_MS) for _ in range(6)))
    assert await told(kept) == [("access_token", "new")]


async def test_a_process_looks_as_it_starts(kept: Database, make_api: Any) -> None:
    """From the very files that are rotated: the first key signs."""
    api = await make_api(kept)
    async with asyncio.timeout(60):
        while len(await firsts(kept)) < 2:
            await asyncio.sleep(0.02)
    assert await told(kept) == []
    files: dict[str, Any] = {
        "token-keys.json": keys.content_token_keys,
        "issuer-keys.json": keys.issuer_keys,
    }
    for name, make in files.items():
        path: Path = api.home / name
        known = keys.load_or_create(path, make)
        path.unlink()
        keys.load_or_create(path, lambda make=make, known=known: make() + known)
    new = {
        purpose: keys.load_or_create(api.home / name, make)[0]["kid"]
        for purpose, (name, make) in zip(
            ("content_token", "access_token"), files.items(), strict=True
        )
    }
    for _ in range(2):
        await make_api(kept)
        async with asyncio.timeout(60):
            while len(await told(kept)) < 2:
                await asyncio.sleep(0.02)
    assert sorted(await told(kept)) == sorted(new.items())
