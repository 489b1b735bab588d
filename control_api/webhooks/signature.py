"""The signature of a message: Standard Webhooks 1.0.0, symmetric scheme `v1` (CTL-150, CTL-155).

What is signed is `{id}.{timestamp}.{body}`; during the rotation of a secret a message carries, and
a receiver tries, one signature for each secret.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from control_api.ids import VALID

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
NEW_SECRET_BYTES: Final = 32
MAX_SIGNATURES: Final = 8


class BadSignature(Exception):
    """The message is not what a holder of a secret sent lately; tells which check failed."""


def secret_text(secret: bytes) -> str:
    """As it is shown, once."""
    return PREFIX + b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """The secret's bytes. Raises ValueError, never quoting it."""
    try:
        secret = b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError("a webhook secret is whsec_ and base64") from None
    if not text.startswith(PREFIX) or len(secret) not in SECRET_BYTES:
        raise ValueError("a webhook secret is whsec_ and base64 of 24 to 64 bytes")
    return secret


def signed(
    secrets: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The headers of a message, with a signature for each secret."""
    marks = [_mark(secret, message_id, timestamp_s, body) for secret in secrets]
    return {ID: message_id, TIMESTAMP: str(timestamp_s), SIGNATURE: " ".join(marks)}


def verify(
    secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: int, skew_s: int
) -> str:
    """The message's id, if any secret signed it within `skew_s`. Raises BadSignature.

    Every secret is compared with every signature, whichever fits, in constant time.
    """
    message_id = headers.get(ID, "")
    timestamp = headers.get(TIMESTAMP, "")
    given = headers.get(SIGNATURE, "").split(" ")
    if not VALID.fullmatch(message_id):
        raise BadSignature("no id")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise BadSignature("no timestamp")
    if len(given) > MAX_SIGNATURES:
        raise BadSignature("too many signatures")
    expected = [_mark(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    fits = [
        hmac.compare_digest(mark, one.encode(errors="replace"))
        for mark in expected
        for one in given
    ]
    if not any(fits):
        raise BadSignature("no signature fits")
    if abs(now_s - int(timestamp)) > skew_s:
        raise BadSignature("too old or too new")
    return message_id


def _mark(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    told = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + b64encode(hmac.digest(secret, told, hashlib.sha256)).decode()
