"""CMSD-Dynamic of an answer, as probes see it or players tell of it: whether its server says that
it suffers (CM-51, CM-52).

A list of hops, the nearest last; each may say `du`, that it is in duress and clients should go
elsewhere, and `rd`, how many ms it kept the answer back. Source: CTA-5006, as specs/cmcd.md
section 6 has it. What cannot be read says nothing.
"""

import math
from base64 import b64decode

from .cmcd.errors import SfvError
from .cmcd.sfv import parse_list

HEADER = "cmsd-dynamic"
MAX_CHARS = 4_096


def in_duress(told: bytes) -> bool:
    """Whether a player's `cmsdd`, base64 of the header, tells of duress; of what a hop calls late
    a player's own times say more.
    """
    if len(told) > MAX_CHARS:
        return False
    try:
        text = b64decode(told, validate=True)
    except ValueError:
        return False
    return b"du" in text and suffers(text.decode("latin-1"), math.inf)


def suffers(text: str, slow_ms: float) -> bool:
    """Whether the nearest hop is in duress, or kept the answer back for longer than the limit."""
    if not text or len(text) > MAX_CHARS:
        return False
    try:
        hops = parse_list(text)
    except SfvError:
        return False
    said = hops[-1].params if hops else {}
    delay_ms = said.get("rd")
    late = isinstance(delay_ms, int) and not isinstance(delay_ms, bool) and delay_ms > slow_ms
    return said.get("du") is True or late
