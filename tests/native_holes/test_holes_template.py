"""Holes are filled in order, and nothing else changes (MP-40)."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.holes import Template

Nested = bytes | int | list["Nested"]
NESTED: st.SearchStrategy[Nested] = st.recursive(
    st.one_of(st.binary(max_size=40), st.integers(0, 7)), st.lists, max_leaves=30
)
PIECES = st.lists(NESTED, max_size=12)
VALUES = st.lists(st.binary(max_size=20), max_size=8)


def flat(pieces: Iterable[Nested]) -> list[bytes | int]:
    found: list[bytes | int] = []
    for piece in pieces:
        found += flat(piece) if isinstance(piece, list) else [piece]
    return found


def template(pieces: Iterable[Nested]) -> Template:
    return Template(template(piece) if isinstance(piece, list) else piece for piece in pieces)


@given(PIECES, VALUES)
def test_render_is_substitution(pieces: list[Nested], values: list[bytes]) -> None:
    filled = dict(enumerate(values))
    leaves = flat(pieces)
    expected = b"".join(p if isinstance(p, bytes) else filled.get(p, b"") for p in leaves)
    made = template(pieces)
    assert made.render(*values) == expected
    assert made.render(*values) == expected, "a render leaves the template as it was"
    assert made.holes == sum(1 for p in leaves if not isinstance(p, bytes))
    assert made.size == sum(len(p) for p in leaves if isinstance(p, bytes))


@pytest.mark.parametrize("piece", [8, -1, "text", None, 1.5])
def test_what_is_no_piece(piece: object) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        Template([piece])  # type: ignore[list-item]


def test_what_are_no_values() -> None:
    with pytest.raises(ValueError):
        Template().render(*[b""] * 9)
    with pytest.raises(TypeError):
        Template([0]).render("text")  # type: ignore[arg-type]


SIGN = b"~mark-"
MARKED = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.integers(0, 7),
        st.integers(0, 255).map(lambda bit: SIGN + b"%02x" % bit),
        st.sampled_from([SIGN, SIGN[:3], SIGN + b"0", SIGN + b"0G", SIGN + b"zz"]),
    ),
    max_size=12,
)
FOLDERS = st.binary(max_size=5)


@given(MARKED, VALUES, st.binary(min_size=32, max_size=32), FOLDERS, FOLDERS)
def test_choices_are_substitution_too(
    pieces: list[bytes | int], values: list[bytes], pattern: bytes, zero: bytes, one: bytes
) -> None:
    """Wherever a sign stands between holes, and nowhere else."""
    bits = "".join(f"{octet:08b}" for octet in pattern)
    runs: list[bytes | int] = [b""]
    for piece in pieces:  # text that grew together is searched as one
        if isinstance(piece, bytes) and isinstance(runs[-1], bytes):
            runs[-1] += piece
        else:
            runs.append(piece)

    def filled(pick: list[bytes]) -> bytes:
        def text(run: bytes) -> bytes:
            return re.sub(
                re.escape(SIGN) + rb"([0-9a-f]{2})", lambda m: pick[int(bits[int(m[1], 16)])], run
            )

        told = dict(enumerate(values))
        return b"".join(text(r) if isinstance(r, bytes) else told.get(r, b"") for r in runs)

    made = Template(pieces).choosing(SIGN)
    assert made.chosen(pattern, zero, one, *values) == filled([zero, one])
    assert made.render(*values) == filled([b"", b""])
    nested = Template([b"<", made, b">"])
    assert nested.chosen(pattern, zero, one, *values) == b"<" + filled([zero, one]) + b">"


def test_a_pattern_of_another_length() -> None:
    with pytest.raises(ValueError):
        Template().chosen(b"31" * 15 + b"x", b"", b"")
