"""The COSE envelope of a token (RFC 9052; specs/cat.md CAT-1..CAT-8)."""

from typing import final

from native.cat.cbor import Decoder
from native.cat.model import Value

@final
class Envelope:
    """A token taken apart but not yet believed; `parse` makes it.

    `payload` and `protected` are the received bytes (CAT-3); `claims` and `seal` are empty for
    COSE_Encrypt0, whose payload is ciphertext (CAT-12). `seal` is the MAC or signature. `alg` is
    what the protected headers say; `names_alg` is whether any header says it (CAT-23).
    """

    tag: int
    protected: bytes
    alg: Value
    names_alg: bool
    kid: bytes | None
    iv: bytes | None
    critical: tuple[Value, ...]
    payload: bytes
    claims: dict[Value, Value]
    seal: bytes

    def signed_bytes(self) -> bytes:
        """What the seal covers; see `sealed_structure`."""

def parse(data: bytes, decoder: Decoder) -> Envelope:
    """COSE_Mac0, COSE_Sign1 or COSE_Encrypt0, optionally inside tag 61; else CborError."""

def sealed_structure(tag: int, protected: bytes, payload: bytes) -> bytes:
    """RFC 9052, 4.4 (Sig_structure) and 6.3 (MAC_structure), with empty external data.

    `tag` is that of COSE_Mac0 or COSE_Sign1.
    """
