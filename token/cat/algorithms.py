"""Seals by COSE algorithm (RFC 9053; CAT-20, CAT-24..CAT-26): HS256, ES256 and PS256, each bound to
one kind of key.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

from cat.tables import ALGORITHMS

P256_ORDER = (
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-4, D.1.2.3
)
MAC_BYTES = 32
_ECDSA = ec.ECDSA(SHA256())
_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)

Secret = bytes | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Public = bytes | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Algorithm(NamedTuple):
    """How one algorithm seals and checks; both take the key first, then the sealed bytes."""

    number: int
    seal: Callable[[Secret, bytes], bytes]
    holds: Callable[[Public, bytes, bytes], bool]


def _hs256(key: Secret | Public, data: bytes) -> bytes:
    if not isinstance(key, bytes):
        raise TypeError("HS256 takes a secret of bytes")
    return hmac.digest(key, data, hashlib.sha256)


def _hs256_holds(key: Public, data: bytes, seal: bytes) -> bool:
    return len(seal) == MAC_BYTES and hmac.compare_digest(_hs256(key, data), seal)


def _es256(key: Secret, data: bytes) -> bytes:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("ES256 takes a P-256 private key")
    r, s = decode_dss_signature(key.sign(data, _ECDSA))
    s = min(s, P256_ORDER - s)  # low-S (CAT-25)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _es256_holds(key: Public, data: bytes, seal: bytes) -> bool:
    if not isinstance(key, ec.EllipticCurvePublicKey) or len(seal) != 64:
        return False
    r, s = int.from_bytes(seal[:32], "big"), int.from_bytes(seal[32:], "big")
    if not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        return False
    try:
        key.verify(encode_dss_signature(r, s), data, _ECDSA)
    except InvalidSignature:
        return False
    return True


def _ps256(key: Secret, data: bytes) -> bytes:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("PS256 takes an RSA private key")
    return key.sign(data, _PSS, SHA256())


def _ps256_holds(key: Public, data: bytes, seal: bytes) -> bool:
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(seal, data, _PSS, SHA256())
    except InvalidSignature:
        return False
    return True


def is_high_s(number: int, seal: bytes) -> bool:
    """Whether an ES256 seal has the larger of its two valid s values (CAT-25)."""
    return number == ALGORITHMS["ES256"] and int.from_bytes(seal[32:], "big") > P256_ORDER // 2


BY_NAME = {
    "HS256": Algorithm(ALGORITHMS["HS256"], _hs256, _hs256_holds),
    "ES256": Algorithm(ALGORITHMS["ES256"], _es256, _es256_holds),
    "PS256": Algorithm(ALGORITHMS["PS256"], _ps256, _ps256_holds),
}


class Cipher(NamedTuple):
    """Content encryption (RFC 9053, 4.1; CAT-12)."""

    number: int
    key_bytes: int


CIPHERS = {"A128GCM": Cipher(1, 16), "A256GCM": Cipher(3, 32)}
BY_NUMBER = {algorithm.number: algorithm for algorithm in BY_NAME.values()}
