"""Common encryption of samples in place (ISO/IEC 23001-7; specs/protection.md PR-13..PR-20)."""

from native.cenc.cipher import cbcs, cenc
from native.cenc.errors import RangeError

__all__ = ["RangeError", "cbcs", "cenc"]
