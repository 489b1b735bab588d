"""Routes of API keys: administrators' own."""

from control_api.api_keys import handlers, types
from control_api.route import ADMIN, Route
from control_api.types import Page

ALL, ONE = "/v1/admin/keys", "/v1/admin/keys/{id}"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", ALL, handlers.list_keys, types.ApiKeyList, ("bad_cursor",), scope=ADMIN, query=Page
    ),
    Route(
        "POST",
        ALL,
        handlers.make_key,
        types.MadeKey,
        scope=ADMIN,
        body=types.NewKey,
        status=201,
    ),
    Route("GET", ONE, handlers.get_key, types.ApiKey, scope=ADMIN),
    Route(
        "POST",
        f"{ONE}/rotate",
        handlers.rotate_key,
        types.MadeKey,
        ("bad_state", "in_use"),
        scope=ADMIN,
        body=types.Rotation,
    ),
    Route("DELETE", ONE, handlers.revoke_key, None, scope=ADMIN, status=204),
)
