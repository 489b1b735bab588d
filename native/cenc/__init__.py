"""Common encryption of samples in place (ISO/IEC 23001-7; specs/protection.md PR-13..PR-34)."""

from native.cenc.cipher import (
    cbcs,
    cbcs_copy,
    cbcs_fresh,
    cbcs_open,
    cenc,
    cenc_copy,
    cenc_fresh,
)
from native.cenc.errors import RangeError, SampleError
from native.cenc.ranges import Finder, State, auxiliary

__all__ = [
    "Finder",
    "RangeError",
    "SampleError",
    "State",
    "auxiliary",
    "cbcs",
    "cbcs_copy",
    "cbcs_fresh",
    "cbcs_open",
    "cenc",
    "cenc_copy",
    "cenc_fresh",
]
