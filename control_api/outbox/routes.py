"""Routes of operators: dead letters, the outbox, the stream of all events."""

from control_api.outbox import handlers, types
from control_api.route import EVENT_STREAM, Route
from control_api.types import Page

ADMIN = "admin"
DEAD = "/v1/admin/dlq"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        DEAD,
        handlers.list_letters,
        types.DeadLetterList,
        ("bad_cursor",),
        scope=ADMIN,
        query=Page,
    ),
    Route("GET", f"{DEAD}/{{id}}", handlers.get_letter, types.DeadLetter, scope=ADMIN),
    Route(
        "POST",
        f"{DEAD}/{{id}}/replay",
        handlers.replay_letter,
        None,
        ("bad_state",),
        scope=ADMIN,
        status=204,
    ),
    Route("DELETE", f"{DEAD}/{{id}}", handlers.drop_letter, None, scope=ADMIN, status=204),
    Route("GET", "/v1/admin/outbox", handlers.backlog, types.Backlog, scope=ADMIN),
    Route(
        "GET",
        "/v1/events/stream",
        handlers.stream,
        None,
        scope=ADMIN,
        query=types.StreamQuery,
        produces=EVENT_STREAM,
    ),
)
