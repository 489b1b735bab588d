"""A steering poll read: whose it is and what its player reports.

The usual query of an HLS player is read in one pass; every other form by `report`. Both readings
agree, which the tests check. Source: steering ST-30..ST-34.
"""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qs

from . import report
from .report import NO_PATHWAY, Report

USUAL = re.compile(
    r"ss=([A-Za-z0-9._-]+)&_HLS_pathway=(%22)?([A-Za-z0-9._-]{1,64})(?(2)%22)"
    r"(?:&_HLS_throughput=([0-9]{1,16}))?"
)
UNKNOWN = ("unknown pathway",)


class Poll(NamedTuple):
    sealed: str  # signed state
    plain: str  # a session id, on a first poll
    told: Report


def read(query: str, known: Collection[str]) -> Poll:
    """Read a raw query; never fails (ST-31)."""
    usual = USUAL.fullmatch(query)
    if usual is None or len(query) > report.MAX_QUERY_CHARS:
        return _any(query, known)
    sealed, _, name, rate = usual.groups()
    issues = () if name in known or name == NO_PATHWAY else UNKNOWN
    return Poll(sealed, "", Report("hls", ((name, None if rate is None else int(rate)),), issues))


def _any(query: str, known: Collection[str]) -> Poll:
    values: dict[str, list[str]] = {}
    with suppress(ValueError):  # `report` tells it as an issue
        values = parse_qs(query[: report.MAX_QUERY_CHARS], errors="replace")
    sealed, plain = values.get("ss", [""])[0], values.get("sid", [""])[0]
    return Poll(sealed, plain, report.parse(query, known))
