"""Opening an archive without pyarrow's time where there is none."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runtime.clock import Clock
from runtime.objects import ObjectStore

from ..cells.place import Place, locator, network_of
from .journal import Journal

if TYPE_CHECKING:
    from .keeper import Archive

EVENTS, TAPES = "qoe", "tape"
NOWHERE = locator()


class Opened(NamedTuple):
    """The store and the archive over it, two parts in the order of their start; `keep` takes bodies
    of players with their addresses, `write` chunks of this node's tape.
    """

    objects: ObjectStore
    archive: "Archive"
    keep: Callable[[bytes, str, int], None]
    write: Callable[[bytes, str], None]


def opened(
    objects: ObjectStore,
    folder: Path,
    node: str,
    max_bytes: int,
    clock: Clock,
    locate: Callable[[str], Place] = NOWHERE,
    cdns: Callable[[str], str] = str,
    kept_days: int = 0,
) -> Opened:
    """An archive; `locate` and `cdns` tell where players are and whose host a URL has."""
    from ..tape.table import table as tape_table
    from .keeper import Archive, Shelf
    from .table import table

    events = Journal(folder, node, max_bytes)
    tape = Journal(folder, node, max_bytes, TAPES)
    shelves = (
        Shelf(EVENTS, events, lambda frames, _: table(frames, locate, cdns)),
        Shelf(TAPES, tape, tape_table),
    )
    return Opened(
        objects,
        Archive(shelves, objects, clock, kept_days),
        lambda body, peer, now_ms: events.append(body, network_of(peer), now_ms),
        lambda lines, first: tape.append(lines, first, clock.now_ms()),
    )
