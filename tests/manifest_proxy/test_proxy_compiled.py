"""Holes are filled in order, and nothing else changes (MP-40)."""

from hypothesis import given
from hypothesis import strategies as st

from manifest_proxy.compiled import SESSION, TOKEN, Compiled, Piece

PIECES = st.lists(st.one_of(st.binary(max_size=4), st.just(TOKEN), st.just(SESSION)), max_size=12)


@given(PIECES, st.binary(max_size=3), st.binary(max_size=3))
def test_render_is_substitution(pieces: list[Piece], token: bytes, session: bytes) -> None:
    values = {TOKEN: token, SESSION: session}
    expected = b"".join(p if isinstance(p, bytes) else values[p] for p in pieces)
    compiled = Compiled(pieces)
    assert compiled.render(token, session) == expected
    assert compiled.render(token, session) == expected, "a render leaves the template as it was"
    assert compiled.holes == pieces.count(TOKEN)
    assert compiled.size == sum(len(p) for p in pieces if isinstance(p, bytes))
