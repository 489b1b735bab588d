"""Addresses that this proxy may connect to: public ones, and private ones only where configured.

What a name resolves to is judged when the connection is made, and the connection goes to the judged
address, so a name that changes its mind meanwhile gains nothing. Source: MP-80..MP-83;
RFC 6890; RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
PROTOCOLS = IPv4Network("192.0.0.0/24")  # RFC 6890; one cloud's metadata service is there
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class AddressRefused(OSError):
    """A name resolved to an address that must not be reached."""


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
