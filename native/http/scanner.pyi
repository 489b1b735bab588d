"""The parser for Python eyes: tests, tools, logs."""

from typing_extensions import disjoint_base

@disjoint_base
class Scanner:
    """One request head, fed in pieces."""

    def feed(self, data: bytes) -> bool:
        """Take more octets; whether the head is complete or at fault."""
    @property
    def fault(self) -> str | None:
        """Code of errors.REFUSALS."""
    @property
    def at(self) -> int:
        """Offset of the fault, or of the first octet behind the head."""
    @property
    def method(self) -> str: ...
    @property
    def minor(self) -> int: ...
    @property
    def keep_alive(self) -> bool: ...
    @property
    def target(self) -> bytes:
        """Path and query, without an authority; b"" is "/" of an absolute-form, or "*"."""
    @property
    def host(self) -> bytes:
        """Host without port and trailing dot, as received."""
    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """Name and trimmed value, as received."""
