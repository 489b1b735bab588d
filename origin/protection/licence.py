"""The ClearKey licence server and the key URLs, as aiohttp routes (PR-120..PR-122, PR-133, PR-140).

Whoever mounts them says who may have a key; nothing about a key is ever logged.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from origin.errors import OriginError
from origin.protection import clearkey
from origin.protection.keys import ContentKey

Verdict = Literal["ok", "no_session", "insufficient_proof", "not_authorized", "unavailable"]
Allow = Callable[[web.Request, ContentKey], Awaitable[Verdict]]
Find = Callable[[bytes], ContentKey | None]

_DASHIF = "https://dashif.org/drm-problems/"
PROBLEM = {  # the gravest first
    "unavailable": (503, "about:blank", "rights cannot be checked now"),
    "no_session": (401, "about:blank", "no session"),
    "insufficient_proof": (
        403, f"{_DASHIF}insufficient-proof-of-authorization", "the token is not for this content"
    ),
    "not_authorized": (403, f"{_DASHIF}not-authorized", "not authorized"),
}  # fmt: skip
RETRY_S = 5
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, CTA-Common-Access-Token",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Max-Age": "86400",
}
PRIVATE = {"Cache-Control": "no-store", **CORS}


def routes(find: Find, allow: Allow, prefix: str = "/v1/licence") -> list[web.RouteDef]:
    """POST {prefix}/clearkey, GET {prefix}/key/{kid}, and their preflights."""

    async def licence(request: web.Request) -> web.Response:
        if (request.content_length or 0) > clearkey.LONGEST_REQUEST:
            return _problem(413, "about:blank", "too large")
        try:
            kids = clearkey.asked(await request.content.read(clearkey.LONGEST_REQUEST + 1))
            known = [key for kid in kids if (key := find(kid)) is not None]
        except OriginError as error:
            return _problem(error.status, "about:blank", error.detail)
        verdicts = [await allow(request, key) for key in known]
        given = [key for key, verdict in zip(known, verdicts, strict=True) if verdict == "ok"]
        if given:
            body = clearkey.licence(given)
            return web.Response(body=body, content_type="application/json", headers=PRIVATE)
        return _refusal(verdicts)

    async def bare_key(request: web.Request) -> web.Response:
        try:
            kid = bytes.fromhex(request.match_info["kid"])
            key = find(kid) if len(kid) == 16 else None
        except ValueError:
            key = None
        except OriginError as error:
            return _problem(error.status, "about:blank", error.detail)
        verdict = await allow(request, key) if key is not None else None
        if key is not None and verdict == "ok":
            body = key.secret.reveal()
            kind = "application/octet-stream"
            return web.Response(body=body, content_type=kind, headers=PRIVATE)
        return _refusal([verdict] if verdict is not None else [])

    async def preflight(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=CORS)

    return [
        web.post(f"{prefix}/clearkey", licence),
        web.options(f"{prefix}/clearkey", preflight),
        web.get(f"{prefix}/key/{{kid}}", bare_key, allow_head=False),
        web.options(f"{prefix}/key/{{kid}}", preflight),
    ]


def _refusal(verdicts: list[Verdict]) -> web.Response:
    """404 when no key is known, else what stood in the way (PR-120)."""
    if not verdicts:
        return _problem(404, "about:blank", "no such key")
    return _problem(*PROBLEM[next(word for word in PROBLEM if word in verdicts)])


def _problem(status: int, kind: str, title: str) -> web.Response:
    """RFC 9457, readable across origins (PR-133)."""
    body = {"type": kind, "title": title, "status": status}
    headers = PRIVATE | ({"Retry-After": str(RETRY_S)} if status == 503 else {})
    return web.json_response(
        body, status=status, content_type="application/problem+json", headers=headers
    )
