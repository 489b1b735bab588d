"""Answers that follow a growing object (C face: following.pxd)."""

from typing_extensions import disjoint_base

from native.http.replies import Replies

@disjoint_base
class Following(Replies):
    """A reader: a position in a growing object."""
