"""What is known of an answer when its head has been given away: one log line (HT-160)."""

from typing import NamedTuple


class Answered(NamedTuple):
    """`octets` counts the body that was promised; a stream says 0. `path` is decoded."""

    peer: str
    method: str
    path: str
    query: str
    status: int
    octets: int
    source: str  # hot, handler, protocol
