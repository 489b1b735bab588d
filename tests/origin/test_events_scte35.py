"""SCTE 35: the standard's own examples, every command, damage of any kind (TM2, TM8, TM11)."""

import base64
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from origin_rigs.events_rig import cue_in, cue_out, section, segment, time_signal

from origin.events import BadEvent, Message, Span, parse, spans
from origin.events.scte35 import (
    Avail,
    BandwidthReservation,
    Descriptor,
    PrivateCommand,
    SpliceInsert,
    SpliceNull,
    TimeSignal,
    Unread,
    crc32,
)
from origin.events.segmentation import Upid
from origin.events.spans import begins, planned_s

# ANSI/SCTE 35, clause 14: sample messages
PLACEMENT_START = "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg=="
SPLICE_INSERT = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo="
PLACEMENT_END = "/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g="
PROGRAMS = (
    "/DBIAAAAAAAA///wBQb+ek2ItgAyAhdDVUVJSAAAGH+fCAgAAAAALMvDRBEAAAIXQ1VFSUgAABl/nwgIAAAAACyk26AQ"
    "AACZcuND"
)
THREE = (
    "/DBhAAAAAAAA///wBQb+qM1E7QBLAhdDVUVJSAAArX+fCAgAAAAALLLXnTUCAAIXQ1VFSUgAACZ/nwgIAAAAACyy150R"
    "AAACF0NVRUlIAAAnf58ICAAAAAAsstezEAAAihiGnw=="
)
ADJUSTED = "FC302500000000697800FFF01405F00000027FEFFE1D0AC9C1FE000DB07B0001010100001231F90A"


def of(text: str) -> bytes:
    return base64.b64decode(text)


def test_the_standards_placement_opportunity() -> None:
    started, ended = parse(of(PLACEMENT_START)), parse(of(PLACEMENT_END))
    assert started.command == TimeSignal(0x072BD0050)
    (opens,), (closes,) = started.segmentations, ended.segmentations
    assert (opens.event_id, opens.type_id, opens.duration) == (0x4800008E, 0x34, 307 * 90_000)
    assert opens.upids == (Upid(8, bytes.fromhex("000000002CA0A18A")),)
    assert (opens.restrictions, opens.number, opens.expected) == (0b01111, 2, 0)
    assert (closes.type_id, closes.start_type, closes.duration) == (0x35, 0x34, None)
    assert opens.starts and opens.leaves and closes.leaves and not closes.starts


def test_the_standards_splice_insert() -> None:
    read = parse(of(SPLICE_INSERT))
    assert read.command == SpliceInsert(
        0x4800008F, out_of_network=True, pts=0x07369C02E, duration=0x52CCF5, auto_return=True
    )
    assert read.descriptors == (Avail(0x135),)
    assert (read.tier, read.sap_type, read.pts_adjustment) == (0xFFF, 3, 0)
    assert parse(bytes.fromhex(ADJUSTED)).pts_adjustment == 27_000


def test_several_descriptors_are_several_events() -> None:
    """TM8."""
    assert [(s.event_id, s.type_id) for s in parse(of(PROGRAMS)).segmentations] == [
        (0x48000018, 0x11),
        (0x48000019, 0x10),
    ]
    assert [s.type_id for s in parse(of(THREE)).segmentations] == [0x35, 0x11, 0x10]


COMMANDS = {
    "null": (0x00, b"", SpliceNull()),
    "bandwidth": (0x07, b"", BandwidthReservation()),
    "private": (0xFF, b"HWTRxyz", PrivateCommand(0x48575452, b"xyz")),
    "schedule": (0x04, b"\0", Unread(4, b"\0")),
    "signal at once": (0x06, b"\x7f", TimeSignal(None)),
    "cancel": (0x05, bytes.fromhex("00000007 FF"), SpliceInsert(7, cancelled=True)),
    "immediate": (
        0x05,
        bytes.fromhex("00000007 7F DF 0001 02 03"),
        SpliceInsert(7, out_of_network=True, immediate=True, program_id=1, avail=2,
                     avails_expected=3),
    ),
    "components": (
        0x05,
        bytes.fromhex("00000007 7F 0F 02 11 FE00000064 12 7F 0001 02 03"),
        SpliceInsert(7, components=((0x11, 100), (0x12, None)), program_id=1, avail=2,
                     avails_expected=3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("legacy", [False, True])
def test_commands(name: str, legacy: bool) -> None:
    """TM11; old encoders write no command length, which only commands of known length survive."""
    kind, body, command = COMMANDS[name]
    if legacy and isinstance(command, PrivateCommand | Unread):
        return
    assert parse(section(kind, body, legacy=legacy)).command == command


UPIDS = {
    (0x01, b"any"): "616e79",
    (0x03, b"ABCD0123456H"): "ABCD0123456H",
    (0x0A, bytes.fromhex("1478 AABBCCDDEEFF00112233")): "10.5240/AABB-CCDD-EEFF-0011-2233",
    (0x0F, b"urn:x:1"): "urn:x:1",
    (0x10, bytes(range(16))): "00010203-0405-0607-0809-0a0b0c0d0e0f",
}


@pytest.mark.parametrize(("kind", "data"), UPIDS)
def test_upids(kind: int, data: bytes) -> None:
    read = parse(time_signal(segment(1, 0x30, upid=(kind, data)))).segmentations[0]
    assert [upid.text for upid in read.upids] == [UPIDS[kind, data]]


def test_a_mid_holds_several_upids_and_no_other_mid() -> None:
    inner = b"".join(bytes([kind, len(data)]) + data for kind, data in UPIDS)
    read = parse(time_signal(segment(1, 0x30, upid=(0x0D, inner)))).segmentations[0]
    assert [(upid.kind, upid.data) for upid in read.upids] == list(UPIDS)
    with pytest.raises(BadEvent) as caught:
        parse(time_signal(segment(1, 0x30, upid=(0x0D, b"\x0d\x00"))))
    assert caught.value.code == "bad_upid"
    with pytest.raises(BadEvent):
        parse(time_signal(segment(1, 0x30, upid=(0x0A, b"short"))))


def test_other_descriptors_are_kept_as_bytes() -> None:
    data = section(0x06, b"\x7f", b"\x01\x06CUEI\x05\x01" + b"\x02\x05ABCDx")
    assert parse(data).descriptors == (
        Descriptor(1, 0x43554549, b"\x05\x01"),
        Descriptor(2, 0x41424344, b"x"),
    )


def test_an_encrypted_section_keeps_its_face() -> None:
    data = bytearray(section(0x06, b"\x7f")[:-4])
    data[4] |= 0x80
    assert parse(bytes(data) + crc32(bytes(data)).to_bytes(4, "big")).command is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_section"),
        (b"\xfc" + bytes(5000), "no_section"),
        (of(SPLICE_INSERT)[:-1], "bad_length"),
        (of(SPLICE_INSERT)[:-1] + b"\0", "bad_crc"),
        (b"\xfd" + of(SPLICE_INSERT)[1:], "no_section"),
        (section(0x05, b"\0\0\0\x07\x7f\xef"), "cut_event"),
        (section(0x06, b"\x7f", b"\x02\xff"), "cut_event"),
    ],
)
def test_damage_has_a_code(data: bytes, code: str) -> None:
    with pytest.raises(BadEvent) as caught:
        parse(data)
    assert caught.value.code == code


@given(st.binary(max_size=300), st.sampled_from([0, 4, 5, 6, 7, 255]), st.booleans())
@example(b"", 6, True)
def test_any_body_is_read_or_refused(body: bytes, kind: int, as_descriptors: bool) -> None:
    """Only BadEvent, whatever stands behind a sound checksum."""
    data = section(6, b"\x7f", body) if as_descriptors else section(kind, body)
    try:
        read = parse(data)
    except BadEvent:
        return
    assert all(s.type_id < 256 for s in read.segmentations)


@given(st.binary(max_size=64).map(lambda noise: of(SPLICE_INSERT)[:20] + noise))
def test_any_damage_is_found(data: bytes) -> None:
    if data != of(SPLICE_INSERT):
        with pytest.raises(BadEvent):
            parse(data)


def told(*messages: tuple[int, int | Fraction, bytes], now: int = 1000) -> list[Span]:
    """Spans of (number, start in seconds, section)."""
    return spans(
        [
            (Message("urn:scte:scte35:2013:bin", "", n, Fraction(s), None, data), n)
            for n, s, data in messages
        ],
        Fraction(now),
    )


def test_a_break_ends_when_its_in_says_so() -> None:
    """TM6, HLS-42: the real duration, not the plan."""
    (early,) = told((1, 100, cue_out(7, 30)), (2, 112, cue_in(7)))
    assert (early.planned_s, early.end_s) == (30, 112)
    assert early.out == cue_out(7, 30) and early.back == cue_in(7) and not early.by_plan
    (waiting,) = told((1, 100, cue_out(7, 30)))
    assert waiting.end_s is None and waiting.known_end_s == 130


def test_auto_return_ends_by_plan_once_it_is_published() -> None:
    out = cue_out(7, 30, auto_return=True)
    assert told((1, 100, out), now=129)[0].end_s is None
    (planned,) = told((1, 100, out), now=130)
    assert planned.end_s == 130 and planned.by_plan
    (late,) = told((1, 100, out), (2, 150, cue_in(7)), now=160)
    assert late.end_s == 130, "an end that was told never moves"


def test_ids_are_used_again() -> None:
    """TM10."""
    first, second = told(
        (1, 100, cue_out(1, 30)), (2, 130, cue_in(1)), (3, 200, cue_out(1, 30)), (4, 230, cue_in(1))
    )
    assert first.id != second.id and (first.end_s, second.end_s) == (130, 230)


def test_segments_pair_by_type_and_id() -> None:
    start = time_signal(segment(5, 0x34, seconds=60), segment(6, 0x10))
    end = time_signal(segment(5, 0x35), segment(6, 0x12))
    opened = {span.cmd == b"": span for span in told((1, 10, start), (2, 50, end))}
    assert opened[True].out == start and opened[True].back == end
    assert opened[False].cmd == start and opened[False].end_s == 50, "an early end of a program"
    assert opened[True].planned_s == 60


def test_a_cancelled_break_never_was_unless_it_began() -> None:
    cancel = section(0x05, (7).to_bytes(4, "big") + b"\xff")
    assert told((1, 100, cue_out(7, 30)), (2, 95, cancel)) == []
    (cut,) = told((1, 100, cue_out(7, 30)), (2, 110, cancel))
    assert cut.end_s == 110


def test_what_ends_nothing_known_is_a_moment() -> None:
    (moment,) = told((3, 40, time_signal(segment(9, 0x35))))
    assert moment.start_s == moment.end_s == 40 and moment.cmd
    assert told((3, 40, cue_in(9))) == []
    assert told((1, 1, section(0, b"")), (2, 2, b"junk")) == [], "a heartbeat, and noise"


def test_what_must_come_in_time() -> None:
    """TM4: beginnings; ends may come late."""
    assert begins(cue_out(1, 30)) and not begins(cue_in(1))
    assert begins(time_signal(segment(1, 0x34))) and not begins(time_signal(segment(1, 0x35)))
    assert planned_s(cue_out(1, 30)) == 30 and planned_s(cue_in(1)) is None
    assert planned_s(time_signal(segment(1, 0x34, seconds=45))) == 45


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(0, 50),
            st.sampled_from(
                [cue_out(1, 5), cue_in(1), cue_out(2, None), cue_in(2)]
                + [time_signal(segment(1, t)) for t in (0x30, 0x31, 0x10, 0x11, 0x12)]
            ),
        ),
        max_size=20,
    )
)
def test_spans_never_run_backwards(messages: list[tuple[int, int, bytes]]) -> None:
    found = told(*messages)
    assert all(s.end_s is None or s.end_s >= s.start_s for s in found)
    assert len(found) <= len(messages)
