"""Signatures against the published example and against forgers; when to retry (CTL-150..155)."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from control_api.webhooks.schedule import MAX_RETRY_AFTER_S, WAITS_S, next_wait_ms
from control_api.webhooks.signature import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    BadSignature,
    secret_bytes,
    secret_text,
    signed,
    verify,
)
from control_api.webhooks.vault import Vault

# The example of the Standard Webhooks reference libraries' own tests.
SECRET = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
MESSAGE, WHEN_S = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330
BODY = b'{"test": 2432232314}'
KNOWN = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = bytes(range(32))
GOOD = signed([SECRET], MESSAGE, WHEN_S, BODY)


def test_the_published_example() -> None:
    assert {ID: MESSAGE, TIMESTAMP: str(WHEN_S), SIGNATURE: KNOWN} == GOOD
    assert verify([SECRET], GOOD, BODY, WHEN_S, 300) == MESSAGE


@pytest.mark.parametrize(
    ("changed", "body", "now_s"),
    [
        ({ID: "msg_other"}, BODY, WHEN_S),
        ({ID: ""}, BODY, WHEN_S),
        ({ID: "a b"}, BODY, WHEN_S),
        ({TIMESTAMP: str(WHEN_S + 1)}, BODY, WHEN_S),
        ({TIMESTAMP: "x"}, BODY, WHEN_S),
        ({TIMESTAMP: "-1"}, BODY, WHEN_S),
        ({TIMESTAMP: "٣"}, BODY, WHEN_S),
        ({TIMESTAMP: "9" * 5_000}, BODY, WHEN_S),
        ({SIGNATURE: ""}, BODY, WHEN_S),
        ({SIGNATURE: KNOWN[3:]}, BODY, WHEN_S),
        ({SIGNATURE: "v1a," + KNOWN[3:]}, BODY, WHEN_S),
        ({SIGNATURE: KNOWN[:-1]}, BODY, WHEN_S),
        ({SIGNATURE: KNOWN.swapcase()}, BODY, WHEN_S),
        ({SIGNATURE: " ".join(["v1,x"] * 8 + [KNOWN])}, BODY, WHEN_S),
        ({SIGNATURE: "\udcff"}, BODY, WHEN_S),
        ({}, BODY + b" ", WHEN_S),
        ({}, BODY, WHEN_S + 301),
        ({}, BODY, WHEN_S - 301),
    ],
)
def test_forgeries(changed: dict[str, str], body: bytes, now_s: int) -> None:
    with pytest.raises(BadSignature):
        verify([SECRET], GOOD | changed, body, now_s, 300)


def test_rotation_overlaps_on_both_sides() -> None:
    both = signed([OTHER, SECRET], MESSAGE, WHEN_S, BODY)
    assert both[SIGNATURE].split(" ")[1] == KNOWN
    for keys in ([SECRET], [OTHER], [OTHER, SECRET]):
        assert verify(keys, both, BODY, WHEN_S + 300, 300) == MESSAGE
    assert verify([OTHER, SECRET], GOOD, BODY, WHEN_S - 300, 300) == MESSAGE
    with pytest.raises(BadSignature):
        verify([OTHER], GOOD, BODY, WHEN_S, 300)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=99), st.integers(0, 2**33))
def test_what_is_signed_verifies(secret: bytes, body: bytes, when_s: int) -> None:
    assert secret_bytes(secret_text(secret)) == secret
    assert verify([secret], signed([secret], "m", when_s, body), body, when_s, 0) == "m"


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_!!!!", secret_text(b"x" * 23), secret_text(b"x" * 65), "YWJj" * 10],
)
def test_secrets_of_another_form(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        secret_bytes(text)
    assert len(text) < 10 or text not in str(caught.value)


def test_a_sealed_secret_opens_in_its_own_row_only() -> None:
    vault = Vault(b"k" * 32)
    text = vault.seal("whk_1", SECRET)
    assert vault.open("whk_1", text) == SECRET and text != vault.seal("whk_1", SECRET)
    for other, endpoint in ((vault, "whk_2"), (Vault(b"K" * 32), "whk_1")):
        with pytest.raises(InvalidTag):
            other.open(endpoint, text)


def test_attempts_are_spread_as_said() -> None:
    """CTL-151: +5, +10, +20, +40 s after the former one, 10 % either way; then no more."""
    waits = [next_wait_ms("standard", done, 500, "", 0.5) for done in range(1, 6)]
    assert waits == [5_000, 10_000, 20_000, 40_000, None]
    assert next_wait_ms("standard", 1, None, "", 0.0) == 4_500
    assert next_wait_ms("standard", 1, None, "", 1.0) == 5_500
    assert len(WAITS_S["extended"]) == 10 and sum(WAITS_S["extended"]) == (75 * 60 + 35) * 60 + 5
    assert next_wait_ms("extended", 10, None, "", 0.5) is None


@pytest.mark.parametrize(
    ("status", "text", "wait_ms"),
    [
        (429, "60", 60_000),
        (503, "7", 7_000),
        (503, "1", 5_000),
        (500, "60", 5_000),
        (429, "9" * 400, 1_000 * MAX_RETRY_AFTER_S),
        (429, "-5", 5_000),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 5_000),
        (429, "٣", 5_000),
    ],
)
def test_retry_after(status: int, text: str, wait_ms: int) -> None:
    assert next_wait_ms("standard", 1, status, text, 0.5) == wait_ms
