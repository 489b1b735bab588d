"""What one machine's origin asks of another: listings and bytes of channel files, over HTTP.

A listener of its own, for the private network between the machines; every request carries the
secret that they share.
"""

import hmac
from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from origin.errors import OriginError
from origin.ingest.names import NAME, channel_name
from origin.live.log import HEADER
from origin.replica import files
from origin.replica.entry import BadEntry, Listing, pack, unpack_listing

LISTING_BYTES = 64 << 20
FETCH_S = 10.0
CONNECT_S = 2.0


def bearer(secret: str) -> str:
    return f"Bearer {secret}"


def mount(app: web.Application, folder: Path, secret: str) -> None:
    """Beside the routes of `app`, which takes the pushes that other machines hand on:
    `GET /peer/{channel}` and `GET /peer/{channel}/{track}/{file}` with Range. All want the secret.
    """
    expected = bearer(secret).encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        said = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(said, expected):
            raise web.HTTPForbidden
        return await handler(request)

    async def listed(request: web.Request) -> web.Response:
        name = request.match_info["channel"]
        if not NAME.fullmatch(name) or not (folder / name).is_dir():
            raise web.HTTPNotFound
        return web.Response(body=pack(files.listing(folder / name)))

    async def sent(request: web.Request) -> web.StreamResponse:
        channel, track, file = (request.match_info[key] for key in ("channel", "track", "file"))
        stem, _, suffix = file.partition(".")
        known = file == HEADER or (stem.isdigit() and suffix in (files.INDEX, files.MEDIA))
        named = NAME.fullmatch(channel) and (track == files.JOURNAL or NAME.fullmatch(track))
        if not (known and named):
            raise web.HTTPNotFound
        path = files.home_of(folder / channel, track) / file
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path)

    app.middlewares.insert(0, guard)
    app.router.add_get("/peer/{channel}", listed)
    app.router.add_get("/peer/{channel}/{track}/{file}", sent)


class PeerLost(OriginError):
    """The peer did not answer as it should; try again later."""

    status = 502
    code = "peer_lost"


class Peer:
    """Asks other machines; `open` it inside a loop."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=FETCH_S, connect=CONNECT_S),
            headers={"Authorization": bearer(self._secret)},
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def listing(self, url: str, channel: str) -> Listing:
        """All that the peer has of a channel; PeerLost, BadEntry."""
        channel_name(channel)
        return unpack_listing(await self._get(f"{url}/peer/{channel}", {}, LISTING_BYTES))

    async def fetch(self, url: str, channel: str, path: str, start: int, end: int) -> bytes:
        """Bytes of a file; the header, which is shorter than asked for, comes whole."""
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        data = await self._get(f"{url}/peer/{channel}/{path}", wanted, end - start)
        if len(data) != end - start and not path.endswith(HEADER):
            raise BadEntry("the peer sent fewer bytes than it has told of")
        return data

    async def _get(self, url: str, headers: dict[str, str], limit_bytes: int) -> bytes:
        assert self._session is not None
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    raise PeerLost(f"the peer answered {answer.status}")
                if (answer.content_length or 0) > limit_bytes:
                    raise BadEntry("the peer sends more than was asked for")
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PeerLost(f"{type(error).__name__}") from None
