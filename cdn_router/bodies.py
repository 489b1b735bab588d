"""What others encoded, held to a shape: JSON bodies of requests, and what decoders raise."""

from typing import TypeVar

import msgspec

from .errors import RequestError

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decoded(body: bytes, shape: type[T]) -> T:
    """The body; RequestError for what has another shape, is no UTF-8, or is nested without end."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise RequestError("bad_body", str(error)) from None
