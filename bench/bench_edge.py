"""Edge scripts on their stand-ins, CPU of one request (specs/edge.md, section 8).

    python -m bench.bench_edge --json

A token with the claims a CloudFront bundle evaluates, HS256. CloudFront's function runs under njs,
process start included and shared by all requests, and bench/edge_budget.py says what share of the
budget it takes; the others report `process.cpuUsage` themselves.
"""

import json
import statistics
import time

import cat
from bench import harness
from bench.edge_budget import cost
from headwater.edge import build
from headwater.edge.platforms import PLATFORMS
from headwater.edge.stand_ins import run
from headwater.edge.table import NOW, REQUEST, SECRET, SOURCES

REQUESTS = 1_000
WARM_UP = 200
TARGET_PERCENT = 30
CLAIMS: dict[str | int, object] = {
    "exp": NOW + 600,
    "iss": "me",
    "catm": ["GET", "HEAD"],
    "catu": {"path": {"prefix": "/live/"}},
    "catgeoiso3166": ["SE"],
}


def measure() -> list[str]:
    """One line per platform: median and 99th percentile in microseconds."""
    token = cat.issue({**CLAIMS}, cat.KeySet.from_json([SECRET]).signer())
    stores = {"keys": json.dumps([SECRET])}
    case = {"request": {**REQUEST, "query": f"CAT={token}"}, "stores": stores}
    lines = []
    for name in PLATFORMS:
        (bundle, *_) = build(name, lambda path: (SOURCES / path).read_text(), {"issuers": ["me"]})
        started = time.perf_counter()
        answers = run(name, bundle, [case] * REQUESTS, SOURCES)
        wall_us = (time.perf_counter() - started) / REQUESTS * 1e6
        spent = sorted(answer.get("cpu_us", wall_us) for answer in answers[WARM_UP:])
        median, p99 = statistics.median(spent), spent[len(spent) * 99 // 100]
        lines.append(harness.line("edge", f"{name}_median", median, "us", None, None))
        lines.append(harness.line("edge", f"{name}_p99", p99, "us", None, None))
        if name == "cloudfront":
            spent_on = cost(bundle, case, SOURCES)
            for unit in ("instructions", "percent"):
                value, target = (
                    getattr(spent_on, unit),
                    TARGET_PERCENT if unit == "percent" else None,
                )
                peer = "target" if target else None
                lines.append(harness.line("edge", f"{name}_budget", value, unit, peer, target))
    return lines


if __name__ == "__main__":
    harness.main(__doc__, measure)
