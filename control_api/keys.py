"""Private key files: made on first start with mode 0600, read by every process after that."""

import json
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from control_api import ids

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
    return [{"kid": _kid(), "alg": "HS256", "kty": "oct", "k": _random(32)}]


def issuer_keys() -> list[Jwk]:
    """One fresh P-256 key for the built-in issuer and one secret for what only we read back."""
    signing = ECKey.generate_key("P-256", parameters={"kid": _kid(), "alg": "ES256", "use": "sig"})
    return [
        dict(signing.as_dict(private=True)),
        {"kid": _kid(), "alg": "HS256", "kty": "oct", "k": _random(32)},
    ]


def _kid() -> str:
    return ids.uuid7(0, secrets.randbits(74))[-12:]


def _random(size_bytes: int) -> str:
    return urlsafe_b64encode(secrets.token_bytes(size_bytes)).rstrip(b"=").decode()
