"""One CMAF chunk, judged and measured in a single pass (ISO/IEC 14496-12:2022, 8.8)."""

from typing_extensions import Buffer

from native.bmff.model import Chunk, Track

def parse_chunk(data: Buffer, track: Track) -> Chunk:
    """Read one unit [styp] [prft] [emsg]* moof mdat of the track that the header declared.

    Every sample is inside the mdat and every count has its bytes, or BoxError: `truncated`,
    `bad_box`, `bad_table`, `offset_out_of_file`, `wrong_track`.
    """
