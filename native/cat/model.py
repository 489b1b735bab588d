"""What CBOR decodes to: arrays are tuples so that they can be map keys, tags are `Tag`."""

from typing import TypeAlias

from native.cat.tag import Tag

Value: TypeAlias = (
    int | float | str | bytes | bool | tuple["Value", ...] | dict["Value", "Value"] | Tag | None
)
