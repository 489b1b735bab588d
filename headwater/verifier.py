"""Tokens judged for somebody else's server: nginx `auth_request` and Envoy `ext_authz` over HTTP
(specs/cat.md sections 9 to 11).

`/auth` takes the viewer's request as fields that the server in front sets: `X-Original-URL`
(absolute), or `X-Original-URI` with `X-Forwarded-Proto` and `X-Forwarded-Host`, and
`X-Original-Method`. `/ext_authz/...` takes Envoy's copy of it: the path behind the
prefix, `Host`, `X-Forwarded-Proto`. What a front alone can know comes as `X-Real-IP`,
`X-Client-ASN`, `X-Client-Country`, `X-Client-ALPN`. Only that front may reach this port: whoever
can, chooses what is judged.

nginx passes 401 and 403 on and makes 500 of anything else, so `/auth` answers other refusals
with 403 and says the true status in `CAT-Status`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import cat
from cat.transport import STANDARD
from headwater.key_source import key_set
from native.http import Entity, Refusal, Request, Server, serve
from native.personal import Porter
from runtime import logs

log = logs.get("verifier")
LOOK_S: Final = 2.0
NGINX: Final = "/auth"
ENVOY: Final = "/ext_authz"
MAX_FIELD_CHARS: Final = 8192
_OWN: Final = frozenset({"content-type", "cache-control", "vary"})
_PASSED_BY_NGINX: Final = (401, 403)
Judge = Callable[[Iterable[str], cat.Context], cat.Verdict | Awaitable[cat.Verdict]]
_NOT_ASKED: Final = Refusal(400, "no_request", cache_control="no-store")


class Desk:
    """Answers one question a request: may this viewer have that?"""

    def __init__(
        self, judge: Judge, clock: Callable[[], float], names: cat.Names = STANDARD
    ) -> None:
        self._judge = judge
        self._clock = clock
        self._names = names

    def handle(self, request: Request) -> Entity | Refusal | Awaitable[Entity | Refusal]:
        """200 or a refusal; renewed tokens travel with the 200."""
        headers = request.headers
        if request.path == NGINX:
            url, method = _original(headers), headers.get("x-original-method", "GET")
            strict = True
        elif request.path.startswith(ENVOY + "/"):
            scheme, host = headers.get("x-forwarded-proto", "http"), headers.get("host", "")
            url, method = f"{scheme}://{host}{request.target[len(ENVOY) :]}", request.method
            strict = False
        else:
            return Refusal(404, "not_found", cache_control="no-store")
        if url is None or len(url) > MAX_FIELD_CHARS:
            return _NOT_ASKED
        tokens = _tokens(url, headers, self._names)
        found = self._judge(tokens, self._context(url, method, headers))
        if isinstance(found, cat.Verdict):
            return _answer(found, strict)
        return self._later(found, strict)

    async def _later(self, verdict: Awaitable[cat.Verdict], strict: bool) -> Entity | Refusal:
        return _answer(await verdict, strict)

    def _context(self, url: str, method: str, headers: Mapping[str, str]) -> cat.Context:
        asn = headers.get("x-client-asn", "")
        return cat.Context(
            url,
            self._clock(),
            method,
            ip=headers.get("x-real-ip"),
            asn=int(asn) if asn.isascii() and asn.isdigit() and len(asn) <= 10 else None,
            country=headers.get("x-client-country"),
            alpn=headers.get("x-client-alpn"),
            headers=headers,
        )


def _original(headers: Mapping[str, str]) -> str | None:
    """The viewer's URL, from whichever fields the front has."""
    uri = headers.get("x-original-uri", "")
    if "x-original-url" in headers or not uri.startswith("/"):
        return headers.get("x-original-url")
    host = headers.get("x-forwarded-host", headers.get("host", ""))
    return f"{headers.get('x-forwarded-proto', 'http')}://{host}{uri}"


def _tokens(url: str, headers: Mapping[str, str], names: cat.Names) -> tuple[str, ...]:
    head, _, query = url.partition("?")
    _, slash, path = head.partition("://")[2].partition("/")
    return cat.candidates(slash + path, query, headers, names).tokens


@lru_cache(256)
def accepted(kid: str) -> Refusal:
    """What a token of this key that is not due for renewal gets."""
    fields = (("CAT-Reason", "ok"), ("CAT-Kid", kid.encode("ascii", "backslashreplace").decode()))
    return Refusal(200, "ok", cache_control="no-store", headers=fields)


def _answer(verdict: cat.Verdict, strict: bool) -> Entity | Refusal:
    if not verdict.accept:
        return _refused(verdict, strict)
    if verdict.renew is None:
        return accepted(verdict.kid or "")
    fields = verdict.renew.fields
    if verdict.renew.location is not None:
        if strict:
            return accepted(verdict.kid or "")  # auth_request cannot redirect
        return Entity(
            b"",
            content_type="text/plain",
            cache_control="no-store",
            headers=_others(fields),
            status=verdict.renew.status or 302,
        )
    return Refusal(
        200,
        "ok",
        cache_control="private, no-store",
        headers=[("CAT-Reason", "ok"), *_others(fields)],
    )


def _refused(verdict: cat.Verdict, strict: bool) -> Entity:
    answer = cat.refusal(verdict)
    status, fields = answer.status, _others(answer.headers)
    if strict and status not in _PASSED_BY_NGINX:
        fields.append(("CAT-Status", str(status)))
        status = 403
    return Entity(
        answer.body,
        content_type="application/json",
        cache_control="no-store",
        headers=fields,
        status=status,
    )


def _others(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the listener does not write itself."""
    return [
        (name, value)
        for name, value in fields
        if name.lower() not in _OWN and not name.startswith("Access-Control-")
    ]


class Keyring:
    """The judge of a key file, made anew when the file changes; a file that cannot be read leaves
    the old one in place.
    """

    def __init__(self, path: Path, make: Callable[[cat.KeySet], Judge]) -> None:
        self._path = path
        self._make = make
        self._mark = self._seen()
        self._judge = make(key_set(path))

    def __call__(
        self, tokens: Iterable[str], context: cat.Context
    ) -> cat.Verdict | Awaitable[cat.Verdict]:
        return self._judge(tokens, context)

    def look(self) -> None:
        """Read the file again if it is another than last time."""
        mark = self._seen()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._judge = self._make(key_set(self._path))
        except cat.KeyFileError as error:
            log.error("keys_not_read", error=str(error))
        else:
            log.info("keys_read")

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def _seen(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return found.st_ino, found.st_mtime_ns, found.st_size


class Verifying:
    """The verifier's listener as a part of a process."""

    name = "verifier"

    def __init__(
        self,
        judge: Judge,
        clock: Callable[[], float],
        *,
        host: str,
        port: int,
        reuse_port: bool = False,
        porter: Porter | None = None,
        names: cat.Names = STANDARD,
    ) -> None:
        """`porter` answers before the judge is asked; `names` carry tokens too (CAT-90)."""
        self.port = port
        self._serve = partial(
            serve, Desk(judge, clock, names).handle, host=host, reuse_port=reuse_port, desk=porter
        )
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = await self._serve(port=self.port)
        self.port = self._server.port

    def ready(self) -> str | None:
        return None if self._server is not None else "not listening"

    async def drain(self) -> None:
        if self._server is not None:
            await self._server.drain(7.5)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()
