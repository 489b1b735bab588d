"""What the CMCD code refuses, each with a stable code.

CmcdError (a RouterError, 400)
├── SfvError     text or a value that RFC 9651 does not allow
└── EncodeError  data that no conforming record can carry
"""

from ..errors import RequestError


class CmcdError(RequestError):
    """A refusal that is the sender's doing."""


class SfvError(CmcdError):
    def __init__(self, code: str, offset: int = 0) -> None:
        super().__init__(code, f"at character {offset}")
        self.offset = offset


class EncodeError(CmcdError):
    pass
