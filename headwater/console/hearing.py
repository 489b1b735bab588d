"""What the services around say over HTTP, or None."""

import json
from typing import Any

from aiohttp import ClientError, ClientSession

MAX_BYTES = 4 << 20


async def text(session: ClientSession, url: str, *, any_status: bool = False) -> str | None:
    """The body of a 200 up to a limit; None for silence and all else."""
    try:
        async with session.get(url) as answer:
            if answer.status != 200 and not any_status:
                return None
            body = await answer.content.read(MAX_BYTES)
            while len(body) < MAX_BYTES and (more := await answer.content.read(MAX_BYTES)):
                body += more
            return body[:MAX_BYTES].decode("utf-8", "replace")
    except (ClientError, TimeoutError):
        return None


async def document(
    session: ClientSession, url: str, *, any_status: bool = False
) -> dict[str, Any] | None:
    """The same as an object; `any_status` for /readyz, which says why with a 503."""
    said = await text(session, url, any_status=any_status)
    try:
        found = json.loads(said) if said is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
