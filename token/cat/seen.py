"""Tokens already verified (CAT-101): what steps 1 to 7 of CAT section 10 found, so that a token
seen again costs its judgement only.

Rules of the file: only a token whose seal and forms held is kept; nothing that a request, a clock
or a list could change is kept (steps 8 to 17 run each time, and so does the key's own life,
CAT-28); a new key set finds nothing of an old one. Tokens are known by their SHA-256, so that none
can be read out of memory.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from cat.cbor import Value
from cat.context import Options
from cat.keys import Key, KeySet
from cat.tables import LIMITS

_Name = tuple[bytes, int, tuple[str, ...]]


class Believed(NamedTuple):
    """The key whose seal held, the labelled claims and their bytes."""

    key: Key
    claims: Mapping[Value, Value]
    payload: bytes


class Seen:
    """The `most` tokens used last. One per process; hand it to `verify`."""

    def __init__(self, most: int = 4096) -> None:
        if most < 1:
            raise ValueError("most is at least 1")
        self.most = most
        self._believed: OrderedDict[_Name, Believed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._believed)

    def get(self, token: str, keys: KeySet, options: Options, now: float) -> Believed | None:
        """What is known of a token, while the key that sealed it is live."""
        name = _name(token, keys, options)
        believed = None if name is None else self._believed.get(name)
        if name is None or believed is None or not believed.key.live(now):
            return None
        self._believed.move_to_end(name)
        return believed

    def put(self, token: str, keys: KeySet, options: Options, believed: Believed) -> None:
        """Keep a token whose steps 1 to 7 passed; the one used longest ago makes room."""
        name = _name(token, keys, options)
        if name is None:
            return
        self._believed[name] = believed._replace(claims=MappingProxyType(believed.claims))
        self._believed.move_to_end(name)
        if len(self._believed) > self.most:
            self._believed.popitem(last=False)


def _name(token: str, keys: KeySet, options: Options) -> _Name | None:
    """The token with everything of the verifier that steps 1 to 7 depend on; None for a text that
    cannot be a token.
    """
    if len(token) > LIMITS.encoded_chars or not token.isascii():
        return None
    digest = hashlib.sha256(token.encode()).digest()
    return digest, keys.version, options.reading
