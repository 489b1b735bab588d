"""What the encryption kernels refuse.

ValueError
├── RangeError    sizes, ranges and IVs that do not fit the octets given
└── SampleError   coded media in which the protected bytes cannot be told (PR-27)
"""

CODES = frozenset(
    {
        "slice_header",  # a header that cannot be read, or that names unknown parameter sets
        "nal_length",  # a NAL unit longer than its sample
        "partition",  # data partitioning of AVC, which no scheme covers (PR-26)
        "obu",  # an AV1 unit or tile that leaves its sample
        "config",  # a decoder configuration that cannot be read
    }
)


class RangeError(ValueError):
    """Sizes, ranges and IVs that do not fit the octets given."""


class SampleError(ValueError):
    """`code` is one of CODES; `sample` counts from 0 in the fragment, -1 is the configuration."""

    def __init__(self, code: str, sample: int, detail: str) -> None:
        where = "the configuration" if sample < 0 else f"sample {sample}"
        super().__init__(f"{code} in {where}: {detail}")
        self.code = code
        self.sample = sample
        self.detail = detail
