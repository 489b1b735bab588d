"""Names for tokens under one secret (C face: namer.pxd)."""

from typing import Final, final

SECRET_BYTES: Final[int]

@final
class Namer:
    """Tokens that differ have names that differ, but for a chance of 2**-128 that nobody who does
    not know the secret can better; no name tells its token.
    """

    def __init__(self, secret: bytes) -> None:
        """`secret` is SECRET_BYTES from a generator fit for keys."""
    def of(self, token: str) -> bytes:
        """The 32 bytes that stand for an ASCII text of at most 4,096; ValueError for any other."""
