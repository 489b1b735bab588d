"""The COSE envelope (RFC 9052; CAT-1..CAT-8): steps 2 and 3 of the verdict, and the issued form."""

from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cat.algorithms import CIPHERS, Public
from cat.cbor import DECODERS, CborError, Tag, encode
from cat.errors import Refused
from cat.tables import ALGORITHM_TAGS
from native.cat import Envelope, sealed_structure
from native.cat import parse as parse_envelope

CWT, ENCRYPT0 = 61, 16  # RFC 8392, 6; RFC 9052, 2
ALG, KID = 1, 4  # RFC 9052, 3.1
IV = 5
IV_BYTES = 12
CIPHER_NUMBERS: Final = frozenset(cipher.number for cipher in CIPHERS.values())
_SHAPE, _HEADERS = 2, 3  # steps of CAT section 10


def parse(data: bytes, forms: Literal["strict", "lenient"] = "strict") -> Envelope:
    """Step 2 of the order: every byte accounted for, or Refused("malformed"); CAT-5."""
    try:
        return parse_envelope(data, DECODERS[forms])
    except CborError:
        raise Refused("malformed", _SHAPE) from None


def check_algorithm(envelope: Envelope) -> int:
    """Step 3: CAT-20, CAT-22, CAT-23."""
    number = envelope.alg
    if type(number) is not int or ALGORITHM_TAGS.get(number) != envelope.tag:
        raise Refused("alg", _HEADERS)
    return number


def check_critical(envelope: Envelope) -> None:
    """CAT-7: critical headers that we process."""
    if any(label not in (ALG, KID, IV) for label in envelope.critical):
        raise Refused("header_crit", _HEADERS)


def _associated(protected: bytes) -> bytes:
    """RFC 9052, 5.3."""
    return encode(("Encrypt0", protected, b""))


def decrypt(key: Public, iv: bytes, sealed: bytes, protected: bytes) -> bytes | None:
    """The plaintext of COSE_Encrypt0, or None when it was not made with this key."""
    assert isinstance(key, bytes)
    try:
        return AESGCM(key).decrypt(iv, sealed, _associated(protected))
    except InvalidTag:
        return None


def encrypt(number: int, kid: bytes, key: bytes, iv: bytes, plain: bytes) -> bytes:
    """COSE_Encrypt0 around a token's bytes (CAT-12)."""
    protected = encode({ALG: number})
    sealed = AESGCM(key).encrypt(iv, plain, _associated(protected))
    return encode(Tag(CWT, Tag(ENCRYPT0, (protected, {KID: kid, IV: iv}, sealed))))


def build(tag: int, protected: bytes, kid: bytes, payload: bytes, seal: bytes) -> bytes:
    """The form we issue: inside tag 61, kid as unprotected bytes (CAT-121)."""
    return encode(Tag(CWT, Tag(tag, (protected, {KID: kid}, payload, seal))))


__all__ = [
    "ALG",
    "CIPHER_NUMBERS",
    "ENCRYPT0",
    "IV_BYTES",
    "build",
    "check_algorithm",
    "check_critical",
    "decrypt",
    "encrypt",
    "parse",
    "sealed_structure",
]
