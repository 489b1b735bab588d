"""Holes are filled in order, and nothing else changes (MP-40)."""

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
