"""JSON bodies of requests, held to a shape."""

from typing import TypeVar

import msgspec

from .errors import RequestError

T = TypeVar("T")


def decoded(body: bytes, shape: type[T]) -> T:
    """The body; RequestError for what has another shape, is no UTF-8, or is nested without end."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("bad_body", str(error)) from None
