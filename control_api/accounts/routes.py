"""Routes of operators over accounts."""

from control_api.accounts import handlers, types
from control_api.route import ADMIN, JSON, MERGE_PATCH, Route

ONE = f"{handlers.PATH}/{{id}}"
ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        handlers.PATH,
        handlers.page,
        types.AccountList,
        ("bad_cursor",),
        scope=ADMIN,
        query=types.AccountPage,
    ),
    Route(
        "POST",
        handlers.PATH,
        handlers.create,
        types.Account,
        ("exists",),
        scope=ADMIN,
        body=types.NewAccount,
        status=201,
    ),
    Route("GET", ONE, handlers.get, types.Account, scope=ADMIN),
    Route(
        "PATCH",
        ONE,
        handlers.change,
        types.Account,
        ("bad_state", "precondition_required", "precondition_failed"),
        scope=ADMIN,
        body=bytes,
        media=(MERGE_PATCH, JSON),
    ),
)
