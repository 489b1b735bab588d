"""Which bytes of each sample are protected (specs/protection.md PR-23..PR-34)."""

from typing import final

from typing_extensions import Buffer

@final
class State:
    """What samples have told that later ones are read by: parameter sets, reference frames."""

@final
class Finder:
    """The rules of one video track; one per track."""

    def __init__(self, config_kind: str, config: bytes, scheme: str) -> None:
        """`config` is the body of the decoder configuration box `config_kind`: avcC, hvcC or av1C.

        `scheme` is "cenc" or "cbcs". SampleError `config` or `slice_header`; ValueError for
        anything else.
        """
    def begin(self) -> State:
        """What is known in front of a random access point."""
    def find(
        self, data: Buffer, start: int, sizes: bytes, limit: int, state: State | None = None
    ) -> tuple[bytes, bytes, int]:
        """Ranges of samples that lie end to end from `start`: counts (u16) and pairs (u32).

        `sizes` is u32 per sample; all in the machine's byte order, as the ciphers take them. At
        most `limit` ranges each: the smallest stay clear beyond (PR-34), and how many did is the
        last of the answer. SampleError names the sample.

        Samples begin at a random access point, or follow those that `state` was given with before
        in decode order; it goes on with them, unless there is an error.
        """

def auxiliary(counts: bytes, ranges: bytes, ivs: bytes, samples: int) -> tuple[bytes, bytes]:
    """Sizes (u8 per sample) and octets of the samples' rows in senc (PR-5, PR-6).

    `ivs` is empty with a constant IV.
    """
