"""Who asks, by address, and from which country: the socket's word, or listed proxies' (CTL-10)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Networks = Sequence[IPv4Network | IPv6Network]
MAX_HOPS = 32
COUNTRY = re.compile("[A-Z]{2}")
UNTOLD = "XX"  # what some CDNs say of addresses that they do not know


def networks(listed: Sequence[str]) -> Networks:
    """The proxies of a setting; ValueError for what is no address and no network."""
    return [ip_network(each) for each in listed]


def client(peer: str, forwarded: Sequence[str], trusted: Networks) -> str:
    """The right-most hop that is not a listed proxy; `forwarded` are the values of the header
    X-Forwarded-For. What stands left of it, or is no address, is anybody's word.
    """
    found = _plain(peer)
    if not forwarded:
        return found
    hops = [hop.strip() for hop in ",".join(forwarded).split(",") if hop.strip()]
    for hop in reversed(hops[-MAX_HOPS:]):
        if not _listed(found, trusted):
            break
        said = _plain(hop)
        if not said:
            break
        found = said
    return found


def country(peer: str, told: str, trusted: Networks) -> str:
    """The viewer's country as a listed proxy tells it (ISO 3166-1 alpha-2); empty: not told."""
    word = told.strip()
    known = COUNTRY.fullmatch(word) is not None and word != UNTOLD
    return word if known and _listed(_plain(peer), trusted) else ""


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
