"""The lossless line reader (C face: playlist.pxd)."""

from typing import Self, final

from native.hls.model import Line

@final
class Playlist:
    """A playlist cut into lines: 16 bytes of bookkeeping a line, the data itself is not copied."""

    data: bytes

    def __new__(cls, data: bytes, *, whole: bool = True) -> Self:
        """Lines out of a playlist are not `whole`: they need not begin with #EXTM3U.

        Raises PlaylistError `not_a_playlist` or `control_character`.
        """

    def __len__(self) -> int:
        """How many lines there are."""

    def lines(self) -> list[Line]:
        """Every line; their `raw` together are the data."""

    @property
    def tags(self) -> frozenset[bytes]:
        """Names of the known tags that occur."""
