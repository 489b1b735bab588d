"""The steering manifest, one form for HLS and DASH: PATHWAY-PRIORITY is the key in both (ST-13).

Source: draft-pantos-hls-rfc8216bis-22 section 7.1, ETSI TS 103 998 clause 7; ST-10..ST-18, ST-52.
"""

import hashlib
from collections.abc import Collection, Sequence

import msgspec

from . import clones as clone_rules
from .clones import Clone
from .errors import EmitError
from .pathways import is_pathway_id

VERSION = 1
CONTENT_TYPE = "application/json"
JITTER = 0.1  # of the TTL, either way (ST-52)


def emit(
    order: Sequence[str],
    *,
    ttl_s: int,
    reload_uri: str,
    declared: Collection[str],
    clones: Sequence[Clone] = (),
) -> bytes:
    """The manifest as JSON; EmitError rather than anything a player would refuse."""
    clone_rules.check(clones, declared)
    known = {*declared, *(clone.id for clone in clones)}
    if not order or len(set(order)) != len(order) or not all(map(is_pathway_id, order)):
        raise EmitError("priority", "ids must be legal, unique and at least one")
    if not known.intersection(order):
        raise EmitError("priority_unknown", "the content declares none of the ids")
    if ttl_s < 1:
        raise EmitError("ttl", "a TTL is a positive number of seconds")
    if not reload_uri.startswith(("http://", "https://")):
        raise EmitError("reload_uri", "players resolve a relative one in four ways (ST-14)")
    manifest: dict[str, object] = {
        "VERSION": VERSION,
        "TTL": ttl_s,
        "RELOAD-URI": reload_uri,
        "PATHWAY-PRIORITY": list(order),
    }
    if clones:
        manifest["PATHWAY-CLONES"] = [clone.to_json() for clone in clones]
    return msgspec.json.encode(manifest)


def jittered(ttl_s: int, session_id: str, poll: int) -> int:
    """The TTL of one answer: within 10 %, by session and poll, the same when repeated."""
    digest = hashlib.blake2b(f"{session_id}/{poll}".encode(), digest_size=4).digest()
    share = int.from_bytes(digest, "big") / 0xFFFF_FFFF
    return max(1, round(ttl_s * (1 - JITTER + 2 * JITTER * share)))
