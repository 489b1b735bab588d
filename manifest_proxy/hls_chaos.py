"""Segments and parts that fail on purpose in HLS: their URIs lead to where this proxy does that.

Which ones follows from their numbers and the rule's seed, so that every refresh and every node
spoils the same (HLS-M8). Source: manifest-proxy MP-22; HLS-M22, M25.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

from native.hls import Kind, Line

from .hls import attribute, changed
from .hls_segments import PART, numbered
from .hls_trim import CONTROL, SKIPPING
from .hls_watermark import HINT
from .rulebook import Chaos

DRAWS = 1 << 32

# The number of a segment, the rule that spoils it, and its reference: what stands there instead.
Spoil = Callable[[int, int, bytes], bytes]


def spoiled(data: bytes, chaos: Sequence[Chaos | None], spoil: Spoil) -> bytes:
    """The media playlist with the URIs of unlucky segments; None for rules that do not cover it."""
    made = []
    for number, line in numbered(data):
        rule = first_unlucky(chaos, number)
        made.append(line.raw if rule is None else _spoiled(line, number, rule, spoil))
        if line.name == CONTROL:
            made[-1] = changed(line, SKIPPING).raw
    return b"".join(made)


def first_unlucky(chaos: Sequence[Chaos | None], number: int) -> int | None:
    """The first rule that spoils the segment of that number, by its place."""
    for at, one in enumerate(chaos):
        if one is not None and is_unlucky(one, number):
            return at
    return None


def is_unlucky(chaos: Chaos, number: int) -> bool:
    """Whether the rule spoils the segment of that number."""
    if not chaos.spoils or number not in chaos.numbers:
        return False
    digest = blake2b(f"{chaos.seed}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) < chaos.share * DRAWS


def _spoiled(line: Line, number: int, rule: int, spoil: Spoil) -> bytes:
    if line.kind is Kind.URI:
        return spoil(number, rule, line.value) + line.ending
    is_hint = line.name == HINT and attribute(line, b"TYPE") == b"PART"
    uri = attribute(line, b"URI") if is_hint or line.name == PART else None
    if uri is None:
        return line.raw
    return changed(line, {b"URI": b'"%b"' % spoil(number, rule, uri)}).raw
