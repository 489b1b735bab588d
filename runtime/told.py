"""What is told of every request, by whichever server: one JSON line and one observation."""

from functools import cache
from time import perf_counter
from typing import Any

from runtime import logs, metrics, redact

log = logs.get("web")
REQUESTS = metrics.histogram(
    "http_request_seconds", "time to answer", ("listener", "method", "route", "status")
)


def request(
    listener: str,
    method: str,
    route: str,
    target: str,
    *,
    status: int,
    sent_bytes: int,
    begun_s: float,
    peer: str | None,
    ids: dict[str, str],
) -> None:
    """One that is answered. `route` is the pattern that matched, never what a client wrote;
    `begun_s` is of `perf_counter`.
    """
    seconds = perf_counter() - begun_s
    _observed(listener, method, route, status)(seconds)
    if not logs.heard("info"):
        return
    log.info(
        "request",
        listener=listener,
        method=method,
        path=redact.text(target),
        route=route,
        status=status,
        sent_bytes=sent_bytes,
        ms=round(seconds * 1000, 2),
        peer=peer,
        **ids,
    )


@cache
def _observed(listener: str, method: str, route: str, status: int) -> Any:
    return REQUESTS.labels(listener, method, route, str(status)).observe
