"""What can be wrong with timed metadata.

OriginError
└── BadEvent   400  a message that its own syntax does not allow; it is dropped and counted
"""

from origin.errors import OriginError


class BadEvent(OriginError):
    code, status = "bad_event", 400
