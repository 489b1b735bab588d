"""The demo's household: what it may watch, and one channel and one film that it may not."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.issuer import Passwords
from control_api.schema import (
    account,
    asset,
    channel,
    content,
    content_text,
    credential,
    entitlement,
    offer,
    package,
    package_content,
    rights_window,
)
from runtime.sql import Database

USERNAME = "demo@headwater.example"
ACCOUNT = "acc_demo"
CREDENTIAL = "crd_demo"
SINCE_MS = 1_767_225_600_000  # 2026-01-01
UNTIL_MS = 4_102_444_800_000  # 2100-01-01
ALWAYS = {"start_ms": SINCE_MS, "end_ms": UNTIL_MS}


def _channel(slug: str, number: int) -> dict[str, Any]:
    return {
        "id": f"ch_{slug}",
        "slug": slug,
        "number": number,
        "status": "published",
        "dvr_window_s": 1_800,
    }


def _movie(name: str, sort_title: str, duration_ms: int) -> dict[str, Any]:
    return {
        "id": f"cnt_{name}",
        "kind": "movie",
        "status": "published",
        "duration_ms": duration_ms,
        "year": 2026,
        "orig_lang": "en",
        "sort_title": sort_title,
        "updated_ms": SINCE_MS,
        "published_ms": SINCE_MS,
        "derived_version": 1,
    }


def _text(name: str, title: str, sort_title: str, synopsis: str) -> dict[str, Any]:
    return {
        "content_id": f"cnt_{name}",
        "lang": "en",
        "title": title,
        "sort_title": sort_title,
        "synopsis": synopsis,
    }


def _window(name: str, tier: int, **subject: str) -> dict[str, Any]:
    everywhere = {"territory": "**", "licence": "svod", "platform": "*"}
    return {"id": f"rwn_{name}", "tier": tier, **everywhere, **ALWAYS, **subject}


def _part(package_id: str, kind: str, target_id: str) -> dict[str, Any]:
    return {"package_id": package_id, "target_kind": kind, "target_id": target_id}


# In the order in which foreign keys allow insertion.
ROWS: Sequence[tuple[Table, dict[str, Any]]] = (
    (
        account,
        {
            "id": ACCOUNT,
            "country": "ZZ",
            "status": "active",
            "max_streams": 10,
            "max_devices": 1_000,
            "npvr_quota_s": 151_200,  # CTL-122
            "created_ms": SINCE_MS,
        },
    ),
    (channel, _channel("demo", 1)),
    (channel, _channel("arena", 2)),
    (content, _movie("film", "film", 120_000)),
    (content, _movie("sealed", "film 2", 120_000)),
    (content, _movie("vault", "vault", 5_400_000)),
    (content_text, _text("film", "The Film", "film", "Two minutes with two audio languages.")),
    (content_text, _text("sealed", "The Film, protected", "film 2", "The same under a key.")),
    (content_text, _text("vault", "The Vault", "vault", "For subscribers of Premium only.")),
    (
        asset,
        {
            "id": "ast_film",
            "content_id": "cnt_film",
            "kind": "vod",
            "origin_path": "/vod/film/",
            "duration_ms": 120_000,
        },
    ),
    (
        asset,
        {
            "id": "ast_sealed",
            "content_id": "cnt_sealed",
            "kind": "vod",
            "origin_path": "/vod/film-protected/",
            "duration_ms": 120_000,
        },
    ),
    (
        asset,
        {
            "id": "ast_vault",
            "content_id": "cnt_vault",
            "kind": "vod",
            "origin_path": "/vod/vault/",
            "duration_ms": 5_400_000,
        },
    ),
    (rights_window, _window("demo", 1, channel_id="ch_demo")),
    (rights_window, _window("arena", 2, channel_id="ch_arena")),
    (rights_window, _window("film", 1, content_id="cnt_film")),
    (rights_window, _window("sealed", 1, content_id="cnt_sealed")),
    (rights_window, _window("vault", 2, content_id="cnt_vault")),
    (package, {"id": "pkg_basic", "kind": "svod", "tier": 1, "name": "Basic"}),
    (package, {"id": "pkg_premium", "kind": "svod", "tier": 2, "name": "Premium"}),
    (package_content, _part("pkg_basic", "channel", "ch_demo")),
    (package_content, _part("pkg_basic", "content", "cnt_film")),
    (package_content, _part("pkg_basic", "content", "cnt_sealed")),
    (package_content, _part("pkg_premium", "channel", "ch_arena")),
    (package_content, _part("pkg_premium", "content", "cnt_vault")),
    (
        offer,
        {
            "id": "ofr_premium",
            "package_id": "pkg_premium",
            "territory": "**",
            "price_minor": 999,
            "currency": "EUR",
            "period": "month",
            **ALWAYS,
        },
    ),
    (
        entitlement,
        {
            "id": "ent_demo",
            "account_id": ACCOUNT,
            "package_id": "pkg_basic",
            "source": "demo",
            "source_ref": "demo",
            "state": "active",
            "start_ms": SINCE_MS,
        },
    ),
)


async def plant(database: Database, passwords: Passwords, password: str) -> None:
    """Add what is missing, leave what is there, and let the demo user in with this password."""
    async with database.read() as connection:
        query = select(credential.c.hash).where(credential.c.id == CREDENTIAL)
        stored = (await connection.execute(query)).scalar()
    good = await passwords.matches(password, stored)
    hashed = stored if good else passwords.hash(password)
    async with database.write() as connection:
        for table, row in ROWS:
            await _add(connection, table, row)
        user = {"id": CREDENTIAL, "account_id": ACCOUNT, "kind": "password", "subject": USERNAME}
        await _add(connection, credential, user)
        if not good:
            await connection.execute(
                update(credential).where(credential.c.id == CREDENTIAL).values(hash=hashed)
            )


async def _add(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> None:
    keys = [column == row[column.name] for column in table.primary_key]
    if (await connection.execute(select(table).where(*keys))).first() is None:
        await connection.execute(insert(table).values(row))
