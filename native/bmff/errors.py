"""What can be wrong with boxes, as one error with a stable code.

BoxError (ValueError)
    .code    one of CODES
    .offset  byte, from the start of the data that was given, where the fault stands
    .status  HTTP status hint for a receiver (cmaf-ingest.md I5), from CODES
"""

CODES: dict[str, int] = {
    "bad_box": 400,  # a size or a structure that ISO/IEC 14496-12 does not allow (TR-1)
    "bad_table": 400,  # a count or a sum that its bytes cannot carry (TR-4..6)
    "offset_out_of_file": 400,  # a sample outside the data (TR-7)
    "truncated": 400,  # the data ends inside a unit
    "too_large": 413,  # a unit above the limit of the receiver
    "no_moov": 415,  # not a movie at all
    "wrong_track": 412,  # a fragment of another track than the header's (I5)
    "unsupported_edit": 415,  # an edit list that cannot be presented (TR-16)
    "resolution_change": 415,  # a second sample description in use (TR-10)
}


class BoxError(ValueError):
    """Malformed or unacceptable ISO BMFF data."""

    def __init__(self, code: str, offset: int, detail: str) -> None:
        super().__init__(f"{code} at byte {offset}: {detail}")
        self.code = code
        self.offset = offset
        self.detail = detail
        self.status = CODES[code]
