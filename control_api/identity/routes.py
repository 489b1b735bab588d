"""The operations of sign-ins, as rows of the API's table."""

from control_api import types
from control_api.identity import device_grant, refresh, shapes
from control_api.route import VIEWER, Route

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
    Route(
        "POST",
        "/v1/auth/device",
        device_grant.begin,
        shapes.DeviceCodes,
        ("not_found",),
        body=shapes.DeviceRequest,
        limits=("login_address",),
    ),
    Route(
        "POST",
        "/v1/auth/device/verify",
        device_grant.verify,
        shapes.DeviceVerified,
        ("not_found", "account_suspended"),
        scope=VIEWER,
        body=shapes.DeviceVerdict,
        limits=("login_address", "user_code"),
    ),
    Route(
        "POST",
        "/v1/auth/device/token",
        device_grant.token,
        types.TokenAnswer,
        ("authorization_pending", "slow_down", "expired_token", "access_denied"),
        body=shapes.DeviceTokenRequest,
    ),
)
