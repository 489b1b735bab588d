"""What protection refuses; no message ever holds a key, an IV of cenc or a body (PR-140).

OriginError
└── ProtectionError   code and status from CODES
"""

from origin.errors import OriginError

CODES: dict[str, int] = {
    "no_key": 503,  # media without a key is no media (PR-43)
    "iv_equals_key": 502,  # a source that would publish its key in tenc (PR-19)
    "bad_key": 502,  # a kid, key or IV of the wrong form
    "bad_scheme": 500,  # a scheme, pattern or system that does not go with the other (PR-2, PR-170)
    "double": 415,  # media that is protected already (PR-153)
    "unsupported": 415,  # media that no rule covers (PR-26)
    "slice_header": 415,  # samples whose protected bytes cannot be told (PR-27)
    "aux_info": 415,  # boxes of protection that disagree (PR-151)
    "bad_box": 415,
    "overflow": 500,  # an IV that would name two samples (PR-16)
    "sealed": 503,  # a key file that this master key does not open (PR-90)
    "bad_document": 502,  # CPIX that cannot be read (PR-91..98)
    "bad_mac": 502,  # CPIX values that are not authentic (PR-93)
    "key_server": 502,  # an answer that SPEKE does not allow (PR-101)
    "unreachable": 503,  # no answer from a key server (PR-102)
}


class ProtectionError(OriginError):
    """`code` is one of CODES."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail, code=code, status=CODES[code])
