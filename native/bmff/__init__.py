"""ISO base media files (ISO/IEC 14496-12) as bytes: walk, parse and write boxes and sample tables.

`parse_init` reads a header, `parse_chunk` one CMAF chunk, `Splitter` cuts an endless stream into
such units. Nothing here copies media or believes a length before it has checked it.
"""

from native.bmff.boxes import tree, walk
from native.bmff.chunk import parse_chunk
from native.bmff.errors import BoxError
from native.bmff.model import Box, Chunk, Edit, Emsg, Kind, Movie, Prft, SampleEntry, Track, Unit
from native.bmff.movie import parse_init
from native.bmff.splitter import Splitter

__all__ = [
    "Box",
    "BoxError",
    "Chunk",
    "Edit",
    "Emsg",
    "Kind",
    "Movie",
    "Prft",
    "SampleEntry",
    "Splitter",
    "Track",
    "Unit",
    "parse_chunk",
    "parse_init",
    "tree",
    "walk",
]
