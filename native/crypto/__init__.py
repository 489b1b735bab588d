"""Cryptographic primitives of the process's libcrypto, called without Python in between.

The library is the one Python itself runs on where it is a shared one; where none is found, the same
answers come from `hashlib` and `hmac`, slower.
"""

from native.crypto.mac import Mac, library, sha256

__all__ = ["Mac", "library", "sha256"]
