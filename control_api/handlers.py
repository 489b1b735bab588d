"""One function an operation: opens the database where needed, hands over to the noun's file."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from control_api import credentials, types
from control_api.calls import Call, Reply
from control_api.identity import refresh
from control_api.issuer import VIEWER_SCOPES

Playable = TypeVar("Playable", types.CheckAnswer, types.StartAnswer)


async def issue_token(call: Call[types.TokenRequest]) -> types.TokenAnswer:
    """Sign in with a user name and a password."""
    services = call.services
    async with services.database.read() as connection:
        found = await credentials.by_password(connection, call.body.username)
    stored = found.hash if found else None
    if not await services.passwords.matches(call.body.password, stored) or found is None:
        raise credentials.refused()
    async with services.database.write() as connection:
        return await refresh.begin(
            connection, services, found.account_id, VIEWER_SCOPES, call.now_ms
        )


async def check_access(call: Call[types.CheckRequest]) -> types.CheckAnswer:
    """May the caller play this now, on this device?"""
    answer = await call.services.playback.check(call.caller, call.body, call.now_ms)
    return _limited(call, answer)


def start_playback(profile: str) -> Callable[[Call[types.StartRequest]], Awaitable[Reply]]:
    """The three shapes differ in defaults only (CTL-30)."""

    async def start(call: Call[types.StartRequest]) -> Reply:
        shape = call.query.shape or profile
        answer = await call.services.playback.start(
            call.caller, call.body, shape, call.now_ms, call.budget_ms
        )
        return Reply(_limited(call, answer), {"Location": f"/v1/sessions/{answer.session_id}"})

    start.__doc__ = f"Start a playback session ({profile} defaults)."
    return start


async def heartbeat(call: Call[types.HeartbeatRequest]) -> types.HeartbeatAnswer:
    """Keep a session alive."""
    playback = call.services.playback
    return await playback.heartbeat(call.caller, call.path["id"], call.body, call.now_ms)


def _limited(call: Call[Any], answer: Playable) -> Playable:
    """Nothing is kept on devices while downloads are switched off."""
    if not call.services.flags.on("downloads"):
        answer.constraints.offline = False
    return answer


async def stop_session(call: Call[None]) -> None:
    """End a session; ending it twice is fine."""
    await call.services.playback.stop(call.caller, call.path["id"], call.now_ms)
