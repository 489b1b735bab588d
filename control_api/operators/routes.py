"""Routes of operators over all accounts."""

from control_api.operators import handlers, types
from control_api.route import ADMIN, Route
from control_api.running import SUPPORT

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/admin/sessions/{id}",
        handlers.get_session,
        types.SeenSession,
        ("session_not_found",),
        scope=SUPPORT,
    ),
    Route(
        "GET",
        "/v1/admin/recordings",
        handlers.list_recordings,
        types.SeenRecordings,
        ("bad_cursor",),
        query=types.RecordingPage,
        scope=ADMIN,
    ),
)
