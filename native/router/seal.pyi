from typing import final

@final
class Seal:
    """Signs and opens under one secret. Not for use by several threads at a time."""

    def __new__(cls, secret: bytes) -> Seal: ...
    def sealed(self, payload: bytes) -> str:
        """The payload with its signature: letters that need no quoting."""
    def opened(self, text: str) -> bytes | None:
        """The payload; None for what is not signed here or altered. Compared in constant time."""
