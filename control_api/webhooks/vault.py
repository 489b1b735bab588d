"""Secrets of endpoints at rest: AES-256-GCM under a key derived from the API's sealing secret.

Sources: RFC 5116 (AEAD_AES_256_GCM), RFC 5869 (HKDF). Each text is bound to its endpoint, so that a
row's secret is of no use in another row.
"""

import secrets
from base64 import b64decode, b64encode
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES: Final = 12
_PURPOSE: Final = b"headwater webhook secrets"


class Vault:
    """Seals and opens; keeps the derived key only."""

    def __init__(self, sealing_secret: bytes, purpose: bytes = _PURPOSE) -> None:
        self._aead = AESGCM(HKDF(SHA256(), 32, None, purpose).derive(sealing_secret))

    def seal(self, endpoint_id: str, secret: bytes) -> str:
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, secret, endpoint_id.encode())
        return b64encode(nonce + sealed).decode()

    def open(self, endpoint_id: str, text: str) -> bytes:
        """Raises cryptography's InvalidTag for another endpoint's or a spoilt text."""
        raw = b64decode(text)
        return self._aead.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], endpoint_id.encode())
