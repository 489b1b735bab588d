"""Structured field values: types and the strict parser.

Source: RFC 9651 (which replaces RFC 8941) sections 3 and 4.2. A repeated key overwrites the earlier
one in its place (section 4.2.2). Members and parameters are bounded far above the
sizes that section 3 asks receivers to support.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from .errors import SfvError

MAX_MEMBERS = 4096  # section 3.1 asks for 1024
MAX_PARAMS = 1024  # section 3.1.2 asks for 256

KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")  # 4.2.3.3
TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")  # 4.2.6
NUMBER = re.compile(r"-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})(?![0-9.])")  # 4.2.4
STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')  # 4.2.5
BINARY = re.compile(r":([A-Za-z0-9+/]*={0,2}):")  # 4.2.7
DISPLAY = re.compile(r'%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"')  # 4.2.10
ESCAPED = re.compile(r"\\(.)")
ESCAPED_OCTET = re.compile(rb"%([0-9a-f]{2})")
OWS = " \t"


class Token(str):
    """A bare word, told apart from a string."""

    __slots__ = ()


class DisplayString(str):
    """Text that may hold any Unicode (section 3.3.8)."""

    __slots__ = ()


class Date(int):
    """Seconds since 1970 (section 3.3.7)."""

    __slots__ = ()


Bare: TypeAlias = int | Decimal | str | bool | bytes
Params: TypeAlias = dict[str, Bare]


class Item(NamedTuple):
    value: Bare
    params: Params


class InnerList(NamedTuple):
    items: tuple[Item, ...]
    params: Params


Member: TypeAlias = Item | InnerList


def parse_item(text: str) -> Item:
    """Section 4.2, for a field that is an Item."""
    reader = Reader(text)
    item = reader.item()
    reader.end()
    return item


def parse_list(text: str) -> list[Member]:
    """Section 4.2.1."""
    reader = Reader(text)
    members: list[Member] = []
    while not reader.done():
        members.append(reader.member())
        reader.comma(len(members))
    return members


def parse_dictionary(text: str) -> dict[str, Member]:
    """Section 4.2.2."""
    reader = Reader(text)
    members: dict[str, Member] = {}
    while not reader.done():
        key, member = reader.pair()
        members[key] = member
        reader.comma(len(members))
    return members


@dataclass(slots=True)
class Reader:
    """A cursor over one field value; each method reads one production of section 4.2."""

    text: str
    at: int = field(default=0)

    def __post_init__(self) -> None:
        self.text = self.text.strip(" ")

    def done(self) -> bool:
        return self.at >= len(self.text)

    def end(self) -> None:
        if not self.done():
            raise SfvError("trailing", self.at)

    def comma(self, members: int) -> None:
        """Pass the comma to the next member, or stand at the end."""
        if members > MAX_MEMBERS:
            raise SfvError("too_many", self.at)
        self._skip(OWS)
        if self.done():
            return
        if self.text[self.at] != ",":
            raise SfvError("comma", self.at)
        self.at += 1
        self._skip(OWS)
        if self.done():
            raise SfvError("trailing_comma", self.at)

    def pair(self) -> tuple[str, Member]:
        key = self.key()
        if self._take("="):
            return key, self.member()
        return key, Item(True, self.params())

    def member(self) -> Member:
        return self._inner_list() if self._take("(") else self.item()

    def item(self) -> Item:
        return Item(self._bare(), self.params())

    def params(self) -> Params:
        found: Params = {}
        while self._take(";"):
            self._skip(" ")
            key = self.key()
            found[key] = self._bare() if self._take("=") else True
            if len(found) > MAX_PARAMS:
                raise SfvError("too_many", self.at)
        return found

    def key(self) -> str:
        return self._match(KEY, "key")[0]

    def _inner_list(self) -> InnerList:
        items: list[Item] = []
        while True:
            self._skip(" ")
            if self._take(")"):
                return InnerList(tuple(items), self.params())
            items.append(self.item())
            if len(items) > MAX_MEMBERS:
                raise SfvError("too_many", self.at)
            if self.text[self.at : self.at + 1] not in (" ", ")"):
                raise SfvError("inner_list", self.at)

    def _bare(self) -> Bare:
        first = self.text[self.at : self.at + 1]
        if first == '"':
            return ESCAPED.sub(r"\1", self._match(STRING, "string")[1])
        if first and first in "-0123456789":
            return self._number()
        if first == "?":
            return self._boolean()
        if first == ":":
            return self._binary()
        if first == "@":
            return self._date()
        if first == "%":
            return self._display()
        return Token(self._match(TOKEN, "token")[0])

    def _number(self) -> int | Decimal:
        text = self._match(NUMBER, "number")[0]
        return Decimal(text) if "." in text else int(text)

    def _boolean(self) -> bool:
        text = self.text[self.at : self.at + 2]
        if text not in ("?0", "?1"):
            raise SfvError("boolean", self.at)
        self.at += 2
        return text == "?1"

    def _binary(self) -> bytes:
        start = self.at
        text = self._match(BINARY, "binary")[1]
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            raise SfvError("binary", start) from None

    def _date(self) -> Date:
        start = self.at
        self.at += 1
        seconds = self._number()
        if isinstance(seconds, Decimal):
            raise SfvError("date", start)
        return Date(seconds)

    def _display(self) -> DisplayString:
        start = self.at
        text = self._match(DISPLAY, "display_string")[1].encode()
        try:
            octets = ESCAPED_OCTET.sub(lambda match: bytes.fromhex(match[1].decode()), text)
            return DisplayString(octets.decode())
        except UnicodeDecodeError:
            raise SfvError("display_string", start) from None

    def _match(self, pattern: re.Pattern[str], code: str) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise SfvError(code, self.at)
        self.at = match.end()
        return match

    def _take(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False

    def _skip(self, characters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1
