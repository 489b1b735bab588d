"""Refresh tokens: each is good once and gives the next; a second use ends the sign-in (CTL-161).

Source: RFC 9700 section 4.14.2 (rotation, and what reuse means: one of two holders stole it).
"""

import hashlib
import secrets
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import credentials, types
from control_api.calls import Call, Services
from control_api.identity import shapes
from control_api.identity.schema import refresh_token
from control_api.problems import Problem
from control_api.schema import account
from runtime import logs, metrics

log = logs.get("control")
REUSED = metrics.counter("control_refresh_reused", "sign-ins ended because a token came twice")

TOKEN_BYTES = 32
FAMILY_BYTES = 16
row = refresh_token.c


async def begin(
    connection: AsyncConnection,
    services: Services,
    account_id: str,
    scopes: frozenset[str],
    now_ms: int,
) -> types.TokenAnswer:
    """A new sign-in: an access token and the first refresh token of a family."""
    family = secrets.token_hex(FAMILY_BYTES)
    return await _grant(connection, services, account_id, scopes, family, now_ms)


async def refresh(call: Call[shapes.RefreshRequest]) -> types.TokenAnswer:
    """Go on with a sign-in: the refresh token is spent, the answer has the next one."""
    services, now_ms = call.services, call.now_ms
    async with services.database.write() as connection:
        query = (
            select(refresh_token, account.c.status)
            .join(account, account.c.id == row.account_id)
            .where(row.sha256 == _digest(call.body.refresh_token))
            .with_for_update(of=refresh_token)
        )
        found = (await connection.execute(query)).first()
        if found is not None and found.used_ms is not None:
            await connection.execute(delete(refresh_token).where(row.family == found.family))
        elif found is not None and _good(found, now_ms):
            spent = update(refresh_token).where(row.sha256 == found.sha256)
            await connection.execute(spent.values(used_ms=now_ms))
            scopes = frozenset(found.scope.split())
            return await _grant(
                connection, services, found.account_id, scopes, found.family, now_ms
            )
    if found is not None and found.used_ms is not None:
        REUSED.inc()
        log.warning("refresh_reused", account=found.account_id)
        raise Problem("refresh_reused", headers={"WWW-Authenticate": "Bearer"})
    raise credentials.refused()


async def revoke(call: Call[shapes.RefreshRequest]) -> None:
    """Sign out: the whole family ends; an unknown token is fine (RFC 7009 section 2.2)."""
    async with call.services.database.write() as connection:
        query = select(row.family).where(row.sha256 == _digest(call.body.refresh_token))
        family = (await connection.execute(query)).scalar()
        await connection.execute(delete(refresh_token).where(row.family == family))


async def _grant(
    connection: AsyncConnection,
    services: Services,
    account_id: str,
    scopes: frozenset[str],
    family: str,
    now_ms: int,
) -> types.TokenAnswer:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    life_s = services.settings.identity.refresh_s
    scope = " ".join(sorted(scopes))
    old = delete(refresh_token).where(row.account_id == account_id, row.expires_ms <= now_ms)
    await connection.execute(old)
    made = {
        "sha256": _digest(token),
        "account_id": account_id,
        "family": family,
        "scope": scope,
        "expires_ms": now_ms + 1_000 * life_s,
    }
    await connection.execute(insert(refresh_token).values(made))
    access = services.issuer.issue(account_id, scopes, now_ms // 1_000)
    return types.TokenAnswer(access, "Bearer", services.issuer.life_s, scope, token, life_s)


def _good(found: Any, now_ms: int) -> bool:
    return bool(now_ms < found.expires_ms and found.status != "deleted")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
