"""The names of remembered tokens against plain Python (CAT-101)."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.cat import SECRET_BYTES, Namer

SECRET = random.Random(7).randbytes(SECRET_BYTES)
NAMER = Namer(SECRET)
WIDE = 2**128


def oracle(text):
    """NH in two passes, then SHA-256 of both sums and the length, each little-endian."""
    data = text.encode()
    padded = data + bytes(-len(data) % 16)
    words = [int.from_bytes(padded[at : at + 8], "little") for at in range(0, len(padded), 8)]
    keys = [int.from_bytes(SECRET[at : at + 8], "little") for at in range(0, SECRET_BYTES, 8)]
    sums = [
        sum(
            (words[at] + keys[at + shift])
            % 2**64
            * ((words[at + 1] + keys[at + 1 + shift]) % 2**64)
            for at in range(0, len(words), 2)
        )
        % WIDE
        for shift in (0, 2)
    ]
    tail = len(data).to_bytes(8, "little") + bytes(8)
    return hashlib.sha256(b"".join(s.to_bytes(16, "little") for s in sums) + tail).digest()


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_names_are_those_of_the_oracle(text):
    assert NAMER.of(text) == oracle(text)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4080, 4095, 4096])
def test_sizes(size):
    assert NAMER.of("x" * size) == oracle("x" * size)


def test_near_texts_have_their_own_names():
    """Zeros at the end, swapped words and blocks, one letter more or less."""
    base = "".join(random.Random(3).choices("abcdefgh", k=64))
    texts = {base[:at] + chr(ord(base[at]) ^ 1) + base[at + 1 :] for at in range(64)}
    texts |= {base[:at] for at in range(65)} | {base + "\0" * more for more in range(17)}
    texts |= {base[8:16] + base[:8] + base[16:], base[16:32] + base[:16] + base[32:]}
    assert len({NAMER.of(text) for text in texts}) == len(texts)
    assert NAMER.of(base) != Namer(SECRET[::-1]).of(base)


def test_what_has_no_name():
    for wrong in ("x" * 4097, "\u00e9"):
        with pytest.raises(ValueError, match="text"):
            NAMER.of(wrong)
    for size in (0, SECRET_BYTES - 1, SECRET_BYTES + 1):
        with pytest.raises(ValueError, match="secret"):
            Namer(bytes(size))
