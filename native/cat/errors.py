"""What can be wrong with a token's bytes.

ValueError
└── CborError    not one well-formed, shortest-form item within the limits, or no COSE token
"""


class CborError(ValueError):
    """Malformed CBOR or COSE; a token that raises it is `malformed` (CAT-5, CAT-120)."""
