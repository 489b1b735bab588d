"""HLS playlists as bytes: every line is typed and keeps its bytes; only touched ones are rewritten.

`Playlist` reads a playlist once, `rewrite` leads every URI place of it elsewhere.
Source: draft-pantos-hls-rfc8216bis-22 section 4; HLS-M1, HLS-M2, HLS-M4.
"""

from native.hls.attributes import attributes
from native.hls.errors import PlaylistError
from native.hls.model import Attribute, Kind, Line
from native.hls.playlist import Playlist
from native.hls.rewrite import rewrite

__all__ = ["Attribute", "Kind", "Line", "Playlist", "PlaylistError", "attributes", "rewrite"]
