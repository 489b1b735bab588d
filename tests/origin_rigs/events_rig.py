"""Timed metadata for tests: splice sections and event tracks, written apart from the readers."""

import struct

from native.bmff.write import box, full


def section(kind: int, body: bytes, descriptors: bytes = b"", *, legacy: bool = False) -> bytes:
    """A splice_info_section with its checksum (ANSI/SCTE 35, 9.6)."""
    length = 0xFFF if legacy else len(body)
    inner = b"\0" + bytes(5) + b"\xff"  # protocol, no encryption, no adjustment, cw_index
    inner += ((0xFFF << 12 | length) << 8 | kind).to_bytes(4, "big") + body
    inner += struct.pack(">H", len(descriptors)) + descriptors
    data = b"\xfc" + struct.pack(">H", 0x3000 | len(inner) + 4) + inner
    return data + struct.pack(">I", mpeg_crc(data))


def mpeg_crc(data: bytes) -> int:
    """CRC-32/MPEG-2, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            top = value >> 31 ^ byte >> bit & 1
            value = value << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if top else 0)
    return value


def cue_out(event_id: int, seconds: int | None, *, auto_return: bool = False) -> bytes:
    """splice_insert out of the network at a pts that means nothing (TM5)."""
    timed = seconds is not None
    flags = 0x80 | 0x40 | (0x20 if timed else 0) | 0x0F
    body = struct.pack(">IBB", event_id, 0x7F, flags) + b"\xfe" + (12345).to_bytes(4, "big")
    if seconds is not None:
        body += ((0x80 if auto_return else 0) | 0x7E).to_bytes(1, "big")
        body += (seconds * 90_000).to_bytes(4, "big")
    return section(0x05, body + struct.pack(">HBB", 1, 0, 0))


def cue_in(event_id: int) -> bytes:
    body = struct.pack(">IBB", event_id, 0x7F, 0x4F) + b"\xfe" + (12345).to_bytes(4, "big")
    return section(0x05, body + struct.pack(">HBB", 1, 0, 0))


def segment(
    event_id: int, type_id: int, *, seconds: int | None = None, upid: tuple[int, bytes] = (0, b"")
) -> bytes:
    """One segmentation_descriptor (10.3.3)."""
    flags = 0x80 | (0x40 if seconds is not None else 0) | 0x3F
    body = b"CUEI" + struct.pack(">IBB", event_id, 0x7F, flags)
    if seconds is not None:
        body += (seconds * 90_000).to_bytes(5, "big")
    body += bytes([upid[0], len(upid[1])]) + upid[1] + bytes([type_id, 0, 0])
    return b"\x02" + bytes([len(body)]) + body


def time_signal(*segments: bytes) -> bytes:
    return section(0x06, b"\xfe" + (12345).to_bytes(4, "big"), b"".join(segments))


def event_header(entry: bytes, timescale: int = 1000) -> bytes:
    """A CMAF header of a metadata track with this sample entry."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = full("mvhd", 0, 0, struct.pack(">4IIH", 0, 0, timescale, 0, 0x10000, 0), bytes(10),
                matrix, bytes(24), struct.pack(">I", 2))  # fmt: skip
    tkhd = full("tkhd", 0, 7, struct.pack(">5I", 0, 0, 1, 0, 0), bytes(16), matrix, bytes(8))
    mdhd = full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, timescale, 0, 0x55C4, 0))
    hdlr = full("hdlr", 0, 0, bytes(4), b"meta", bytes(12), b"events\0")
    tables = [full(name, 0, 0, bytes(4)) for name in ("stts", "stsc", "stco")]
    stbl = box("stbl", full("stsd", 0, 0, struct.pack(">I", 1), entry), *tables,
               full("stsz", 0, 0, bytes(8)))  # fmt: skip
    minf = box("minf", full("nmhd", 0, 0), stbl)
    trak = box("trak", tkhd, box("mdia", mdhd, hdlr, minf))
    mvex = box("mvex", full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0)))
    return box("ftyp", b"cmfc", bytes(4), b"cmfc") + box("moov", mvhd, trak, mvex)


EVTE = box("evte", bytes(6), struct.pack(">H", 1))
URIM = box(
    "urim", bytes(6), struct.pack(">H", 1), full("uri ", 0, 0, b"urn:mpeg:dash:event:2012\0")
)


def chunk(time: int, samples: list[tuple[int, bytes]], sequence: int = 1) -> bytes:
    """moof and mdat of (duration, data) samples."""
    rows = b"".join(struct.pack(">II", duration, len(data)) for duration, data in samples)

    def moof(offset: int) -> bytes:
        traf = box(
            "traf",
            full("tfhd", 0, 0x020000, struct.pack(">I", 1)),
            full("tfdt", 1, 0, struct.pack(">Q", time)),
            full("trun", 1, 0x301, struct.pack(">Ii", len(samples), offset), rows),
        )
        return box("moof", full("mfhd", 0, 0, struct.pack(">I", sequence)), traf)

    return moof(len(moof(0)) + 8) + box("mdat", *(data for _, data in samples))
