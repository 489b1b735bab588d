"""CBOR: strict decoding in bounds (CAT-5, CAT-11, CAT-120), deterministic encoding (RFC 8949)."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cat import cbor
from cat.cbor import CborError, Tag

REJECTED = {
    "empty": "",
    "trailing byte": "0000",
    "int 23 in one byte": "1817",
    "int 255 in two bytes": "1900ff",
    "int 65535 in four bytes": "1a0000ffff",
    "int 2^32-1 in eight bytes": "1b00000000ffffffff",
    "length 3 in one byte": "5803000000",
    "indefinite bytes": "5f4101ff",
    "indefinite text": "7f6161ff",
    "indefinite array": "9f01ff",
    "indefinite map": "bf0101ff",
    "stray break": "ff",
    "reserved info 28": "1c",
    "reserved info 30": "fe",
    "duplicate key": "a201010102",
    "key true beside 1": "a20101f502",
    "map as key": "a1a00101",
    "NaN": "f97e00",
    "infinity": "f97c00",
    "negative zero": "f98000",
    "half value in single": "fa3fc00000",
    "single value in double": "fb3ff8000000000000",
    "unassigned simple": "e0",
    "simple in two bytes": "f8ff",
    "invalid UTF-8": "62c328",
    "overlong UTF-8": "62c080",
    "surrogate in UTF-8": "63eda080",
    "4 GB bytes": "5affffffff",
    "2^64-1 bytes": "5bffffffffffffffff",
    "4 GB array": "9affffffff00",
    "4 GB map": "baffffffff00",
    "4 GB text": "7affffffff61",
    "array of 257": "990101" + "00" * 257,
    "map of 129": "b881" + "".join(f"19{0x100 + i:04x}00" for i in range(129)),
    "depth 17": "81" * 17 + "00",
    "depth 10,000": "81" * 10_000 + "00",
    "tags 10,000 deep": "c1" * 10_000 + "00",
    "text of 2,049": "790801" + "61" * 2049,
}


@pytest.mark.parametrize("name", REJECTED)
def test_rejected(name):
    with pytest.raises(CborError):
        cbor.decode(bytes.fromhex(REJECTED[name]))


ACCEPTED = [  # RFC 8949, appendix A
    ("00", 0),
    ("1818", 24),
    ("1b00000001 00000000", 2**32),
    ("1bffffffffffffffff", 2**64 - 1),
    ("20", -1),
    ("3903e7", -1000),
    ("f93c00", 1.0),
    ("fb3ff199999999999a", 1.1),
    ("f90001", 5.960464477539063e-08),
    ("fa47c35000", 100000.0),
    ("f4", False),
    ("f6", None),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("62c3bc", "\u00fc"),
    ("83010203", (1, 2, 3)),
    ("a201020304", {1: 2, 3: 4}),
    ("a203040102", {1: 2, 3: 4}),  # map order is not checked (CAT-5)
    ("d834440a000000", Tag(52, b"\x0a\0\0\0")),
    ("a1820102f5", {(1, 2): True}),
    ("81" * 16 + "00", ((((((((((((((((0,),),),),),),),),),),),),),),),)),
]


@pytest.mark.parametrize(("text", "value"), ACCEPTED)
def test_accepted(text, value):
    decoded = cbor.decode(bytes.fromhex(text))
    assert decoded == value and type(decoded) is type(value)


scalars = (
    st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
    | st.booleans()
    | st.none()
    | st.text(max_size=20)
    | st.binary(max_size=20)
)
keys = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.builds(Tag, st.integers(0, 2**64 - 1), inner)
    ),
    max_leaves=12,
)


@given(values)
def test_round_trip(value):
    data = cbor.encode(value)
    assert cbor.decode(data) == value
    assert cbor.encode(cbor.decode(data)) == data


@given(values, st.integers(0, 400), st.integers(0, 255))
def test_one_changed_byte_is_read_or_refused_but_never_worse(value, at, octet):
    data = bytearray(cbor.encode(value))
    data[at % len(data)] = octet
    try:
        again = cbor.decode(bytes(data))
    except CborError:
        return
    assert cbor.decode(cbor.encode(again)) == again or isinstance(again, float)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes_never_escape_the_error(data):
    with contextlib.suppress(CborError):
        cbor.decode(data)


def test_keys_are_sorted_by_their_encodings():
    assert cbor.encode({"a": 0, 10: 0, -1: 0, 1000: 0}).hex() == "a40a001903e80020006161" + "00"


def test_integral_floats_are_written_as_ints():
    assert cbor.encode(5.0) == b"\x05"
