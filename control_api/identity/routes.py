"""The operations of sign-ins, as rows of the API's table."""

from control_api import types
from control_api.identity import refresh, shapes
from control_api.route import Route

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/auth/refresh",
        refresh.refresh,
        types.TokenAnswer,
        ("bad_credentials", "refresh_reused"),
        body=shapes.RefreshRequest,
    ),
    Route("POST", "/v1/auth/revoke", refresh.revoke, None, body=shapes.RefreshRequest, status=204),
)
