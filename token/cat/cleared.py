"""Tokens of which a store said a moment ago that no list names them, so that a `Verifier` may
accept them again without asking (CAT-73): a revocation takes effect within `for_s`.
"""

from collections.abc import Mapping
from typing import Final

from cat.cbor import Value
from cat.revocation import Finding, names_of
from cat.tables import LABELS
from native.cat import Epoch

MOST: Final = 65_536  # tokens of one moment
_Name = tuple[object, ...]


class Cleared:
    """What a `Guard` found, as the `revoked` of a verifier beside it: unknown tokens are refused
    with `store`, for the guard to judge.
    """

    def __init__(self, for_s: float = 1.0, most: int = MOST) -> None:
        self.epoch = Epoch()
        self.epoch.fresh_until = 0
        self._for_s = for_s
        self._most = most
        self._names: set[_Name] = set()

    def __len__(self) -> int:
        return len(self._names)

    def note(self, claims: Mapping[Value, Value], kid: str | None, now: float) -> None:
        """The store, asked at `now`, lists nothing of this token."""
        if not 0 < self.epoch.fresh_until - now <= self._for_s:  # over, or the clock went back
            self._names.clear()
            self.epoch.move()
            self.epoch.fresh_until = now + self._for_s
        if len(self._names) < self._most:
            self._names.add(_name(claims, kid))

    def finds(self, claims: Mapping[Value, Value], kid: str | None, now: float) -> Finding | None:
        known = now < self.epoch.fresh_until and _name(claims, kid) in self._names
        return None if known else Finding("store", None)


def _name(claims: Mapping[Value, Value], kid: str | None) -> _Name:
    """Everything that a list can go by."""
    named = (name for name, _ in names_of(claims, kid))
    return (*named, claims.get(LABELS["iss"]), claims.get(LABELS["iat"]))
