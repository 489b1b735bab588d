"""SCTE 35 splice_info_section, read whole and checked (ANSI/SCTE 35 2023r1, section 9).

Times are ticks of the 90 kHz clock. Bytes that are no section, a broken checksum and a field past
its end are BadEvent (TM11: dropped and counted); a command or descriptor that this table does not
know is kept as bytes. Encrypted sections keep their outer fields only.
"""

from dataclasses import dataclass

from origin.events.bits import Bits
from origin.events.errors import BadEvent
from origin.events.segmentation import Segmentation, segmentation

TABLE_ID = 0xFC
CUEI = 0x43554549
LEGACY_LENGTH = 0xFFF  # splice_command_length of old encoders: read the command to find its end
MAX_BYTES = 4096  # section_length has 12 bits
CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class SpliceNull:
    """A heartbeat (9.7.1)."""


@dataclass(frozen=True, slots=True)
class BandwidthReservation:
    """Filler (9.7.5)."""


@dataclass(frozen=True, slots=True)
class TimeSignal:
    """A moment that the descriptors speak of (9.7.4); None is at once."""

    pts: int | None


@dataclass(frozen=True, slots=True)
class SpliceInsert:
    """Leave or rejoin the network at a splice point (9.7.3)."""

    event_id: int
    cancelled: bool = False
    out_of_network: bool = False
    immediate: bool = False
    pts: int | None = None
    components: tuple[tuple[int, int | None], ...] = ()  # (component tag, pts)
    duration: int | None = None  # of the break
    auto_return: bool = False
    program_id: int = 0
    avail: int = 0
    avails_expected: int = 0


@dataclass(frozen=True, slots=True)
class PrivateCommand:
    """Another body's command (9.7.6)."""

    identifier: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """A command whose type is not in the table: splice_schedule, or one of a later edition."""

    kind: int
    data: bytes


Command = SpliceNull | BandwidthReservation | TimeSignal | SpliceInsert | PrivateCommand | Unread


@dataclass(frozen=True, slots=True)
class Avail:
    """avail_descriptor (10.3.1)."""

    provider_avail_id: int


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor that is kept as bytes."""

    tag: int
    identifier: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Section:
    """One splice_info_section (9.6)."""

    command: Command | None  # None: encrypted
    descriptors: tuple[Avail | Segmentation | Descriptor, ...] = ()
    pts_adjustment: int = 0
    tier: int = LEGACY_LENGTH
    sap_type: int = 3

    @property
    def segmentations(self) -> list[Segmentation]:
        return [d for d in self.descriptors if isinstance(d, Segmentation)]


def parse(data: bytes) -> Section:
    """The section that `data` is, from table_id to CRC_32."""
    if not 17 <= len(data) <= MAX_BYTES or data[0] != TABLE_ID:
        raise BadEvent("the message is no splice_info_section", code="no_section")
    if int.from_bytes(data[1:3], "big") & 0xFFF != len(data) - 3:
        raise BadEvent("section_length is not the length", code="bad_length")
    if crc32(data):
        raise BadEvent("the checksum is wrong", code="bad_crc")
    bits = Bits(data[:-4])
    bits.take(10)
    sap_type = bits.take(2)
    bits.take(12 + 8)  # section_length, protocol_version
    encrypted = bits.flag()
    bits.take(6)
    adjustment = bits.take(33)
    bits.take(8)  # cw_index
    tier = bits.take(12)
    if encrypted:
        return Section(None, (), adjustment, tier, sap_type)
    length, kind = bits.take(12), bits.take(8)
    if length == LEGACY_LENGTH:
        command = _command(kind, bits)
    else:
        command = _command(kind, Bits(bits.take_bytes(length)))
    descriptors = _descriptors(Bits(bits.take_bytes(bits.take(16))))
    return Section(command, descriptors, adjustment, tier, sap_type)


def _command(kind: int, bits: Bits) -> Command:
    """Table 7."""
    if kind == 0x00:
        return SpliceNull()
    if kind == 0x05:
        return _insert(bits)
    if kind == 0x06:
        return TimeSignal(_splice_time(bits))
    if kind == 0x07:
        return BandwidthReservation()
    if kind == 0xFF:
        return PrivateCommand(bits.take(32), bits.take_bytes(bits.left_bytes))
    return Unread(kind, bits.take_bytes(bits.left_bytes))


def _splice_time(bits: Bits) -> int | None:
    """splice_time (9.8.1)."""
    if bits.flag():
        bits.take(6)
        return bits.take(33)
    bits.take(7)
    return None


def _insert(bits: Bits) -> SpliceInsert:
    event_id = bits.take(32)
    cancelled = bits.flag()
    bits.take(7)
    if cancelled:
        return SpliceInsert(event_id, cancelled=True)
    out, program, timed, immediate = bits.flag(), bits.flag(), bits.flag(), bits.flag()
    bits.take(4)
    pts: int | None = None
    components: list[tuple[int, int | None]] = []
    if program:
        pts = None if immediate else _splice_time(bits)
    else:
        for _ in range(bits.take(8)):
            tag = bits.take(8)
            components.append((tag, None if immediate else _splice_time(bits)))
    duration, auto_return = None, False
    if timed:
        auto_return = bits.flag()
        bits.take(6)
        duration = bits.take(33)
    return SpliceInsert(
        event_id,
        out_of_network=out,
        immediate=immediate,
        pts=pts,
        components=tuple(components),
        duration=duration,
        auto_return=auto_return,
        program_id=bits.take(16),
        avail=bits.take(8),
        avails_expected=bits.take(8),
    )


def _descriptors(bits: Bits) -> tuple[Avail | Segmentation | Descriptor, ...]:
    """The descriptor loop (10.1)."""
    found: list[Avail | Segmentation | Descriptor] = []
    while bits.left_bytes:
        tag, length = bits.take(8), bits.take(8)
        inner = Bits(bits.take_bytes(length))
        identifier = inner.take(32)
        if identifier == CUEI and tag == 0x00:
            found.append(Avail(inner.take(32)))
        elif identifier == CUEI and tag == 0x02:
            found.append(segmentation(inner))
        else:
            found.append(Descriptor(tag, identifier, inner.take_bytes(inner.left_bytes)))
    return tuple(found)


def _crc_rows() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        rows.append(value)
    return tuple(rows)


_CRC = _crc_rows()


def crc32(data: bytes) -> int:
    """CRC_32 of ISO/IEC 13818-1, Annex A: zero over a section with its checksum."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[value >> 24 ^ byte]
    return value
