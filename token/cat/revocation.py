"""Revocation by cti, sub, kid, or issuer and time of issue (CAT-73), and its snapshot for edges: a
Bloom filter in a file.

An entry is known by a hash of its kind and value, so that no list names a viewer. A snapshot says
"maybe" of what it holds and, rarely, of what it does not; where the exact list is at hand it has
the last word. One that is older than its `max_age_s` answers as `stale` says: by default tokens
that name a key are refused until there is a newer one, the others pass.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final, Literal, NamedTuple, Protocol

from cat import cbor
from cat.cbor import CborError, Value
from cat.errors import CatError
from cat.tables import LABELS
from native.cat import Epoch

NAME_BYTES: Final = 16
MAGIC: Final = b"HWRV\x01"
_HEAD: Final = struct.Struct(">5sBxxdQ")  # magic, hashes, made at, bits
MAX_BITS: Final = 1 << 31
KINDS: Final = ("cti", "sub", "kid", "use")  # use: (iss, cti) of a token that came twice, CAT-70


class SnapshotError(CatError):
    """Not a snapshot of ours."""


class Finding(NamedTuple):
    reason: Literal["revoked", "store"]
    claim: str | None


class Revoked(Protocol):
    """What a verifier asks of a list; `epoch` moves when an answer could change."""

    epoch: Epoch

    def finds(self, claims: Mapping[Value, Value], kid: str | None, now: float) -> Finding | None:
        """Why a token is revoked, or None."""


def name_of(kind: str, *parts: object) -> bytes:
    """The name of an entry: cti as bytes, sub and kid as text, use as issuer and cti."""
    return hashlib.sha256(cbor.encode((kind, *parts))).digest()[:NAME_BYTES]


def names_of(claims: Mapping[Value, Value], kid: str | None) -> Iterator[tuple[bytes, str | None]]:
    """Every name that would revoke this token, each with the claim it is about."""
    cti, sub = claims.get(LABELS["cti"]), claims.get(LABELS["sub"])
    if isinstance(cti, bytes):
        yield name_of("cti", cti), "cti"
        yield name_of("use", claims.get(LABELS["iss"]), cti), "cti"
    if isinstance(sub, str):
        yield name_of("sub", sub), "sub"
    if kid is not None:
        yield name_of("kid", kid), None


def _too_early(before: Mapping[str, float], claims: Mapping[Value, Value]) -> bool:
    """Issued by this issuer before its line, or who knows when."""
    issuer, at = claims.get(LABELS["iss"]), claims.get(LABELS["iat"])
    if not isinstance(issuer, str) or issuer not in before:
        return False
    return not isinstance(at, int | float) or at < before[issuer]


class Revocations:
    """The exact list, in memory. An entry counts until `forget` finds its time over."""

    def __init__(self) -> None:
        self.epoch = Epoch()
        self._until: dict[bytes, float] = {}
        self._before: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until) + len(self._before)

    def revoke(self, kind: str, *parts: object, until: float = math.inf) -> None:
        """Revoke one cti, sub, kid or use until an epoch second."""
        if kind not in KINDS:
            raise ValueError(f"a kind is one of {', '.join(KINDS)}")
        name = name_of(kind, *parts)
        self._until[name] = max(until, self._until.get(name, -math.inf))
        self.epoch.move()

    def revoke_before(self, issuer: str, before: float) -> None:
        """Revoke what an issuer issued before an epoch second; the line only moves on."""
        self._before[issuer] = max(before, self._before.get(issuer, -math.inf))
        self.epoch.move()

    @property
    def before(self) -> Mapping[str, float]:
        """The lines of issuers."""
        return self._before

    def forget(self, now: float) -> None:
        """Drop entries whose time is over."""
        self._until = {name: until for name, until in self._until.items() if until > now}

    def __contains__(self, name: bytes) -> bool:
        return name in self._until

    def finds(self, claims: Mapping[Value, Value], kid: str | None, now: float) -> Finding | None:
        for name, claim in names_of(claims, kid):
            if name in self:
                return Finding("revoked", claim)
        return Finding("revoked", "iss") if _too_early(self._before, claims) else None

    def snapshot(self, now: float, false_positives: float = 1e-4) -> bytes:
        """The filter of what is revoked now, as a file's bytes (Bloom 1970; optimal bits and
        hashes).
        """
        names = self.names(now)
        hashes, bits = shape(len(names), false_positives)
        table = bytearray((bits + 7) // 8)
        for name in names:
            for place in places(name, hashes, bits):
                table[place >> 3] |= 1 << (place & 7)
        return packed(MAGIC, hashes, now, bits, bytes(table), self._before)

    def names(self, now: float) -> list[bytes]:
        """The entries that count now."""
        return [name for name, until in self._until.items() if until > now]


class Snapshot:
    """A snapshot as an edge holds it; `exact` confirms what the filter only suspects."""

    _magic: ClassVar[bytes] = MAGIC
    _cell_bits: ClassVar[int] = 1

    def __init__(
        self,
        data: bytes,
        *,
        max_age_s: float = math.inf,
        stale: Literal["kid", "open", "closed"] = "kid",
        exact: Callable[[bytes], bool] | None = None,
    ) -> None:
        if len(data) < _HEAD.size:
            raise SnapshotError("too short")
        magic, self._hashes, made_at, self._cells = _HEAD.unpack_from(data)
        self.made_at: float = made_at
        size = (self._cells * self._cell_bits + 7) // 8
        if magic != self._magic or not 1 <= self._hashes <= 30 or not 0 < self._cells <= MAX_BITS:
            raise SnapshotError("not a snapshot of this version")
        if len(data) < _HEAD.size + size or not math.isfinite(self.made_at):
            raise SnapshotError("cut short")
        self._table = data[_HEAD.size : _HEAD.size + size]
        self._before = _lines(data[_HEAD.size + size :])
        self._stale = stale
        self._exact = exact
        self.epoch = Epoch()
        self.epoch.fresh_until = self.made_at + max_age_s

    def __contains__(self, name: bytes) -> bool:
        return all(
            self._table[place >> 3] & 1 << (place & 7)
            for place in places(name, self._hashes, self._cells)
        )

    def is_stale(self, now: float) -> bool:
        """For a metric: whether the list is older than it may be."""
        return now >= self.epoch.fresh_until

    def finds(self, claims: Mapping[Value, Value], kid: str | None, now: float) -> Finding | None:
        for name, claim in names_of(claims, kid):
            if name in self and (self._exact is None or self._exact(name)):
                return Finding("revoked", claim)
        if _too_early(self._before, claims):
            return Finding("revoked", "iss")
        closed = self._stale == "closed" or (self._stale == "kid" and kid is not None)
        return Finding("store", None) if closed and self.is_stale(now) else None


def shape(entries: int, false_positives: float) -> tuple[int, int]:
    """Hashes and cells of the smallest filter for so many entries (Bloom 1970)."""
    cells = max(64, math.ceil(-entries * math.log(false_positives) / math.log(2) ** 2))
    return min(max(1, round(cells / max(entries, 1) * math.log(2))), 30), cells


def packed(
    magic: bytes, hashes: int, now: float, cells: int, table: bytes, before: Mapping[str, float]
) -> bytes:
    """A snapshot's file."""
    return _HEAD.pack(magic, hashes, now, cells) + table + cbor.encode(dict(before))


def places(name: bytes, hashes: int, bits: int) -> Iterator[int]:
    """Kirsch and Mitzenmacher 2006: two halves of the name make all hashes."""
    first, step = int.from_bytes(name[:8], "big"), int.from_bytes(name[8:], "big") | 1
    for number in range(hashes):
        yield (first + number * step) % bits


def _lines(data: bytes) -> dict[str, float]:
    try:
        lines = cbor.decode(data)
    except CborError:
        raise SnapshotError("the lines of issuers are malformed") from None
    if not isinstance(lines, dict):
        raise SnapshotError("the lines of issuers are no map")
    before: dict[str, float] = {}
    for issuer, at in lines.items():
        if not isinstance(issuer, str) or not isinstance(at, int | float):
            raise SnapshotError("a line of an issuer is malformed")
        before[issuer] = at
    return before
