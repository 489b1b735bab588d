"""Bytes with holes: compiled once, filled in per viewer by one copy (manifest-proxy MP-40)."""

from native.holes.template import Template

__all__ = ["Template"]
