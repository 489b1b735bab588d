"""Private key files: made on first start with mode 0600, read by every process after that."""

import json
import os
import secrets
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

import cat

Jwk = dict[str, Any]


def load_or_create(path: Path, make: Callable[[], list[Jwk]]) -> list[Jwk]:
    """The list of keys in a file; if it is absent, `make()` is written to it first.

    The file appears whole or not at all, and of two processes that start at once the first wins.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "w") as file:  # mkstemp gave it mode 0600
                json.dump(make(), file, indent=1)
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    keys = json.loads(path.read_text())
    if not isinstance(keys, list) or not keys:
        raise ValueError(f"{path}: a JSON list of keys is expected")
    return keys


def content_token_keys() -> list[Jwk]:
    """One fresh HS256 key for Common Access Tokens, 256 bits (cat CAT-24)."""
    return [cat.generate("HS256", _kid())]


def issuer_keys() -> list[Jwk]:
    """One fresh P-256 key for the built-in issuer."""
    key = ECKey.generate_key("P-256", parameters={"kid": _kid(), "alg": "ES256", "use": "sig"})
    return [dict(key.as_dict(private=True))]


def sealing_keys() -> list[Jwk]:
    """One fresh secret for what only we read back: cursors, termination codes."""
    return [cat.generate("HS256", _kid())]


def sealing_secret(keys: list[Jwk]) -> bytes:
    """The secret's bytes: the first key's `k` (RFC 7518 section 6.4.1)."""
    text = str(keys[0]["k"])
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _kid() -> str:
    return secrets.token_hex(6)
