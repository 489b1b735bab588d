"""Opaque list cursors: where a page ended, signed and bound to the list it belongs to (CTL-6)."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

from control_api.problems import Problem

TAG_BYTES = 16


def seal(secret: bytes, purpose: str, value: list[str | int]) -> str:
    """Text that only the holder of the secret can make; readable, not hidden."""
    body = msgspec.json.encode(value)
    return urlsafe_b64encode(_tag(secret, purpose, body) + body).rstrip(b"=").decode()


def unseal(secret: bytes, purpose: str, text: str) -> list[str | int] | None:
    """The sealed value; None for text that was not sealed for this purpose with this secret."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    tag, body = raw[:TAG_BYTES], raw[TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(secret, purpose, body)):
        return None
    return msgspec.json.decode(body, type=list[str | int])


def position(secret: bytes, listing: str, text: str | None) -> list[str | int] | None:
    """The sort key after which a list goes on; None for its beginning."""
    if text is None:
        return None
    value = unseal(secret, listing, text)
    if value is None:
        raise Problem("bad_cursor")
    return value


def page(
    rows: Sequence[Any], limit: int, secret: bytes, listing: str, *place: str
) -> tuple[Sequence[Any], str | None]:
    """The first `limit` of `limit + 1` rows that were asked for, and the cursor behind them where
    more follow; `place` names the columns of the sort key.
    """
    shown = rows[:limit]
    if len(rows) <= limit:
        return shown, None
    return shown, seal(secret, listing, [getattr(shown[-1], name) for name in place])


def _tag(secret: bytes, purpose: str, body: bytes) -> bytes:
    return hmac.digest(secret, purpose.encode() + b"\0" + body, hashlib.sha256)[:TAG_BYTES]
