"""Proof of possession (RFC 9449; CAT-80..CAT-83): the request is signed by the key the token names.

The public key comes with the proof; that it is the right one is its thumbprint's word alone
(RFC 7638). Only ES256 and PS256 are listened to.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from cat.algorithms import BY_NAME
from cat.context import Case, without_token
from cat.due import Proof, name
from cat.errors import KeyFileError
from cat.keys import key_of
from cat.text import from_text, to_text

PROOF_CHARS: Final = 4096
JTI_CHARS: Final = 128
WINDOW_S: Final = 300  # CAT-83
WINDOW, JTI, CRIT = 0, 1, -1
_JWS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_MEMBERS: Final = {"ES256": ("crv", "kty", "x", "y"), "PS256": ("e", "kty", "n")}  # RFC 7638, 3.2
_KINDS: Final = {"ES256": {"kty": "EC", "crv": "P-256"}, "PS256": {"kty": "RSA"}}


@dataclass(frozen=True, slots=True)
class _Signed:
    thumbprint: bytes
    claims: dict[str, Any]


def holds(proof: str, jkt: bytes, rules: dict[int, Any], case: Case) -> bool | None:
    """Whether a proof fits key, request and token; None where a setting cannot be honoured."""
    if CRIT in rules:
        return None
    signed = _signed(proof)
    if signed is None or not hmac.compare_digest(signed.thumbprint, jkt):
        return False
    window_s, claims = rules.get(WINDOW, WINDOW_S), signed.claims
    jti, made_at = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or not 0 < len(jti) <= JTI_CHARS:
        return False
    if isinstance(made_at, bool) or not isinstance(made_at, int | float):
        return False
    if not abs(case.context.now - made_at) <= window_s:
        return False
    if claims.get("htm") != case.context.method or not _is_same(claims.get("htu"), case):
        return False
    if not _names_token(claims, case):
        return False
    if rules.get(JTI) == 1:
        if not case.options.settled:
            return None
        case.pending.append(Proof(name("jti", jkt, jti), made_at + window_s - case.context.now + 1))
    return True


def thumbprint(jwk: dict[str, Any], alg: str) -> bytes:
    """RFC 7638 with SHA-256: the required members alone, sorted."""
    members = {member: jwk[member] for member in _MEMBERS[alg]}
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def _is_same(htu: object, case: Case) -> bool:
    """RFC 9449, 4.3: the URI without query and fragment, in normal form; ours also without the
    token's segment (CAT-82).
    """
    if not isinstance(htu, str) or len(htu) > PROOF_CHARS:
        return False
    there = without_token(re.split(r"[?#]", htu, maxsplit=1)[0], case.options)
    here = without_token(case.context.uri.partition("?")[0], case.options)
    return there is not None and there == here


def _names_token(claims: dict[str, Any], case: Case) -> bool:
    if "ath" not in claims:
        return not case.options.dpop_ath
    wanted = to_text(hashlib.sha256(case.token.encode()).digest())
    return isinstance(claims["ath"], str) and hmac.compare_digest(
        claims["ath"].encode(), wanted.encode()
    )


def _signed(proof: str) -> _Signed | None:
    """Header, key and signature of RFC 9449, 4.3 (RFC 7515)."""
    parts = _JWS.fullmatch(proof) if len(proof) <= PROOF_CHARS else None
    if parts is None:
        return None
    try:
        header, claims = _object(parts[1]), _object(parts[2])
        seal = from_text(parts[3])
    except ValueError:
        return None
    alg, jwk = header.get("alg"), header.get("jwk")
    if header.get("typ") != "dpop+jwt" or not isinstance(alg, str) or alg not in _KINDS:
        return None
    if not isinstance(jwk, dict) or "crit" in header:
        return None
    if {"d", "p", "q", "dp", "dq", "qi", "k"} & jwk.keys():
        return None  # a private key is no proof's business
    if any(jwk.get(member) != value for member, value in _KINDS[alg].items()):
        return None
    try:
        key = key_of({**jwk, "kid": "proof", "alg": alg})
    except KeyFileError:
        return None
    if not BY_NAME[alg].holds(key.public, f"{parts[1]}.{parts[2]}".encode(), seal):
        return None
    return _Signed(thumbprint(jwk, alg), claims)


def _object(text: str) -> dict[str, Any]:
    """A JSON object without doubled names; ValueError otherwise."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name is doubled")
        return found

    try:
        found = json.loads(from_text(text), object_pairs_hook=unique)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
