"""The primary that Sentinels name: redis+sentinel://host:port,host:port/service, rediss+sentinel://
over TLS. `user:password@` is for the server; `/service/2` is its database 2, and the driver's own
options follow as in `?ssl_ca_certs=...`, `sentinel_username` and `sentinel_password` for Sentinels.

Source: "Sentinel client spec" of Redis' documentation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import connection as wires
from redis.asyncio import sentinel
from redis.exceptions import ConnectionError as ServerGone
from redis.exceptions import RedisError

MARK = "+sentinel"
DOWN = {b"s_down", b"o_down"}  # as this Sentinel sees it, and as most do
PORT = 26379
WANTED = (
    "redis://host:port/database, rediss://..., unix:///path, or"
    " redis+sentinel://host:port,host:port/service/database"
)
SIGN_IN = {"sentinel_username": "username", "sentinel_password": "password"}


class Named:
    """Whom they name. Asked all at once, at each opening of a connection: some may be gone."""

    is_master = True
    check_connection = False

    def __init__(
        self,
        service: str,
        places: Sequence[tuple[str, int]],
        kind: type[Any],
        shape: Mapping[str, Any],
    ) -> None:
        self._service = service
        self._places = places
        self._kind = kind
        self._shape = shape

    async def reach(self, connect: Callable[[tuple[str, int]], Awaitable[bool]]) -> None:
        """Connect to the first whom any of them names and who is a primary: some of them may not
        have heard of the latest. Raises the driver's ConnectionError.
        """
        asking = [asyncio.create_task(self._ask(*place)) for place in self._places]
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    if await connect(await answer):
                        return
                except (RedisError, OSError):
                    continue
        finally:
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise ServerGone("no Sentinel names a primary that is one")

    async def _ask(self, host: str, port: int) -> tuple[str, int]:
        one = self._kind(host=host, port=port, protocol=2, **self._shape)
        try:
            await one.connect()
            await one.send_command("SENTINEL", "MASTER", self._service)
            words = await one.read_response()
        finally:
            await one.disconnect(nowait=True)
        told = dict(zip(words[::2], words[1::2], strict=True))
        if set(told[b"flags"].split(b",")) & DOWN:
            raise ServerGone("down, and no other yet")
        return told[b"ip"].decode(), int(told[b"port"])


class _Checked:
    """A connection that is open once its server says that it is a primary. HELLO, as ROLE and INFO
    are kept from users who may do nothing dangerous.
    """

    async def _connect_retry(self: Any) -> None:
        if self._reader:
            return
        await self.connection_pool.reach(self._reached)

    async def _reached(self: Any, address: tuple[str, int]) -> bool:
        await self.connect_to(address)
        try:
            await self.send_command("HELLO")
            told = await self.read_response()
            told = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
            if told.get(b"role") == b"master":
                return True
        except BaseException:
            await self.disconnect(nowait=True)
            raise
        await self.disconnect(nowait=True)
        return False


class _Wire(_Checked, sentinel.SentinelManagedConnection):
    pass


class _SecretWire(_Checked, sentinel.SentinelManagedSSLConnection):
    pass


MANAGED: Mapping[type[Any], type[Any]] = {
    wires.Connection: _Wire,
    wires.SSLConnection: _SecretWire,
}


def pool(kind: type[Any], url: str, **shape: Any) -> Any:
    """A pool of the driver's of connections to the server at any URL. ValueError names the setting
    and quotes nothing of it.
    """
    try:
        return _pool(kind, url, shape)
    except ValueError:
        raise ValueError(f"store.url: {WANTED}") from None


def _pool(kind: type[Any], url: str, shape: Mapping[str, Any]) -> Any:
    parts = urlsplit(url)
    if not parts.scheme.endswith(MARK):
        if parts.scheme != "unix":
            _database(parts.path.strip("/"))
        return kind.from_url(url, **shape)
    sign_in, at, hosts = parts.netloc.rpartition("@")
    service, _, number = parts.path.strip("/").partition("/")
    if not (hosts and service):
        raise ValueError("hosts and a service")
    _database(number)
    plain = parts._replace(
        scheme=parts.scheme.removesuffix(MARK), netloc=f"{sign_in}{at}sentinel", path=f"/{number}"
    )
    told: dict[str, Any] = dict(wires.parse_url(plain.geturl()))
    kind_of_wire = told.pop("connection_class", wires.Connection)
    del told["host"]
    asked = {name: told.pop(given) for given, name in SIGN_IN.items() if given in told}
    asked |= {name: value for name, value in told.items() if name.startswith("ssl_")}
    asked |= {"retry": shape["retry"]}
    named = Named(service, [_place(each) for each in hosts.split(",")], kind_of_wire, asked)
    return kind(
        connection_class=MANAGED[kind_of_wire], connection_pool=named, **(told | dict(shape))
    )


def _database(number: str) -> None:
    """The driver takes what is no number for the first."""
    if number and not (number.isascii() and number.isdigit()):
        raise ValueError("a database has a number")


def _place(text: str) -> tuple[str, int]:
    found = urlsplit(f"//{text}")
    if found.hostname is None:
        raise ValueError("a Sentinel has a host")
    return found.hostname, found.port or PORT
