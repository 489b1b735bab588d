"""Answers made without the handler."""

from typing_extensions import disjoint_base

@disjoint_base
class Desk:
    """Asked about every GET and HEAD that no hot object answers, before a Request is cut of it."""
