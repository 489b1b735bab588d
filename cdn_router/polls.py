"""A steering poll read: whose it is and what its player reports.

The usual query of an HLS player is read in one pass; every other form by `report`. Both readings
agree, which the tests check. Source: steering ST-30..ST-34.
"""

from collections.abc import Collection
from contextlib import suppress
from sys import intern
from urllib.parse import parse_qs

import msgspec

from native.router import asked

from . import report
from .report import NO_PATHWAY, Report

UNKNOWN = ("unknown pathway",)


class Poll(msgspec.Struct, frozen=True, gc=False):
    sealed: str  # signed state
    plain: str  # a session id, on a first poll
    told: Report


def read(query: str, known: Collection[str]) -> Poll:
    """Read a raw query; never fails (ST-31)."""
    usual = asked.usual(query)
    if usual is None or len(query) > report.MAX_QUERY_CHARS:
        return _any(query, known)
    sealed, name, bps = usual[0], intern(usual[1]), usual[2]
    issues = () if name in known or name == NO_PATHWAY else UNKNOWN
    return Poll(sealed, "", Report("hls", ((name, bps),), issues))


def _any(query: str, known: Collection[str]) -> Poll:
    values: dict[str, list[str]] = {}
    with suppress(ValueError):  # `report` tells it as an issue
        values = parse_qs(query[: report.MAX_QUERY_CHARS], errors="replace")
    sealed, plain = values.get("ss", [""])[0], values.get("sid", [""])[0]
    return Poll(sealed, plain, report.parse(query, known))
