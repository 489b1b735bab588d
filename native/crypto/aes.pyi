"""AES-128 (FIPS 197; modes of SP 800-38A) for bulk work in other kernels (C face: aes.pxd)."""

from typing import final

@final
class Aes:
    """One key, never shown. Not for use by several threads at a time."""

    def __new__(cls, key: bytes) -> Aes:
        """ValueError when `key` is not 16 bytes."""
    def ctr_bytes(self, block: bytes, data: bytes) -> bytes:
        """CTR from a first counter block of 16 bytes; all 128 bits count."""
    def cbc_bytes(self, iv: bytes, data: bytes) -> bytes:
        """CBC encryption of whole blocks, no padding."""
