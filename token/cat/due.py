"""What only a store can decide of a token (CAT-70..CAT-75, CAT-83): left pending by the verdict,
and settled in order of evaluation by a `Guard`.

Keys are hashes: a store holds no issuer, no id and no token.
"""

import hashlib
from dataclasses import dataclass

from cat import cbor


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of possession that is accepted once within `ttl_s` (CAT-83)."""

    key: str
    ttl_s: float
    step: int = 15
    claim: str = "cnf"


@dataclass(frozen=True, slots=True)
class Portion:
    """An id that is refused with `probability`, and then until `ttl_s` from now (CAT-75)."""

    key: str
    probability: float
    ttl_s: float
    step: int = 16
    claim: str = "catpor"


@dataclass(frozen=True, slots=True)
class Use:
    """A token that is accepted once (CAT-70); `revoke` names what a second use revokes."""

    key: str
    ttl_s: float
    revoke: str | None
    step: int = 17
    claim: str = "catreplay"


Due = Proof | Portion | Use


def name(kind: str, *parts: object) -> str:
    """A store key: `kind` and a hash of the parts, which cannot run into one another."""
    return f"cat:{kind}:{hashlib.sha256(cbor.encode(parts)).hexdigest()[:40]}"
