"""Token bytes: bounded strict CBOR (RFC 8949) and the COSE envelope (RFC 9052) of a Common Access
Token (specs/cat.md sections 1 and 12).

Every declared length is checked against the bytes left before anything is allocated; what is
refused is refused with `CborError`. The kernel knows no claim, key or clock.
"""

from native.cat.cbor import Decoder
from native.cat.envelope import Envelope, parse, sealed_structure
from native.cat.errors import CborError
from native.cat.model import Value
from native.cat.tag import Tag

__all__ = ["CborError", "Decoder", "Envelope", "Tag", "Value", "parse", "sealed_structure"]
