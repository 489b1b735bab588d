"""Cryptographic primitives of the process's libcrypto, called without Python in between.

The library is the one Python itself runs on where it is a shared one; where none is found, the same
answers come from `hashlib`, `hmac` and pycryptodome, slower.
"""

from native.crypto.aes import Aes
from native.crypto.mac import Mac, sha256
from native.crypto.symbols import library

__all__ = ["Aes", "Mac", "library", "sha256"]
