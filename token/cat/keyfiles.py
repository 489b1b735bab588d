"""Key sets in other people's forms: JWK Set (RFC 7517), COSE_KeySet (RFC 9052, 7), a sealed file
(AES-256-GCM), an environment variable; and the join of two sets while keys rotate (CAT-28).
"""

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cat import cbor
from cat.algorithms import BY_NAME, CIPHERS
from cat.cbor import CborError
from cat.errors import KeyFileError
from cat.keys import Key, KeySet
from cat.text import to_text

MAGIC: Final = b"HWKEYS1\n"
NONCE_BYTES: Final = 12
_COSE_ALG: Final = {
    **{name: algorithm.number for name, algorithm in BY_NAME.items()},
    **{name: cipher.number for name, cipher in CIPHERS.items()},
}
_ALG_OF: Final = {number: name for name, number in _COSE_ALG.items()}
KTY, KID, ALG = 1, 2, 3  # RFC 9052, 7.1
OCTETS, POINT, RSA = 4, 2, 3  # RFC 9053, 7; RFC 8230, 4
_RSA_PARTS: Final = {"n": -1, "e": -2, "d": -3}
_POINT_PARTS: Final = {"x": -2, "y": -3, "d": -4}


def members_of(key: Key, *, private: bool = False) -> dict[str, object]:
    """One key in the file form; without `private` only what everybody may know."""
    members: dict[str, object] = {"kid": key.kid, "alg": key.alg}
    if key.not_before is not None:
        members["nbf"] = key.not_before
    if key.not_after is not None:
        members["exp"] = key.not_after
    if key.issuer:
        members["issuer"] = True
    return members | {name: to_text(data) for name, data in _parts(key, private).items()}


def jwks(keys: Iterable[Key], *, private: bool = False) -> dict[str, list[dict[str, object]]]:
    """A JWK Set. Secrets of MACs and ciphers are in it only with `private`."""
    return {
        "keys": [
            {"kty": _kind(key), "use": "enc" if key.alg in CIPHERS else "sig"}
            | ({"crv": "P-256"} if key.alg == "ES256" else {})
            | members_of(key, private=private)
            for key in keys
            if private or not isinstance(key.public, bytes)
        ]
    }


def cose_key_set(keys: Iterable[Key], *, private: bool = False) -> bytes:
    """A COSE_KeySet; the same keys as `jwks` would give."""
    made = []
    for key in keys:
        if isinstance(key.public, bytes) and not private:
            continue
        head: dict[object, object] = {KID: key.kid.encode(), ALG: _COSE_ALG[key.alg]}
        parts = _parts(key, private)
        if key.alg == "ES256":
            head |= {KTY: POINT, -1: 1} | {_POINT_PARTS[n]: v for n, v in parts.items()}
        elif key.alg == "PS256":
            head |= {KTY: RSA} | {_RSA_PARTS[n]: v for n, v in parts.items()}
        else:
            head |= {KTY: OCTETS, -1: parts["k"]}
        made.append(head)
    return cbor.encode(made)


def from_cose_key_set(data: bytes) -> KeySet:
    """The keys of a COSE_KeySet whose algorithms are ours; KeyFileError for a malformed one."""
    try:
        found = cbor.decode(data)
    except CborError as error:
        raise KeyFileError(f"not a COSE_KeySet: {error}") from None
    if not isinstance(found, tuple) or not all(isinstance(key, dict) for key in found):
        raise KeyFileError("a COSE_KeySet is an array of maps")
    return KeySet.from_json([_from_cose(index, key) for index, key in enumerate(found)])  # type: ignore[arg-type]


def _from_cose(index: int, key: Mapping[Any, Any]) -> dict[str, object]:
    alg, kid = _ALG_OF.get(key.get(ALG)), key.get(KID)  # type: ignore[arg-type]
    names = {POINT: _POINT_PARTS, RSA: _RSA_PARTS, OCTETS: {"k": -1}}.get(key.get(KTY))  # type: ignore[arg-type]
    if alg is None or names is None or not isinstance(kid, bytes):
        raise KeyFileError(f"key {index}: its kid, alg or kty is not one we know")
    if key.get(KTY) == POINT and key.get(-1) != 1:
        raise KeyFileError(f"key {index}: the curve is not P-256")
    try:
        members: dict[str, object] = {"kid": kid.decode(), "alg": alg}
    except UnicodeDecodeError:
        raise KeyFileError(f"key {index}: its kid is not text") from None
    for name, label in names.items():
        if isinstance(key.get(label), bytes):
            members[name] = to_text(key[label])
    return members


def seal(keys: Iterable[Key], secret: bytes, *, nonce: bytes | None = None) -> bytes:
    """A file that only the holder of the 32-byte `secret` reads."""
    plain = json.dumps(jwks(keys, private=True)).encode()
    nonce = nonce or secrets.token_bytes(NONCE_BYTES)
    return MAGIC + nonce + AESGCM(_checked(secret)).encrypt(nonce, plain, MAGIC)


def unseal(data: bytes, secret: bytes) -> KeySet:
    """The keys of a sealed file; KeyFileError when it was changed or sealed with another secret."""
    if not data.startswith(MAGIC):
        raise KeyFileError("not a sealed key file")
    nonce, sealed = data[len(MAGIC) :][:NONCE_BYTES], data[len(MAGIC) + NONCE_BYTES :]
    try:
        plain = AESGCM(_checked(secret)).decrypt(nonce, sealed, MAGIC)
    except (InvalidTag, ValueError):
        raise KeyFileError("the key file was sealed with another secret, or changed") from None
    return KeySet.from_json(json.loads(plain)["keys"])


def _checked(secret: bytes) -> bytes:
    if len(secret) != 32:
        raise KeyFileError("a key file's secret has 32 bytes")
    return secret


def from_environment(environment: Mapping[str, str], name: str = "HEADWATER_TOKEN_KEYS") -> KeySet:
    """A key set in a variable, as JSON or base64 of it."""
    text = environment.get(name, "")
    if not text:
        raise KeyFileError(f"{name} is not set")
    try:
        found = json.loads(text if text.lstrip()[0] in "[{" else base64.b64decode(text))
    except (ValueError, IndexError):
        raise KeyFileError(f"{name} is not a key set") from None
    return KeySet.from_json(found["keys"] if isinstance(found, dict) and "keys" in found else found)


def rotated(keys: KeySet, fresh: Key, *, now: float, overlap_s: float) -> KeySet:
    """The set with a new key that signs from now on; what could sign so far only verifies, until
    `overlap_s` from now (CAT-28).
    """
    kept = [
        Key(
            *(key.kid, key.alg, key.public, None, key.not_before),
            min(key.not_after or now + overlap_s, now + overlap_s),
        )
        for key in keys
        if key.alg in BY_NAME and (key.not_after is None or key.not_after > now)
    ]
    ciphers = [key for key in keys if key.alg in CIPHERS]
    return KeySet([fresh, *kept, *ciphers])


def _kind(key: Key) -> str:
    return {"ES256": "EC", "PS256": "RSA"}.get(key.alg, "oct")


def _parts(key: Key, private: bool) -> dict[str, bytes]:
    public, secret = key.public, key.secret
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        parts = {"x": point.x.to_bytes(32, "big"), "y": point.y.to_bytes(32, "big")}
        if private and isinstance(secret, ec.EllipticCurvePrivateKey):
            parts["d"] = secret.private_numbers().private_value.to_bytes(32, "big")
        return parts
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        parts = {"n": _octets(numbers.n), "e": _octets(numbers.e)}
        if private and isinstance(secret, rsa.RSAPrivateKey):
            parts["d"] = _octets(secret.private_numbers().d)
        return parts
    return {"k": public} if private else {}


def _octets(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


__all__ = [
    "cose_key_set",
    "from_cose_key_set",
    "from_environment",
    "jwks",
    "members_of",
    "rotated",
    "seal",
    "unseal",
]
