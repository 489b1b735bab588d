"""What a transport stream carries here."""

from array import array
from dataclasses import dataclass
from typing import NamedTuple


class Coding(NamedTuple):
    """A row of TR-110: stream_type and the registration that goes with it."""

    stream_type: int
    registration: bytes
    stream_id: int  # of its PES packets, ISO/IEC 13818-1, table 2-22


AVC = Coding(0x1B, b"", 0xE0)  # ISO/IEC 13818-1, table 2-34
AAC = Coding(0x0F, b"", 0xC0)
AC3 = Coding(0x81, b"AC-3", 0xBD)  # ATSC A/52 annex A
EAC3 = Coding(0x87, b"EAC3", 0xBD)  # ATSC A/52 annex G


@dataclass(frozen=True, slots=True)
class Stream:
    """The samples of one segment, end to end in `payload`; times in 90 kHz, int64, decode order.

    `lead` is what a sample is given: Annex B parameter sets before each random access of AVC, the
    ADTS header with its length 0 for AAC, nothing for the others. `nal_bytes`: length field of AVC.
    """

    pid: int
    coding: Coding
    payload: bytes
    sizes: "array[int]"
    pts: "array[int]"
    dts: "array[int]"
    syncs: "array[int]"
    lead: bytes = b""
    nal_bytes: int = 0
