"""A content key that does not print itself (PR-140)."""

import hmac
from typing import NoReturn, final

KEY_BYTES = 16
MASK = "Secret(***)"


@final
class Secret:
    """16 bytes. Nothing that shows, copies or serialises an object shows them: ask `reveal`."""

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        if len(value) != KEY_BYTES:
            raise ValueError(f"a content key has {KEY_BYTES} bytes, not {len(value)}")
        self.__value = bytes(value)

    def reveal(self) -> bytes:
        return self.__value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a content key is never serialised")
