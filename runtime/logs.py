"""Structured logs: one JSON object a line on stdout, request and session ids from context, secrets
masked.

    log = logs.get("origin")
    log.info("segment_stored", channel="demo", track="v1", number=7)

The first argument is a stable event name; everything else is a field. `request_id`, `session_id`
and `traceparent` are bound per request by `runtime.web` and appear on every line of that request.
The standard library's loggers (drivers, asyncio) go the same way at WARNING and above.
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from runtime import redact

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_least = LEVELS["debug"]


def get(room: str) -> FilteringBoundLogger:
    """The logger of one room; cheap, may be made at import time."""
    logger: FilteringBoundLogger = structlog.get_logger(room=room)
    return logger


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Put fields (`request_id`, `session_id`) on every line logged inside the block."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def bind(**fields: str) -> None:
    """The same, to the end of the task."""
    structlog.contextvars.bind_contextvars(**fields)


def heard(level: str) -> bool:
    """Whether lines of this level go anywhere: what is dear to word may ask first."""
    return LEVELS[level] >= _least


def setup(service: str, level: str = "info") -> None:
    """Send all logging of this process to stdout as JSON lines."""

    def name_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    global _least
    _least = LEVELS[level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_service,
    ]
    structlog.configure(
        processors=[*shared, *_MASKED, _line],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=_stdout,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_MASKED,
                _line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def console() -> None:
    """Lines for people, as commands log and as it is before `setup`: just as masked, and no values
    of variables in a traceback.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            *_MASKED,
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS["debug"]),
        logger_factory=_stdout,
        cache_logger_on_first_use=False,
    )


class _Steady:
    """Standard output, whose reader may go away: no line is worth a service that cannot stop."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stdout.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stdout.flush()


_STEADY = cast(TextIO, _Steady())


def _stdout(*_: Any) -> structlog.PrintLogger:
    return structlog.PrintLogger(_STEADY)


def _redacted(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: redact.tree(value, name) for name, value in event.items()}


def _line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


_MASKED: list[Processor] = [structlog.processors.format_exc_info, _redacted]
console()
