"""A gzip stream around a token, with the checksum of what it unfolds to."""

from typing import final

@final
class Stream:
    """`before`, a token and `behind` are a gzip file less its trailer (RFC 1952 section 2.3)."""

    def __init__(self, before: bytes, behind: bytes, body: bytes, mark: bytes) -> None:
        """`body` is what it unfolds to where the token is `mark`, which is nowhere else in it."""

    def of(self, token: bytes) -> bytes:
        """The whole file; ValueError for a token that is not as long as the mark."""
