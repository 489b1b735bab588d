"""Samples of a fragmented file to flat arrays (ISO/IEC 14496-12:2022, 8.8)."""

from collections.abc import Mapping, Sequence

from native.bmff.model import Track
from native.bmff.tables import Samples

def read_fragments(
    moofs: Sequence[tuple[int, bytes]],
    tracks: Sequence[Track],
    begun: Mapping[int, Samples],
    mdats: Sequence[tuple[int, int]],
) -> dict[int, Samples]:
    """Samples of every track: those of moov (`begun`), then those of the moofs in file order.

    Each moof comes with its place in the file; `mdats` are the byte ranges that hold media. A jump
    of tfdt lengthens the sample before it (TR-23, TR-25). BoxError: `bad_box`, `bad_table`,
    `offset_out_of_file`, `resolution_change`.
    """
