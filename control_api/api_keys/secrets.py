"""The text of an API key: `hwk_`, what tells it from others, and 256 bits that nobody can guess.

So much chance needs no slow hash: SHA-256 is what is kept (CTL-163).
"""

import hashlib
import re
import secrets
from typing import Final, NamedTuple

MARK: Final = "hwk_"
PREFIX_BYTES: Final = 6
SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"(hwk_[0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class Secret(NamedTuple):
    """A fresh key: its text, and what is kept of it."""

    text: str
    prefix: str
    sha256: str


def fresh() -> Secret:
    """A key that nobody had before."""
    prefix = MARK + secrets.token_hex(PREFIX_BYTES)
    text = f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return Secret(text, prefix, digest(text))


def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def prefix_of(text: str) -> str | None:
    """Under what a key is looked for; None for a text that is no key."""
    found = _SHAPE.fullmatch(text)
    return found[1] if found else None
