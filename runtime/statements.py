"""A span for each statement of an engine; parameters stay out of it (`runtime.tracing`)."""

from typing import Any

from sqlalchemy import Engine, event

from runtime import tracing

NOTE = "headwater_span"


def watch(engine: Engine) -> None:
    """Nothing, while nobody collects spans."""
    if not tracing.on():
        return
    system = engine.dialect.name

    @event.listens_for(engine, "before_cursor_execute")
    def _before(_: Any, __: Any, statement: str, *more: Any) -> None:
        verb = statement.lstrip("( \n").partition(" ")[0].upper()
        told = {"db.system.name": system, "db.query.text": statement}
        setattr(more[1], NOTE, tracing.begin(f"{verb} {system}", told))

    @event.listens_for(engine, "after_cursor_execute")
    def _after(_: Any, __: Any, ___: str, *more: Any) -> None:
        if (begun := getattr(more[1], NOTE, None)) is not None:
            begun.end()

    @event.listens_for(engine, "handle_error")
    def _error(what: Any) -> None:
        if (begun := getattr(what.execution_context, NOTE, None)) is not None:
            tracing.failed(begun, what.original_exception)
            begun.end()
