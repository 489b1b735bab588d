"""Who a session is in the eyes of the network: its cell, and the network it speaks from.

Source: specs routing.md RT-2, RT-22. GeoIP and ASN come from local databases (`geoip`).
"""

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

from ..policies.face import Cell

KEPT_PLACES = 65_536
MAX_NAME_CHARS = 64
FAULTS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)  # of broken databases


class Place(NamedTuple):
    """ISO 3166-1 country and autonomous system of an address; empty when not known."""

    region: str = ""
    isp: str = ""


class Database(Protocol):
    """A maxminddb reader."""

    def get(self, ip_address: str) -> object: ...


def locator(*databases: Database) -> Callable[[str], Place]:
    """The place of an address, as the first database that knows says."""

    @lru_cache(KEPT_PLACES)
    def place(address: str) -> Place:
        region = isp = ""
        for database in databases:
            try:
                found = database.get(address)
            except FAULTS:  # no address, none of its version; broken there
                continue
            if isinstance(found, dict):
                country = found.get("country") or found.get("registered_country")
                if isinstance(country, dict):
                    region = region or str(country.get("iso_code", ""))[:2]
                number = found.get("autonomous_system_number")
                isp = isp or (f"AS{number}" if isinstance(number, int) else "")
        return Place(region, isp)

    return place


def network_of(address: str) -> str:
    """The /24 or /48 that an address is in; addresses of no network are all one."""
    if address.count(".") == 3 and ":" not in address:
        return address.rpartition(".")[0]
    try:
        return str(ipaddress.ip_network((address, 48), strict=False))
    except ValueError:
        return ""


def address_in(network: str) -> str:
    """An address of a network that `network_of` named."""
    return f"{network}.0" if network.count(".") == 2 else network.partition("/")[0]


def cell_of(
    place: Place, *, country: str, asn: int | None, device: str, content: str, access: str = ""
) -> Cell:
    """The cell of a session: what its start said, else what its address says."""
    isp = f"AS{asn}" if asn is not None else place.isp
    names = (country or place.region, isp, access, device, content)
    return Cell(*(name[:MAX_NAME_CHARS] for name in names))
