"""CMCD sets that are in perfect order, read in one pass; everything else is the caller's."""

from native.cmcd.orderly import Orderly

__all__ = ["Orderly"]
