"""The steering manifest, one form for HLS and DASH: PATHWAY-PRIORITY is the key in both (ST-13).

Source: draft-pantos-hls-rfc8216bis-22 section 7.1, ETSI TS 103 998 clause 7; ST-10..ST-18, ST-52.
"""

import hashlib
import zlib
from collections.abc import Collection, Sequence

import msgspec

from native.router.shares import noise

from . import clones as clone_rules
from .clones import Clone
from .errors import EmitError
from .pathways import is_pathway_id
from .rules.rule import LOTS

VERSION = 1
CONTENT_TYPE = "application/json"
JITTER = 0.1  # of the TTL, either way (ST-52)


class Mold:
    """A manifest that lacks only TTL and RELOAD-URI: checked once, filled many times."""

    __slots__ = ("_rest", "order")

    def __init__(
        self, order: Sequence[str], *, declared: Collection[str], clones: Sequence[Clone] = ()
    ) -> None:
        """EmitError rather than anything a player would refuse."""
        clone_rules.check(clones, declared)
        known = {*declared, *(clone.id for clone in clones)}
        if not order or len(set(order)) != len(order) or not all(map(is_pathway_id, order)):
            raise EmitError("priority", "ids must be legal, unique and at least one")
        if not known.intersection(order):
            raise EmitError("priority_unknown", "the content declares none of the ids")
        rest: dict[str, object] = {"PATHWAY-PRIORITY": list(order)}
        if clones:
            rest["PATHWAY-CLONES"] = [clone.to_json() for clone in clones]
        self.order = tuple(order)
        self._rest = msgspec.json.encode(rest)[1:]

    def fill(self, ttl_s: int, reload_uri: str) -> bytes:
        """The manifest as JSON."""
        if ttl_s < 1:
            raise EmitError("ttl", "a TTL is a positive number of seconds")
        if not reload_uri.startswith(("http://", "https://")):
            raise EmitError("reload_uri", "players resolve a relative one in four ways (ST-14)")
        uri = msgspec.json.encode(reload_uri)
        return b'{"VERSION":%d,"TTL":%d,"RELOAD-URI":%b,%b' % (VERSION, ttl_s, uri, self._rest)


def emit(
    order: Sequence[str],
    *,
    ttl_s: int,
    reload_uri: str,
    declared: Collection[str],
    clones: Sequence[Clone] = (),
) -> bytes:
    """One manifest; EmitError as for `Mold`."""
    return Mold(order, declared=declared, clones=clones).fill(ttl_s, reload_uri)


def origin(session_id: str) -> tuple[int, int]:
    """A session's lot, which is for good, and what the seeds of its decisions come from."""
    name = session_id.encode()
    digest = hashlib.blake2b(name, digest_size=8).digest()
    return zlib.crc32(name) % LOTS, int.from_bytes(digest, "big")


def drawn(origin: tuple[int, int], poll: int) -> tuple[int, int]:
    """A session's lot, and the seed of one of its decisions."""
    return origin[0], noise(origin[1], poll)


def jittered(ttl_s: int, seed: int) -> int:
    """The TTL of one answer: within 10 %, by the seed of its decision (ST-52)."""
    share = (seed & 0xFFFF_FFFF) / 0xFFFF_FFFF
    return max(1, round(ttl_s * (1 - JITTER + 2 * JITTER * share)))
