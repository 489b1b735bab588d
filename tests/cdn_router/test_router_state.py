"""State in RELOAD-URI: what was sealed opens, and nothing else does (ST-53)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.state import MAX_CHARS, Signer, State
from native.router.seal import Seal

SIGNER = Signer(b"k" * 32)
STATE = State("ses_1", ("CDN-A", "CDN-B"), 3, 1000)


def test_round_trip_and_expiry() -> None:
    sealed = SIGNER.seal(STATE)
    assert SIGNER.open(sealed, 999.9) == STATE
    assert SIGNER.open(sealed, 1000) is None
    assert Signer(b"x" * 32).open(sealed, 0) is None
    assert sealed.replace(".", "").replace("-", "").replace("_", "").isalnum(), "needs no quoting"


@given(st.integers(0, len(SIGNER.seal(STATE)) - 1), st.characters())
def test_any_altered_character_is_noticed(at: int, letter: str) -> None:
    sealed = SIGNER.seal(STATE)
    altered = sealed[:at] + letter + sealed[at + 1 :]
    assert SIGNER.open(altered, 0) == (STATE if altered == sealed else None)


@pytest.mark.parametrize("more", [[1], [1, 2], [None]])
def test_state_of_another_version_opens_nothing(more: list[object]) -> None:
    """A rolling update is no fault of the player's (ST-21)."""
    fields = [*msgspec.to_builtins(STATE), *more]
    foreign = Seal(b"k" * 32).sealed(msgspec.json.encode(fields))
    assert SIGNER.open(foreign, 0) is None


@pytest.mark.parametrize(
    "text", ["", ".", "v1..", "v2.a.b", "v1.a", "a" * (MAX_CHARS + 1), "é.é.é"]
)
def test_garbage_opens_nothing(text: str) -> None:
    assert SIGNER.open(text, 0) is None
