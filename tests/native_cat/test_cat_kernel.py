"""The token kernels against plain Python on hostile bytes (CAT-5, CAT-7, CAT-11, CAT-120)."""

import gc
import json
import random
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cat import cbor_oracle

from cat.cbor import DECODERS, encode
from cat.cose import build
from cat.tables import LIMITS
from cat.text import normal_text, token_bytes
from native.cat import CborError, Decoder, Tag, parse, sealed_structure

DECODER = DECODERS["strict"]
VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
FILES = ("cat_known_answer_tokens", "cat_quicr_cose", "cat_divergence_cases")
OWN = build(17, encode({1: 5}), b"k", encode({1: "me", 4: 2000, 312: {3: {1: "/a"}}}), bytes(32))


def _shared_tokens():
    for name in FILES:
        path = VECTORS / f"{name}.json"
        document = json.loads(path.read_bytes()) if path.exists() else {}
        for case in document.get("tokens", []) + document.get("cases", []):
            yield token_bytes(normal_text(case.get("token") or case["cose_b64url"]))


TOKENS = [OWN, *_shared_tokens()]


def outcome(read, data):
    """The value with its kinds, or the refusal's words."""
    try:
        return _kinds(read(data))
    except CborError as error:
        return f"CborError: {error}"


def _kinds(value):
    """Values that compare equal only when their kinds do: 1 is not True, nor 1.0."""
    if isinstance(value, Tag):
        return "Tag", value.number, _kinds(value.value)
    if isinstance(value, tuple):
        return "tuple", [_kinds(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(_kinds(key), _kinds(item)) for key, item in value.items()]
    return type(value).__name__, value


def fields(data):
    """The kernel's envelope as the oracle gives it."""
    e = parse(data, DECODER)
    return e.tag, e.protected, e.alg, e.kid, e.critical, e.payload, e.claims, e.seal


def agree_on_envelope(data):
    """Both read the same fields or both refuse; which fault is named first may differ."""
    ours, theirs = outcome(fields, data), outcome(cbor_oracle.parse, data)
    if isinstance(theirs, str):
        assert isinstance(ours, str)
    else:
        assert ours == theirs


def agree(data):
    assert outcome(DECODER.decode, data) == outcome(cbor_oracle.decode, data)
    agree_on_envelope(data)


heads = st.builds(
    lambda major, info, tail: bytes([major << 5 | info]) + tail,
    st.integers(0, 7),
    st.integers(0, 31),
    st.binary(max_size=9),
)


@settings(max_examples=600)
@given(st.binary(max_size=120) | st.lists(heads, max_size=20).map(b"".join))
def test_any_bytes(data):
    agree(data)


@settings(max_examples=600)
@given(
    token=st.sampled_from(TOKENS),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    cut=st.integers(-6, 6),
)
def test_mutated_tokens(token, edits, cut):
    data = bytearray(token)
    for at, octet in edits:
        data[at % len(data)] = octet
    agree(bytes(data[:cut] if cut < 0 else data + bytes(cut)))


@pytest.mark.parametrize("index", range(len(TOKENS)))
def test_every_bit_of_a_token(index):
    data = bytearray(TOKENS[index])
    agree(bytes(data))
    for at in range(len(data)):
        for bit in range(8):
            data[at] ^= 1 << bit
            agree(bytes(data))
            data[at] ^= 1 << bit


@settings(max_examples=300)
@given(st.sampled_from([b"\xf9", b"\xfa", b"\xfb"]), st.binary(min_size=8, max_size=8))
def test_floats(head, bits):
    agree(head + bits[: {0xF9: 2, 0xFA: 4, 0xFB: 8}[head[0]]])


def test_every_half():
    for bits in range(1 << 16):
        data = b"\xf9" + bits.to_bytes(2, "big")
        assert outcome(DECODER.decode, data) == outcome(cbor_oracle.decode, data)


@pytest.mark.parametrize("edge", [2.0**-24, 2.0**-25, 65504.0, 65505.0, 65520.0, 2.0**16, 1.0, 0.0])
def test_floats_at_the_edges_of_half_precision(edge):
    for value in (edge, -edge, edge * (1 + 2**-10), edge * (1 + 2**-11), edge * (1 + 2**-23)):
        agree(b"\xfa" + struct.pack(">f", value))
        agree(b"\xfb" + struct.pack(">d", value))


HEADERS = st.dictionaries(
    st.sampled_from([1, 2, 4, 16, "alg", -1]),
    st.sampled_from([5, -7, None, b"k", "k", (), (1,), (4, 99), {}, {1: 2}, True, 1.5]),
    max_size=4,
)


@settings(max_examples=500)
@given(
    protected=HEADERS | st.just(None),
    unprotected=HEADERS,
    tag=st.sampled_from([16, 17, 18, 19, 61]),
    outer=st.integers(0, 2),
    parts=st.integers(2, 5),
    payload=st.sampled_from([encode({4: 1}), b"", b"\xa0\x00", encode((1,)), b"\xa0"]),
)
def test_every_shape_of_envelope(protected, unprotected, tag, outer, parts, payload):
    """Buckets, kids, crit and parts as CAT-1, CAT-2, CAT-7 and CAT-8 sort them."""
    bucket = b"" if protected is None else encode(protected)
    message = Tag(tag, (bucket, unprotected, payload, bytes(32), b"")[:parts])
    for _ in range(outer):
        message = Tag(61, message)
    agree_on_envelope(encode(message))


@pytest.mark.parametrize("tag", [17, 18])
@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65535, 65536])
def test_sealed_structure(tag, size):
    """RFC 9052, 4.4 and 6.3."""
    name = {17: "MAC0", 18: "Signature1"}[tag]
    for protected, payload in ((bytes(size), b"p"), (b"p", bytes(size))):
        assert sealed_structure(tag, protected, payload) == encode((name, protected, b"", payload))


HOSTILE = {
    "nested arrays": b"\x81" * 3072,
    "nested tags": b"\xc1" * 3072,
    "4 GB in every head": b"\x9a\xff\xff\xff\xff" * 614,
    "items without end": b"\x98\xff" + b"\x98\xff" * 1535,
    "as many items as allowed": b"\x98\x80" + (b"\x8f" + b"\x00" * 15) * 128,
    "a map of equal keys": b"\xb8\x80" + b"\x00\x00" * 128,
    "a map of equal hashes": b"\xb8\x80"
    + b"".join(b"\x1b" + (k * (2**61 - 1)).to_bytes(8, "big") + b"\x00" for k in range(5, 8)),
    "long texts": (b"\x79\x04\x00" + b"a" * 1024) * 2,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_as_the_oracle_does_within_memory(name):
    """CAT-11, CAT-120: 64 KB a verification."""
    data = HOSTILE[name]
    agree(data)
    for wrapped in (data, build(17, b"", b"k", data, bytes(32))):
        tracemalloc.start()
        try:
            outcome(fields, wrapped)
            assert tracemalloc.get_traced_memory()[1] < 64 << 10
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("limit", "data"),
    [
        ("depth", bytes.fromhex("818100")),
        ("items", bytes.fromhex("820000")),
        ("map_pairs", bytes.fromhex("a200000101")),
        ("array_items", bytes.fromhex("820000")),
        ("text_bytes", bytes.fromhex("626161")),
    ],
)
def test_limits_are_the_callers(limit, data):
    wide = {name: 8 for name in ("depth", "items", "map_pairs", "array_items", "text_bytes")}
    assert outcome(Decoder(**wide).decode, data) == _kinds(cbor_oracle.decode(data))
    with pytest.raises(CborError):
        Decoder(**wide | {limit: 1}).decode(data)


def test_our_decoder_has_the_limits_of_the_table():
    for name in ("depth", "items", "map_pairs", "array_items", "text_bytes"):
        assert getattr(DECODER, name) == getattr(LIMITS, name)


def test_misuse_is_a_type_error():
    for misuse in (
        lambda: DECODER.decode(None),
        lambda: DECODER.decode("text"),
        lambda: parse(OWN, None),
        lambda: parse(bytearray(OWN), DECODER),
    ):
        with pytest.raises(TypeError):
            misuse()


def test_no_reference_is_lost_or_kept():
    """A refusal half-way through arrays and maps frees what was read."""
    texts = random.Random(1)
    data = encode(tuple({texts.randbytes(8): (b"x" * 99, 1.5)} for _ in range(20)))
    for end in range(len(data)):
        outcome(DECODER.decode, data[:end])
    tracemalloc.start()
    try:
        for _ in range(20):
            for end in range(0, len(data), 7):
                outcome(DECODER.decode, data[:end])
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 16 << 10
    finally:
        tracemalloc.stop()
