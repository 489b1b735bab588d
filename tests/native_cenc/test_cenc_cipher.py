"""The encryption kernels against a block-by-block oracle (PR-13..PR-20)."""

import struct

import pytest
from Crypto.Cipher import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from native.cenc import RangeError, cbcs, cbcs_copy, cbcs_open, cenc
from native.crypto import Aes

KEY = bytes(range(16))


def block(data: bytes) -> bytes:
    return AES.new(KEY, AES.MODE_ECB).encrypt(data)


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def oracle_cenc(samples, tables, ivs):
    out = b""
    for sample, ranges, iv in zip(samples, tables, ivs, strict=True):
        high, low = iv[:8], int.from_bytes(iv[8:].ljust(8, b"\0"), "big")
        stream = b"".join(
            block(high + ((low + i) % 2**64).to_bytes(8, "big"))
            for i in range(len(sample) // 16 + 2)
        )
        for clear, protected in ranges or [(0, len(sample))]:
            out += sample[:clear] + xor(sample[clear : clear + protected], stream[:protected])
            sample, stream = sample[clear + protected :], stream[protected:]
    return out


def oracle_cbcs(samples, tables, iv, crypt, skip):
    out = b""
    for sample, ranges in zip(samples, tables, strict=True):
        for clear, protected in ranges or [(0, len(sample))]:
            out += sample[:clear]
            data, chain = bytearray(sample[clear : clear + protected]), iv
            at = 0
            while len(data) - at >= 16 * (crypt if skip else 1):
                for _ in range(crypt if skip else 1):
                    chain = block(xor(data[at : at + 16], chain))
                    data[at : at + 16] = chain
                    at += 16
                at += 16 * skip
            out += bytes(data)
            sample = sample[clear + protected :]
    return out


def pack(samples, tables):
    sizes = struct.pack(f"={len(samples)}I", *map(len, samples))
    counts = struct.pack(f"={len(samples)}H", *map(len, tables))
    flat = [n for table in tables for pair in table for n in pair]
    return sizes, counts, struct.pack(f"={len(flat)}I", *flat)


@st.composite
def fragments(draw):
    samples, tables = [], []
    for _ in range(draw(st.integers(0, 4))):
        table = draw(
            st.lists(st.tuples(st.integers(0, 40), st.integers(0, 400)), min_size=0, max_size=4)
        )
        size = sum(map(sum, table)) if table else draw(st.integers(0, 300))
        samples.append(draw(st.randoms(use_true_random=False)).randbytes(size))
        tables.append(table)
    return samples, tables


@settings(max_examples=300)
@given(fragments(), st.sampled_from([8, 16]), st.data())
def test_cenc_runs_one_stream_over_each_sample(fragment, width, data):
    samples, tables = fragment
    ends = st.sampled_from([bytes(8), b"\xff" * 8, b"\xff" * 7 + b"\xf0", b"\xff" * 7 + b"\xfd"])
    ivs = [
        (data.draw(st.binary(min_size=8, max_size=8)) + data.draw(ends))[:width] for _ in samples
    ]
    made = bytearray(b"".join(samples))
    cenc(Aes(KEY), made, *pack(samples, tables), b"".join(ivs))
    assert bytes(made) == oracle_cenc(samples, tables, ivs)


@settings(max_examples=300)
@given(
    fragments(),
    st.binary(min_size=16, max_size=16),
    st.sampled_from([(1, 9), (0, 0), (5, 5), (2, 1), (15, 15), (1, 0)]),
)
def test_cbcs_chains_the_protected_blocks_of_each_range(fragment, iv, pattern):
    samples, tables = fragment
    made = bytearray(b"".join(samples))
    cbcs(Aes(KEY), made, *pack(samples, tables), iv, *pattern)
    assert bytes(made) == oracle_cbcs(samples, tables, iv, *pattern)


@given(
    fragments(),
    st.binary(min_size=16, max_size=16),
    st.sampled_from([(1, 9), (0, 0), (5, 5), (2, 1), (15, 15), (1, 0)]),
)
def test_what_was_sealed_opens_again(fragment, iv, pattern):
    """PR-150, against the oracle; a key that opened still seals."""
    samples, tables = fragment
    key, clear = Aes(KEY), b"".join(samples)
    sealed = oracle_cbcs(samples, tables, iv, *pattern)
    assert cbcs_open(key, sealed, *pack(samples, tables), iv, *pattern) == clear
    assert cbcs_copy(key, clear, *pack(samples, tables), iv, *pattern) == sealed


@given(st.integers(0, 400), st.sampled_from([(5, 5), (2, 1), (15, 15), (1, 9)]))
def test_blocks_left_over_can_be_opened_too(size, pattern):
    """PR-17: a writer whose last crypt run is of fewer blocks."""
    crypt, skip = pattern
    clear = bytes(n % 251 for n in range(size))
    places = [n for n in range(size // 16) if n % (crypt + skip) < crypt]
    chain = AES.new(KEY, AES.MODE_CBC, iv=bytes(16))
    sealed = bytearray(clear)
    for n in places:
        sealed[16 * n : 16 * n + 16] = chain.encrypt(clear[16 * n : 16 * n + 16])
    tables = pack([clear], [[]])
    assert cbcs_open(Aes(KEY), bytes(sealed), *tables, bytes(16), *pattern, True) == clear


@pytest.mark.parametrize(
    ("sizes", "counts", "ranges", "ivs"),
    [
        ([5], [], [], 8),
        ([5], [1], [], 8),
        ([5], [1], [2, 2], 8),
        ([5], [1], [2, 4], 8),
        ([5], [0], [2, 3], 8),
        ([4], [0], [], 8),
        ([6], [0], [], 8),
        ([5], [0], [], 7),
        ([5], [0], [], 32),
        ([2**32 - 1], [1], [2**32 - 1, 0], 8),
        ([5], [2], [2**32 - 1, 5, 1, 0], 8),
    ],
)
def test_lying_tables_change_nothing(sizes, counts, ranges, ivs):
    data = bytearray(b"01234")
    packed = (
        struct.pack(f"={len(sizes)}I", *sizes),
        struct.pack(f"={len(counts)}H", *counts),
        struct.pack(f"={len(ranges)}I", *ranges),
    )
    with pytest.raises(RangeError):
        cenc(Aes(KEY), data, *packed, bytes(ivs))
    assert data == b"01234"


@pytest.mark.parametrize(("crypt", "skip", "iv"), [(0, 1, 16), (16, 1, 16), (1, -1, 16), (1, 9, 8)])
def test_patterns_and_ivs_out_of_bounds(crypt, skip, iv):
    with pytest.raises(RangeError):
        cbcs(Aes(KEY), bytearray(5), *pack([bytes(5)], [[]]), bytes(iv), crypt, skip)


def test_keys_have_sixteen_bytes_and_are_not_shown():
    with pytest.raises(ValueError):
        Aes(bytes(24))
    assert KEY.hex() not in repr(Aes(KEY))
    assert str(KEY) not in repr(Aes(KEY))
