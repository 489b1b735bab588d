"""What CBOR decodes to: arrays are tuples so that they can be map keys, tags are `Tag`."""

from typing import NamedTuple, TypeAlias


class Tag(NamedTuple):
    number: int
    value: "Value"


Value: TypeAlias = (
    int | float | str | bytes | bool | tuple["Value", ...] | dict["Value", "Value"] | Tag | None
)
