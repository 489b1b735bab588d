"""Structured field values: the serialiser (RFC 9651 section 4.1)."""

import base64
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from .errors import SfvError
from .sfv import KEY, TOKEN, Bare, Date, DisplayString, InnerList, Item, Member, Params, Token

MAX_INTEGER = 999_999_999_999_999  # 3.3.1
MAX_DECIMAL = Decimal("999999999999.999")  # 3.3.2
PRINTABLE = re.compile(r"[ -~]*")  # 3.3.3
KEPT_OCTETS = frozenset(range(0x20, 0x7F)) - frozenset(b'%"')  # 4.1.11


def write_dictionary(members: Mapping[str, Member], separator: str = ", ") -> str:
    """Section 4.1.2; CMCD joins without the space."""
    return separator.join(_pair(key, member) for key, member in members.items())


def write_list(members: Iterable[Member]) -> str:
    """Section 4.1.1."""
    return ", ".join(write_member(member) for member in members)


def write_member(member: Member) -> str:
    if isinstance(member, Item):
        return write_item(member)
    inner = " ".join(write_item(item) for item in member.items)
    return f"({inner}){_params(member.params)}"


def write_item(item: Item) -> str:
    """Section 4.1.3."""
    return write_bare(item.value) + _params(item.params)


def write_bare(value: Bare) -> str:
    """Section 4.1.3.1."""
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, Date):
        return f"@{_integer(value)}"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, bytes):
        return f":{base64.b64encode(value).decode()}:"
    if isinstance(value, Token):
        if not TOKEN.fullmatch(value):
            raise SfvError("token")
        return str(value)
    if isinstance(value, DisplayString):
        return _display(value)
    if not PRINTABLE.fullmatch(value):
        raise SfvError("string")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _pair(key: str, member: Member) -> str:
    if isinstance(member, InnerList) or member.value is not True:
        return f"{_key(key)}={write_member(member)}"
    return _key(key) + _params(member.params)


def _params(params: Params) -> str:
    return "".join(
        f";{_key(key)}" if value is True else f";{_key(key)}={write_bare(value)}"
        for key, value in params.items()
    )


def _key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise SfvError("key")
    return key


def _integer(value: int) -> str:
    if abs(value) > MAX_INTEGER:
        raise SfvError("number")
    return str(int(value))


def _decimal(value: Decimal) -> str:
    if not value.is_finite() or abs(value) > MAX_DECIMAL + 1:
        raise SfvError("number")
    rounded = value.quantize(Decimal("0.001"), ROUND_HALF_EVEN)
    if abs(rounded) > MAX_DECIMAL:
        raise SfvError("number")
    whole, _, fraction = f"{rounded:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def _display(value: str) -> str:
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        raise SfvError("display_string") from None
    text = "".join(chr(octet) if octet in KEPT_OCTETS else f"%{octet:02x}" for octet in octets)
    return f'%"{text}"'
