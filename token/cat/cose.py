"""The COSE envelope (RFC 9052; CAT-1..CAT-8): steps 2 and 3 of the verdict, and the issued form."""

from cat.cbor import DECODER, CborError, Tag, encode
from cat.errors import Refused
from cat.tables import ALGORITHM_TAGS
from native.cat import Envelope, sealed_structure
from native.cat import parse as parse_envelope

CWT, ENCRYPT0 = 61, 16  # RFC 8392, 6; RFC 9052, 2
ALG, KID = 1, 4  # RFC 9052, 3.1
_SHAPE, _HEADERS, _KEY = 2, 3, 4  # steps of CAT section 10


def parse(data: bytes) -> Envelope:
    """Step 2 of the order: every byte accounted for, or Refused("malformed")."""
    try:
        envelope = parse_envelope(data, DECODER)
    except CborError:
        raise Refused("malformed", _SHAPE) from None
    if envelope.tag == ENCRYPT0:
        raise Refused("key", _KEY)  # no key of ours decrypts (CAT-12)
    return envelope


def check_algorithm(envelope: Envelope) -> int:
    """Step 3: CAT-20, CAT-22, CAT-23."""
    number = envelope.alg
    if type(number) is not int or ALGORITHM_TAGS.get(number) != envelope.tag:
        raise Refused("alg", _HEADERS)
    return number


def check_critical(envelope: Envelope) -> None:
    """CAT-7: critical headers that we process."""
    if any(label not in (ALG, KID) for label in envelope.critical):
        raise Refused("header_crit", _HEADERS)


def build(tag: int, protected: bytes, kid: bytes, payload: bytes, seal: bytes) -> bytes:
    """The form we issue: inside tag 61, kid as unprotected bytes (CAT-121)."""
    return encode(Tag(CWT, Tag(tag, (protected, {KID: kid}, payload, seal))))


__all__ = ["ALG", "build", "check_algorithm", "check_critical", "parse", "sealed_structure"]
