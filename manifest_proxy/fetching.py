"""The proxy's client: connections go to addresses that the guard has judged, and to no others.

Source: manifest-proxy MP-81..MP-83.
"""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from runtime.fetch import Fetched, Fetcher, FetchError

from .guard import LOOPBACK, AddressRefused, Network, permitted

DNS_TTL_S = 30


class GuardedResolver(AbstractResolver):
    """Answers with judged addresses only; one that is refused refuses the name."""

    def __init__(self, resolver: AbstractResolver, private: Iterable[Network]) -> None:
        self._resolver = resolver
        self._private = tuple(private)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        allowed = (*self._private, *LOOPBACK) if host == "localhost" else self._private
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            if not permitted(one["host"], allowed):
                raise AddressRefused(f"{host} is {one['host']}, which is not configured")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class GuardedFetcher(Fetcher):
    """A Fetcher that resolves through the guard. An address written in a configured URL is itself
    configured: the list of bases lets no other literal through. `proof` gives the headers that
    prove this proxy to the origin, by path and query as they are sent.
    """

    def __init__(
        self,
        bases: Sequence[str],
        *,
        private: Iterable[Network] = (),
        resolver: AbstractResolver | None = None,
        name: str = "fetch",
        timeout_s: float = 5.0,
        connect_timeout_s: float = 2.0,
        max_bytes: int = 16 << 20,
        proof: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(
            bases,
            name=name,
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_bytes=max_bytes,
        )
        self._private = tuple(private)
        self._resolver = resolver
        self._proof = proof

    async def start(self) -> None:
        resolver = GuardedResolver(self._resolver or aiohttp.ThreadedResolver(), self._private)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections, ttl_dns_cache=DNS_TTL_S, resolver=resolver
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        """As Fetcher.get; FetchError `address_refused` when the guard says no."""
        if self._proof is not None:
            headers = {**(headers or {}), **self._proof(URL(url).raw_path_qs)}
        try:
            return await super().get(url, headers, timeout_s=timeout_s, max_bytes=max_bytes)
        except FetchError as error:
            if isinstance(getattr(error.__context__, "os_error", None), AddressRefused):
                raise FetchError("address_refused", "a private address") from None
            raise
