"""Sign-in of devices that cannot type: they show a code, a telephone that is signed in takes it.

Source: RFC 8628 (device authorization grant), sections 3.1 to 3.5 and 6.1; control-api CTL-161.

Rules of the file
1. The grant is off until `device_page_url` says where people go with their code.
2. A device code is kept as its SHA-256, is good for one sign-in and gone with the answer to it.
3. Who allows a device gives it no more than its own token may do.
4. Refusals are problems with the `error` member of RFC 6749 section 5.2 beside their code.
"""

import hashlib
import secrets
from typing import Any

from sqlalchemy import delete, insert, select, update

from control_api import types
from control_api.calls import Call
from control_api.identity import refresh, shapes
from control_api.identity.schema import device_grant
from control_api.issuer import VIEWER_SCOPES
from control_api.problems import Problem
from control_api.schema import account

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 section 6.1: no vowels, so no words and no look-alikes
USER_CODE_CHARS = 8
CODE_BYTES = 32
SLOWER_S = 5  # RFC 8628 section 3.5
row = device_grant.c


async def begin(call: Call[shapes.DeviceRequest]) -> shapes.DeviceCodes:
    """Codes for a device to show and to ask with."""
    settings = call.services.settings.identity
    if not settings.device_page_url:
        raise Problem("not_found")
    code = secrets.token_urlsafe(CODE_BYTES)
    user_code = "".join(secrets.choice(LETTERS) for _ in range(USER_CODE_CHARS))
    made = {
        "sha256": _digest(code),
        "user_code": user_code,
        "name": call.body.name,
        "interval_s": settings.device_poll_s,
        "expires_ms": call.now_ms + 1_000 * settings.device_code_s,
    }
    async with call.services.database.write() as connection:
        await connection.execute(delete(device_grant).where(row.expires_ms <= call.now_ms))
        await connection.execute(insert(device_grant).values(made))
    shown = f"{user_code[:4]}-{user_code[4:]}"
    page = settings.device_page_url
    return shapes.DeviceCodes(
        code,
        shown,
        page,
        f"{page}{'&' if '?' in page else '?'}user_code={shown}",
        settings.device_code_s,
        settings.device_poll_s,
    )


async def verify(call: Call[shapes.DeviceVerdict]) -> shapes.DeviceVerified:
    """Allow the device that shows a code to sign in to the account, or refuse it."""
    caller, asked = call.caller, call.body
    typed = "".join(each for each in asked.user_code.upper() if each in LETTERS)
    scopes = " ".join(sorted(VIEWER_SCOPES & caller.scopes))
    async with call.services.database.write() as connection:
        owner = select(account.c.id).where(
            account.c.id == caller.account_id, account.c.status == "active"
        )
        if (await connection.execute(owner)).first() is None:
            raise Problem("account_suspended")
        waiting = (row.user_code == typed, row.expires_ms > call.now_ms, row.allowed.is_(None))
        decided = update(device_grant).where(*waiting)
        decided = decided.values(account_id=caller.account_id, scope=scopes, allowed=asked.allow)
        found = (await connection.execute(decided.returning(row.name))).first()
    if found is None:
        raise Problem("not_found")
    return shapes.DeviceVerified(found.name, asked.allow)


async def token(call: Call[shapes.DeviceTokenRequest]) -> types.TokenAnswer:
    """Has somebody allowed this device by now? Then it is signed in."""
    services, now_ms = call.services, call.now_ms
    async with services.database.write() as connection:
        mine = row.sha256 == _digest(call.body.device_code)
        query = (
            select(device_grant, account.c.status)
            .outerjoin(account, account.c.id == row.account_id)
            .where(mine)
            .with_for_update(of=device_grant)
        )
        found: Any = (await connection.execute(query)).first()
        code = _refusal(found, now_ms)
        if code in ("slow_down", "authorization_pending"):
            slower_s = SLOWER_S if code == "slow_down" else 0
            asked = {"polled_ms": now_ms, "interval_s": row.interval_s + slower_s}
            await connection.execute(update(device_grant).where(mine).values(asked))
        else:
            await connection.execute(delete(device_grant).where(mine))
        if code is None:
            scopes = frozenset(found.scope.split())
            return await refresh.begin(connection, services, found.account_id, scopes, now_ms)
    raise Problem(code, error=code)


def _refusal(found: Any, now_ms: int) -> str | None:
    """Why there is no token, in RFC 8628's words; None: there is one."""
    if found is None or now_ms >= found.expires_ms:
        return "expired_token"
    if found.polled_ms is not None and now_ms - found.polled_ms < 1_000 * found.interval_s:
        return "slow_down"
    if found.allowed is None:
        return "authorization_pending"
    return None if found.allowed and found.status == "active" else "access_denied"


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
