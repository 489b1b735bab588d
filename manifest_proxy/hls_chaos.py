"""Segments that fail on purpose: their URIs lead to where this proxy answers with a status.

Which ones follows from their numbers and the rule's seed, so that every refresh and every node
spoils the same (HLS-M8). Source: manifest-proxy MP-22.
"""

from collections.abc import Sequence
from hashlib import blake2b

from native.hls import Kind, Playlist

from .errors import ManifestError
from .hls import changed
from .hls_segments import SEQUENCE, SKIP, number_of
from .hls_trim import CONTROL, SKIPPING
from .rulebook import Chaos

DRAWS = 1 << 32


def spoiled(data: bytes, chaos: Sequence[Chaos], url: str) -> bytes:
    """The media playlist with the URIs of unlucky segments below `url`."""
    playlist = Playlist(data)
    if SKIP in playlist.tags:
        raise ManifestError("playlist_delta", "a delta cannot be edited")
    lines = playlist.lines()
    number = number_of(next((line for line in lines if line.name == SEQUENCE), None))
    made = []
    for line in lines:
        raw = changed(line, SKIPPING).raw if line.name == CONTROL else line.raw
        if line.kind is Kind.URI:
            unlucky = next((one for one in chaos if is_unlucky(one, number)), None)
            if unlucky is not None:
                raw = f"{url}/{unlucky.status}/{number}".encode() + line.ending
            number += 1
        made.append(raw)
    return b"".join(made)


def is_unlucky(chaos: Chaos, number: int) -> bool:
    """Whether the rule spoils the segment of that number."""
    if chaos.status is None or number not in chaos.numbers:
        return False
    digest = blake2b(f"{chaos.seed}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) < chaos.share * DRAWS
