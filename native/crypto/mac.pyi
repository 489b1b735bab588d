"""SHA-256 and HMAC-SHA256 (FIPS 180-4, RFC 2104), C face: mac.pxd."""

from typing import final

__pyx_capi__: dict[str, object]  # what other kernels call

def sha256(data: bytes) -> bytes:
    """The 32 bytes of SHA-256."""

@final
class Mac:
    """HMAC-SHA256 under one secret, keyed once. Not for use by several threads at a time."""

    def __new__(cls, secret: bytes) -> Mac: ...
    def digest(self, data: bytes) -> bytes:
        """The 32 bytes of the MAC."""
    def holds(self, data: bytes, seal: bytes) -> bool:
        """Whether `seal` is the MAC of `data`; compared in constant time."""
