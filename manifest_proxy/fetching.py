"""The proxy's client: connections go to addresses that the guard has judged, and to no others.

Source: manifest-proxy MP-81..MP-83.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from aiohttp.abc import AbstractResolver
from yarl import URL

from runtime.fetch import Fetched, Fetcher
from runtime.guard import Network


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
            private=private,
            resolver=resolver,
        )
        self._proof = proof

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
        return await super().get(url, headers, timeout_s=timeout_s, max_bytes=max_bytes)
