"""What a steering poll reports: every query form that players send, never a refusal.

Source: draft-pantos-hls-rfc8216bis-22 section 7.4, ETSI TS 103 998 clause 7; steering ST-30..ST-34.
"""

import re
from collections.abc import Collection
from urllib.parse import parse_qsl

import msgspec

from .pathways import MAX_PATHWAYS, is_pathway_id

MAX_QUERY_CHARS = 7_168  # a state and what a player adds; a request line has at most 8,190
NO_PATHWAY = "."  # what an HLS client reports before it knows one
QUOTES = '" '  # around a list, or around each of it
NUMBER = re.compile(r"([0-9]{1,16})(?:\.[0-9]{0,16})?")  # VHS sends decimals (ST-32)
# An estimator's first guess, not evidence (ST-33): hls.js and shaka.
DEFAULTS_BPS = {"hls": frozenset({500_000, 1_000_000}), "dash": frozenset({1_000_000})}

Entries = tuple[tuple[str, int | None], ...]


class Report(msgspec.Struct, frozen=True, gc=False):
    """Pathways with bits per second (None: unknown), in the order sent, and what was wrong."""

    proto: str | None = None
    entries: Entries = ()
    issues: tuple[str, ...] = ()

    def measured(self, *, first_poll: bool) -> dict[str, int]:
        """Throughputs that are evidence."""
        guesses = DEFAULTS_BPS.get(self.proto or "", frozenset()) if first_poll else frozenset()
        return {name: bps for name, bps in self.entries if bps is not None and bps not in guesses}


def parse(query: str, known: Collection[str]) -> Report:
    """Read the query of a poll; faults become issues of the session (ST-31)."""
    issues = ["query too long"] if len(query) > MAX_QUERY_CHARS else []
    try:
        pairs = parse_qsl(query[:MAX_QUERY_CHARS], keep_blank_values=True, errors="replace")
    except ValueError:
        pairs = []
        issues.append("query unreadable")
    values = dict(reversed(pairs))  # the first of a repeated parameter counts
    for proto, prefix in (("hls", "_HLS_"), ("dash", "_DASH_")):
        pathway, throughput = (values.get(f"{prefix}{name}") for name in ("pathway", "throughput"))
        if pathway is None and throughput is None:
            continue
        read = _hls if proto == "hls" else _dash
        entries = read(pathway, throughput, issues)
        kept = [(name, bps) for name, bps in entries if is_pathway_id(name)]
        if len(kept) < len(entries):
            issues.append("illegal pathway")
        if any(name != NO_PATHWAY and name not in known for name, _ in kept):
            issues.append("unknown pathway")
        return Report(proto, tuple(kept), tuple(issues))
    return Report(issues=tuple(issues))


def _hls(
    pathway: str | None, throughput: str | None, issues: list[str]
) -> list[tuple[str, int | None]]:
    name = NO_PATHWAY if pathway is None else pathway.strip('"')
    return [(name, _bps(throughput or "", issues))]


def _dash(
    pathway: str | None, throughput: str | None, issues: list[str]
) -> list[tuple[str, int | None]]:
    names = pathway.split(",") if pathway else []
    rates = throughput.split(",") if throughput is not None else []
    if len(names) > MAX_PATHWAYS:
        issues.append("too many pathways")
        names = names[:MAX_PATHWAYS]
    if throughput is not None and len(rates) != len(names):
        issues.append("count mismatch")
        rates = []
    return [
        (name.strip(QUOTES), _bps(rates[at].strip(QUOTES), issues) if rates else None)
        for at, name in enumerate(names)
    ]


def _bps(text: str, issues: list[str]) -> int | None:
    """Bits per second; negative, NaN and empty mean unknown (ST-32)."""
    number = NUMBER.fullmatch(text.strip())
    if number:
        return int(number[1])
    if text and not text.strip().startswith("-") and text.strip().lower() != "nan":
        issues.append("throughput unreadable")
    return None
