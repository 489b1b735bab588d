"""Token bytes: bounded strict CBOR (RFC 8949) and the COSE envelope (RFC 9052) of a Common Access
Token (specs/cat.md sections 1 and 12).

Every declared length is checked against the bytes left before anything is allocated; what is
refused is refused with `CborError`. `Fast` says yes, and only yes, to tokens in their common form
(fast.pyx); the claims it knows are generated from the one claim table (labels.pxd).
"""

from native.cat.cbor import Decoder
from native.cat.envelope import Envelope, parse, sealed_structure
from native.cat.epoch import Epoch
from native.cat.errors import CborError
from native.cat.fast import Fast, Sealer
from native.cat.judge import Rules
from native.cat.model import Value
from native.cat.namer import SECRET_BYTES, Namer
from native.cat.plan import Plan
from native.cat.request import Request
from native.cat.tag import Tag
from native.cat.verdict import Verdict

__all__ = [
    "SECRET_BYTES",
    "CborError",
    "Decoder",
    "Envelope",
    "Epoch",
    "Fast",
    "Namer",
    "Plan",
    "Request",
    "Rules",
    "Sealer",
    "Tag",
    "Value",
    "Verdict",
    "parse",
    "sealed_structure",
]
