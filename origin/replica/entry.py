"""What is told of a channel: one entry of the stream, and one listing from a peer (MessagePack).

Names become folders: they are checked here, before anything else sees them.
"""

from typing import Annotated

import msgspec

from origin.errors import OriginError
from origin.ingest.names import NAME
from origin.live.records import RECORD_BYTES

ENTRY_BYTES = 1 << 20  # longest entry that is read
ROWS_BYTES = 1 << 18  # in one entry; more are caught up from the peer
VOLUME_LIMIT = 10**8

Name = Annotated[str, msgspec.Meta(pattern=rf"^{NAME.pattern}$")]
Ordinal = Annotated[int, msgspec.Meta(ge=1, lt=VOLUME_LIMIT)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class BadEntry(OriginError):
    """Something told of a channel is not what a peer would tell."""

    status = 502
    code = "bad_entry"


Log = Annotated[str, msgspec.Meta(pattern=rf"^(?:{NAME.pattern}|-)$")]


class Rows(msgspec.Struct, frozen=True):
    """Consecutive index records of one volume. `before`: how many the volume before it has, when
    these are its first.
    """

    track: Log
    volume: Ordinal
    first: Count
    rows: bytes
    before: Count = 0


class Entry(msgspec.Struct, frozen=True):
    """A step of a channel: what it has more than before, and how far it is published. `anew`: there
    is more than the entry tells.
    """

    url: str
    channel: Name
    anew: bool = False
    edge: int = -1
    kept: bytes = b""
    headers: dict[Name, bytes] = {}
    rows: list[Rows] = []


class VolumeState(msgspec.Struct, frozen=True):
    """A volume as its writer has it; `seal` names its index."""

    ordinal: Ordinal
    rows: Count
    media_bytes: Count
    seal: bytes


class Listing(msgspec.Struct, frozen=True):
    """All of a channel: volumes by track, oldest first."""

    edge: int
    kept: bytes
    tracks: dict[Log, list[VolumeState]]


_ENTRY = msgspec.msgpack.Decoder(Entry)
_LISTING = msgspec.msgpack.Decoder(Listing)


def pack(told: Entry | Listing) -> bytes:
    return msgspec.msgpack.encode(told)


def unpack_entry(data: bytes) -> Entry:
    """BadEntry for anything that does not fit."""
    if len(data) > ENTRY_BYTES:
        raise BadEntry("the entry is too long")
    try:
        entry = _ENTRY.decode(data)
    except ValueError as error:
        raise BadEntry(f"not an entry: {error}") from error
    if any(len(rows.rows) % RECORD_BYTES for rows in entry.rows):
        raise BadEntry("a record is cut")
    return entry


def unpack_listing(data: bytes) -> Listing:
    try:
        return _LISTING.decode(data)
    except ValueError as error:
        raise BadEntry(f"not a listing: {error}") from error
