"""ftyp and moov to a Movie (ISO/IEC 14496-12:2022, 8.1 to 8.8)."""

from typing_extensions import Buffer

from native.bmff.model import Movie

def parse_init(data: Buffer) -> Movie:
    """Read ftyp and moov; other top-level boxes are stepped over, an mdat never opened (TR-2).

    Sample tables are not read here: Track.tables says where they lie for `read_samples`.
    """
