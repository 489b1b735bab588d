"""Program association and program map (ISO/IEC 13818-1, 2.4.4), one packet each."""

import struct
from collections.abc import Sequence

from native.mpegts.model import Coding

PACKET_BYTES = 188
PAT_PID, PMT_PID = 0, 0x1000
PSI_PIDS = (PAT_PID, PMT_PID)
PROGRAM = 1


def _crc_row(value: int) -> int:
    for _ in range(8):
        value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


_CRC = [_crc_row(byte << 24) for byte in range(256)]


def crc(data: bytes) -> int:
    """CRC_32 of annex A: most significant bit first, nothing inverted at the end."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[value >> 24 ^ byte]
    return value


def tables(streams: Sequence[tuple[int, Coding]], pcr_pid: int, counter: int) -> bytes:
    """PAT and PMT packets. `counter` is their continuity counter: the segment's number, so that
    neighbours continue it (TR-109).
    """
    pat = struct.pack(">HH", PROGRAM, 0xE000 | PMT_PID)
    rows = b""
    for pid, coding in streams:
        described = b"\x05\x04" + coding.registration if coding.registration else b""  # 2.6.8
        rows += struct.pack(">BHH", coding.stream_type, 0xE000 | pid, 0xF000 | len(described))
        rows += described
    pmt = struct.pack(">HH", 0xE000 | pcr_pid, 0xF000) + rows
    first = _packet(PAT_PID, _section(0, 1, pat), counter)
    return first + _packet(PMT_PID, _section(2, PROGRAM, pmt), counter)


def _section(table_id: int, number: int, body: bytes) -> bytes:
    head = struct.pack(">BHHBBB", table_id, 0xB000 | len(body) + 9, number, 0xC1, 0, 0)
    return head + body + struct.pack(">I", crc(head + body))


def _packet(pid: int, section: bytes, counter: int) -> bytes:
    packet = struct.pack(">BHBB", 0x47, 0x4000 | pid, 0x10 | counter & 15, 0) + section
    return packet.ljust(PACKET_BYTES, b"\xff")
