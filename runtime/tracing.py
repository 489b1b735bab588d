"""Spans, told to an OpenTelemetry collector where one is configured (OTLP over HTTP, protobuf).

Rules
1. Off, `span` hands out one object that does nothing, and nothing of OpenTelemetry is imported.
2. The parent is the `traceparent` of the context (`runtime.trace`); inside its block a span puts
   its own there: so log lines, problems, events and calls to the next service name it.
3. Names and attributes follow OpenTelemetry's semantic conventions 1.x (HTTP, database). Nothing
   that a client sent goes in: statements are without parameters, addresses without queries, errors
   are the names of their types.
4. Spans leave in batches from a thread of their own; what a collector does not take is dropped.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from runtime import logs, trace

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

Kind = Literal["internal", "server", "client"]
Value = str | int

STATUS = "http.response.status_code"


class Noted(Protocol):
    """A span that goes on."""

    def set_attribute(self, key: str, value: Value) -> None: ...


class _Off:
    """What every span is while nobody collects them."""

    def __enter__(self) -> Noted:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set_attribute(self, key: str, value: Value) -> None:
        """Nobody reads it."""


_OFF = _Off()
_tracer: "Tracer | None" = None


def collect(tracer: "Tracer | None") -> None:
    """From now on by this one; None for not at all."""
    global _tracer
    _tracer = tracer


def on() -> bool:
    return _tracer is not None


def span(
    name: str, kind: Kind = "internal", attributes: Mapping[str, Value] | None = None
) -> AbstractContextManager[Noted]:
    """What happens in the block, as a part of what goes on around it."""
    return _OFF if _tracer is None else _recorded(_tracer, name, kind, attributes)


def served(method: str, route: str, traceparent: str | None) -> AbstractContextManager[Noted]:
    """A request from outside. Its caller's trace goes on, whether or not spans are collected."""
    own = trace.continued(traceparent)
    if _tracer is None:
        return _OFF if own is None else _carried(own)
    told = {"http.request.method": method, "http.route": route}
    given = traceparent if own is not None else None
    return _recorded(_tracer, f"{method} {route}", "server", told, given or "")


def call(name: str, attributes: Mapping[str, Value]) -> AbstractContextManager[Noted]:
    """A question to another service, which is told by `handed`. It may end in another task than it
    began in, so it puts nothing into the context.
    """
    return _OFF if _tracer is None else _called(_tracer, name, attributes)


def handed(noted: Noted) -> dict[str, str]:
    """The header that names the span to whom it asks."""
    return {} if noted is _OFF else {trace.TRACEPARENT: _spelled(noted)}


@contextmanager
def _carried(traceparent: str) -> Iterator[Noted]:
    with logs.bound(traceparent=traceparent):
        yield _OFF


@contextmanager
def _recorded(
    tracer: "Tracer",
    name: str,
    kind: Kind,
    attributes: Mapping[str, Value] | None,
    parent: str | None = None,
) -> Iterator[Noted]:
    begun = _begun(tracer, name, kind, attributes, trace.current() if parent is None else parent)
    with logs.bound(traceparent=_spelled(begun)), _ended(begun):
        yield begun


@contextmanager
def _called(tracer: "Tracer", name: str, attributes: Mapping[str, Value]) -> Iterator[Noted]:
    begun = _begun(tracer, name, "client", attributes, trace.current())
    with _ended(begun):
        yield begun


@contextmanager
def _ended(begun: Any) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        failed(begun, error)
        raise
    finally:
        begun.end()


def _spelled(begun: Any) -> str:
    own = begun.get_span_context()
    return trace.spelled(own.trace_id, own.span_id, own.trace_flags)


def begin(name: str, attributes: Mapping[str, Value]) -> Any:
    """A client's span without a block, nor anything within it; None while nobody collects them."""
    if _tracer is None:
        return None
    return _begun(_tracer, name, "client", attributes, trace.current())


def _begun(
    tracer: "Tracer",
    name: str,
    kind: Kind,
    attributes: Mapping[str, Value] | None,
    parent: str | None,
) -> Any:
    from opentelemetry.trace import SpanKind

    return tracer.start_span(
        name, _within(parent), kind=SpanKind[kind.upper()], attributes=attributes
    )


def _within(traceparent: str | None) -> "Context":
    from opentelemetry import trace as otel
    from opentelemetry.context import Context

    if not traceparent:
        return Context()
    trace_id, span_id, flags = trace.fields(traceparent)
    remote = otel.SpanContext(trace_id, span_id, True, otel.TraceFlags(flags))
    return otel.set_span_in_context(otel.NonRecordingSpan(remote), Context())


def failed(begun: Any, error: BaseException) -> None:
    """Say so in a span that was begun; its end is the caller's."""
    from opentelemetry.trace import Status, StatusCode

    begun.set_attribute("error.type", type(error).__name__)
    begun.set_status(Status(StatusCode.ERROR))
