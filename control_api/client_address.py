"""Who asks, by address: the socket's, or what listed proxies say of it (CTL-10)."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Networks = Sequence[IPv4Network | IPv6Network]
MAX_HOPS = 32


def networks(listed: Sequence[str]) -> Networks:
    """The proxies of a setting; ValueError for what is no address and no network."""
    return [ip_network(each) for each in listed]


def client(peer: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """The right-most hop that is not a listed proxy; `forwarded` are the values of the header
    X-Forwarded-For. What stands left of it, or is no address, is anybody's word.
    """
    hops = [hop.strip() for hop in ",".join(forwarded).split(",") if hop.strip()]
    found = _plain(peer)
    for hop in reversed(hops[-MAX_HOPS:]):
        if not _listed(found, trusted):
            break
        said = _plain(hop)
        if not said:
            break
        found = said
    return found


@lru_cache(maxsize=4_096)
def _plain(text: str) -> str:
    """One spelling for each address; IPv4 in IPv6 is IPv4. Empty: no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _listed(address: str, trusted: Networks) -> bool:
    return bool(address) and any(ip_address(address) in network for network in trusted)


def counted(address: str) -> str:
    """What limits count by: IPv6 subscribers have a /64 of addresses to ask from."""
    if ":" not in address:
        return address
    return str(ip_network(f"{address}/64", strict=False))
