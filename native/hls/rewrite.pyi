"""URI places led elsewhere."""

from collections.abc import Callable

from native.hls.playlist import Playlist
from native.holes import Template

MAX_URIS: int

def rewrite(
    playlist: Playlist,
    lead: Template,
    *,
    home: bytes | None,
    prefix: bytes,
    root: bytes,
    resolve: Callable[[bytes], bytes | None],
    relate: Callable[[bytes], bytes | None],
    tail: Template | None = None,
) -> Template:
    """The playlist with every URI place leading below `lead`; untouched bytes stay as they are.

    A reference becomes `lead` and its path at the origin. Plain ones (no `.` segments, no scheme
    but our own, nothing escaped) cost no call: `home` is the path of the playlist's folder, with a
    slash at its end; `prefix` is what the origin's own paths begin with and ours do not; `root` is
    the origin's scheme and authority. Without `home`, and for the rest, `resolve` is asked; None
    leaves the reference as written. `relate` gives the relative form of a reference that must stay
    relative; it is asked only where one names a folder. `tail` is added to the query of every
    reference that is led, before its fragment; nothing else of the query changes (HLS-M5).
    Raises PlaylistError `too_many_uris` above MAX_URIS.
    """
