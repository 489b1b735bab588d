"""segmentation_descriptor with its UPIDs (ANSI/SCTE 35 2023r1, section 10.3.3)."""

import uuid
from dataclasses import dataclass

from origin.events.bits import Bits
from origin.events.errors import BadEvent

MID = 0x0D
# Table 22: segmentation_upid_type -> name, exact length in bytes (0 = any)
UPIDS: dict[int, tuple[str, int]] = {
    0x00: ("none", 0),
    0x01: ("user", 0),
    0x02: ("isci", 8),
    0x03: ("ad-id", 12),
    0x04: ("umid", 32),
    0x05: ("isan-64", 8),
    0x06: ("isan", 12),
    0x07: ("tid", 12),
    0x08: ("airing-id", 8),
    0x09: ("adi", 0),
    0x0A: ("eidr", 12),
    0x0B: ("atsc", 0),
    0x0C: ("mpu", 0),
    0x0D: ("mid", 0),
    0x0E: ("ads", 0),
    0x0F: ("uri", 0),
    0x10: ("uuid", 16),
    0x11: ("scr", 0),
}
_TEXT = frozenset([0x02, 0x03, 0x07, 0x09, 0x0E, 0x0F, 0x11])
# Table 23: types with sub_segment fields
SUB_SEGMENTED = frozenset([0x30, 0x32, 0x34, 0x36, 0x38, 0x3A, 0x44, 0x46])
# Table 23: what begins something; its end is the next type, and a program may end early too
STARTS = frozenset(bytes.fromhex("10 13 20 22 24 26 30 32 34 36 38 3A 3C 3E 40 42 44 46 50"))
PROGRAM_START, PROGRAM_EARLY_END = 0x10, 0x12
# Starts that leave the network feed: HLS tells them as SCTE35-OUT and SCTE35-IN
OUTS = frozenset([0x22, 0x30, 0x32, 0x34, 0x36, 0x44, 0x46])


@dataclass(frozen=True, slots=True)
class Upid:
    """What a segment is of; `data` as it came."""

    kind: int
    data: bytes

    @property
    def name(self) -> str:
        return UPIDS.get(self.kind, ("reserved", 0))[0]

    @property
    def text(self) -> str:
        """The identifier as people write it, hexadecimal where it has no text of its own."""
        if self.kind in _TEXT:
            return "".join(c for c in self.data.decode("utf-8", "replace") if c.isprintable())
        if self.kind == 0x0A and len(self.data) == 12:  # EIDR: sub-prefix, then five groups
            digits = self.data[2:].hex().upper()
            groups = "-".join(digits[at : at + 4] for at in range(0, 20, 4))
            return f"10.{int.from_bytes(self.data[:2], 'big')}/{groups}"
        if self.kind == 0x10 and len(self.data) == 16:
            return str(uuid.UUID(bytes=self.data))
        return self.data.hex()


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A segment begins, ends or is cancelled."""

    event_id: int
    cancelled: bool = False
    type_id: int = 0
    duration: int | None = None  # 90 kHz
    upids: tuple[Upid, ...] = ()
    components: tuple[tuple[int, int], ...] = ()  # (component tag, pts offset)
    restrictions: int | None = None  # web, blackout, archive, device bits; None = delivery is free
    number: int = 0
    expected: int = 0
    sub_number: int = 0
    sub_expected: int = 0

    @property
    def starts(self) -> bool:
        return self.type_id in STARTS

    @property
    def leaves(self) -> bool:
        """Whether it is the start or the end of something outside of the network feed."""
        return self.type_id in OUTS or self.type_id - 1 in OUTS

    @property
    def start_type(self) -> int | None:
        """The type that began what this one ends; None when it ends nothing."""
        if self.type_id == PROGRAM_EARLY_END:
            return PROGRAM_START
        return self.type_id - 1 if self.type_id - 1 in STARTS and not self.starts else None


def segmentation(bits: Bits) -> Segmentation:
    """The descriptor behind its identifier."""
    event_id = bits.take(32)
    cancelled = bits.flag()
    bits.take(7)
    if cancelled:
        return Segmentation(event_id, cancelled=True)
    program, timed, free = bits.flag(), bits.flag(), bits.flag()
    restrictions = bits.take(5)
    components: list[tuple[int, int]] = []
    if not program:
        for _ in range(bits.take(8)):
            tag = bits.take(8)
            bits.take(7)
            components.append((tag, bits.take(33)))
    duration = bits.take(40) if timed else None
    kind = bits.take(8)
    upids = _upids(kind, bits.take_bytes(bits.take(8)))
    type_id, number, expected = bits.take(8), bits.take(8), bits.take(8)
    subs = type_id in SUB_SEGMENTED and bits.left_bytes >= 2
    return Segmentation(
        event_id,
        False,
        type_id,
        duration,
        upids,
        tuple(components),
        None if free else restrictions,
        number,
        expected,
        bits.take(8) if subs else 0,
        bits.take(8) if subs else 0,
    )


def _upids(kind: int, data: bytes) -> tuple[Upid, ...]:
    """One UPID, or those of a MID; a length that its type does not allow is BadEvent."""
    if kind != MID:
        exact = UPIDS.get(kind, ("", 0))[1]
        if exact and len(data) != exact:
            raise BadEvent("a UPID has the wrong length for its type", code="bad_upid")
        return (Upid(kind, data),) if kind else ()
    bits = Bits(data)
    found: list[Upid] = []
    while bits.left_bytes:
        inner = bits.take(8)
        if inner == MID:
            raise BadEvent("a MID inside a MID", code="bad_upid")
        found += _upids(inner, bits.take_bytes(bits.take(8)))
    return tuple(found)
