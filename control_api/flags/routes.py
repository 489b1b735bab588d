"""Routes of operators over flags (control-api section 3, `admin/flags`)."""

from control_api.flags import handlers, types
from control_api.route import ADMIN, Route

FLAGS = "/v1/admin/flags"
ROUTES: tuple[Route, ...] = (
    Route("GET", FLAGS, handlers.page, types.FlagList, scope=ADMIN),
    Route("GET", FLAGS + "/{name}", handlers.get, types.Flag, scope=ADMIN),
    Route(
        "PUT",
        FLAGS + "/{name}",
        handlers.put,
        types.Flag,
        ("precondition_required", "precondition_failed"),
        scope=ADMIN,
        body=types.FlagRequest,
    ),
)
