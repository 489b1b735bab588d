"""Many reports added up: what `headwater bench load` prints and judges."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bench.players.report import Report


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all values does not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Median, p95 and maximum, rounded to milliseconds; None where nothing was measured."""
    found = {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95)}
    found["max"] = max(values, default=None)
    return {name: None if v is None else round(v, 3) for name, v in found.items()}


def tally(reports: Iterable[Report]) -> dict[str, Any]:
    """By kind of player: sessions, start-up, seeks, stalls, latency, errors by cause."""
    kinds: dict[str, list[Report]] = {}
    for report in reports:
        kinds.setdefault(report.player, []).append(report)
    return {kind: _sum(members) for kind, members in kinds.items()}


def _sum(reports: Sequence[Report]) -> dict[str, Any]:
    errors: Counter[str] = Counter()
    for report in reports:
        errors.update(report.errors)
    played_s = sum(r.played_s for r in reports)
    stalled_s = sum(r.stalled_s for r in reports)
    requests = sum(r.requests for r in reports)
    failed = sum(n for name, n in errors.items() if name != "gap")
    return {
        "sessions": len(reports),
        "startup_s": spread([s for r in reports for s in r.startups_s]),
        "seek_s": spread([s for r in reports for s in r.seeks_s]),
        "latency_s": spread([s for r in reports for s in r.latencies_s]),
        "stalls": sum(len(r.stalls_s) for r in reports),
        "stalled_s": round(stalled_s, 3),
        "played_s": round(played_s, 3),
        "stall_ratio": round(stalled_s / (played_s + stalled_s), 6) if played_s else None,
        "switches": sum(r.switches for r in reports),
        "media_bytes": sum(r.media_bytes for r in reports),
        "requests": requests,
        "error_ratio": round(failed / requests, 6) if requests else None,
        "errors": dict(sorted(errors.items())),
    }
