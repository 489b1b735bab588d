"""Addresses that may be connected to: public ones, and private ones only where configured.

What a name resolves to is judged when the connection is made, and the connection goes to the judged
address, so a name that changes its mind meanwhile gains nothing. Source: MP-80..MP-83, CTL-154;
RFC 6890; RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
PROTOCOLS = IPv4Network("192.0.0.0/24")  # RFC 6890; one cloud's metadata service is there
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class AddressRefused(OSError):
    """A name resolved to an address that must not be reached."""


class GuardedResolver(AbstractResolver):
    """Answers with judged addresses only; one that is refused refuses the name. `localhost` may
    mean this machine where the caller's URLs are configured ones.
    """

    def __init__(
        self, resolver: AbstractResolver, private: Iterable[Network], *, localhost: bool
    ) -> None:
        self._resolver = resolver
        self._private = tuple(private)
        self._local = (*self._private, *LOOPBACK) if localhost else self._private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        allowed = self._local if host == "localhost" else self._private
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            if not permitted(one["host"], allowed):
                raise AddressRefused(f"{host} is {one['host']}, which is not configured")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def permitted(text: str, private: Iterable[Network]) -> bool:
    """Whether an address, in the form that a resolver gives, may be connected to."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in private) or all(map(_is_public, _meant(address)))


def _meant(address: Address) -> list[Address]:
    """The address and those that it carries inside."""
    found: list[Address] = [address]
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
        mapped = [one for one in inner if one is not None]
        found = [*mapped] if address.ipv4_mapped else [address, *mapped]
    return found


def _is_public(address: Address) -> bool:
    if address in NAT64:
        return True  # as public as what it carries
    special = address.is_multicast or address.is_reserved or address in PROTOCOLS
    return address.is_global and not special
