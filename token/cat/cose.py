"""The COSE envelope (RFC 9052; CAT-1..CAT-8): COSE_Mac0 and COSE_Sign1, optionally inside the CWT
tag 61.
"""

from dataclasses import dataclass

from cat.cbor import CborError, Tag, Value, decode, encode
from cat.errors import Refused
from cat.tables import ALGORITHM_TAGS

CWT, MAC0, SIGN1, ENCRYPT0 = 61, 17, 18, 16  # RFC 8392, 6; RFC 9052, 2
ALG, CRIT, KID = 1, 2, 4  # RFC 9052, 3.1
_CONTEXTS = {MAC0: "MAC0", SIGN1: "Signature1"}
_PARTS = {MAC0: 4, SIGN1: 4, ENCRYPT0: 3}
_SHAPE, _HEADERS = 2, 3  # steps of CAT section 10


@dataclass(frozen=True, slots=True)
class Envelope:
    """A token taken apart but not yet believed. `payload` is the received bytes, never re-encoded
    (CAT-3).
    """

    tag: int
    protected: bytes
    alg: Value
    kid: bytes | None
    payload: bytes
    claims: dict[Value, Value]
    seal: bytes  # MAC or signature
    critical: tuple[Value, ...]

    def signed_bytes(self) -> bytes:
        """RFC 9052, 4.4 (Sig_structure) and 6.3 (MAC_structure), with empty external data."""
        return sealed_structure(self.tag, self.protected, self.payload)

    def check_algorithm(self) -> int:
        """Step 3: CAT-20, CAT-22, CAT-23, then CAT-7's critical headers."""
        if type(self.alg) is not int or self.alg not in ALGORITHM_TAGS:
            raise Refused("alg", _HEADERS)
        if ALGORITHM_TAGS[self.alg] != self.tag:
            raise Refused("alg", _HEADERS)
        return self.alg

    def check_critical(self) -> None:
        if any(label not in (ALG, KID) for label in self.critical):
            raise Refused("header_crit", _HEADERS)


def parse(data: bytes) -> Envelope:
    """Step 2 of the order: every byte accounted for, or Refused("malformed")."""
    try:
        return _parse(decode(data))
    except CborError:
        raise Refused("malformed", _SHAPE) from None


def _parse(item: Value) -> Envelope:
    if isinstance(item, Tag) and item.number == CWT:
        item = item.value
    if not isinstance(item, Tag) or item.number not in _PARTS or type(item.value) is not tuple:
        raise CborError("not a tagged COSE message")
    tag, parts = item.number, item.value
    if len(parts) != _PARTS[tag]:
        raise CborError("wrong number of parts")
    protected, unprotected, payload = parts[:3]
    if type(protected) is not bytes or type(unprotected) is not dict or type(payload) is not bytes:
        raise CborError("wrong kind of part")
    headers = decode(protected) if protected else {}
    if type(headers) is not dict or headers.keys() & unprotected.keys() or CRIT in unprotected:
        raise CborError("headers are no map, doubled, or critical without protection")
    kid = headers.get(KID, unprotected.get(KID))
    if isinstance(kid, str):
        kid = kid.encode()
    critical = headers.get(CRIT, ())
    if type(critical) is not tuple or (CRIT in headers and not critical):
        raise CborError("crit is not a list of labels")
    if kid is not None and type(kid) is not bytes:
        raise CborError("kid is neither bytes nor text")
    if tag == ENCRYPT0:
        raise Refused("key", 4)  # no key of ours decrypts (CAT-12)
    seal, claims = parts[3], decode(payload)
    if type(seal) is not bytes or type(claims) is not dict:
        raise CborError("seal is not bytes or payload not a claims map")
    return Envelope(tag, protected, headers.get(ALG), kid, payload, claims, seal, critical)


def sealed_structure(tag: int, protected: bytes, payload: bytes) -> bytes:
    return encode((_CONTEXTS[tag], protected, b"", payload))


def build(tag: int, protected: bytes, kid: bytes, payload: bytes, seal: bytes) -> bytes:
    """The form we issue: inside tag 61, kid as unprotected bytes (CAT-121)."""
    return encode(Tag(CWT, Tag(tag, (protected, {KID: kid}, payload, seal))))
