"""Routes of webhooks: managed by their owners, and the door for signed messages of others."""

from typing import Any

from msgspec import Struct

from control_api.route import JSON, MERGE_PATCH, Handler, Route
from control_api.types import Page
from control_api.webhooks import handlers, types
from control_api.webhooks.handlers import MANAGE
from control_api.webhooks.inbound import receive

ALL, ONE = "/v1/webhooks", "/v1/webhooks/{id}"
MATCHED = ("precondition_required", "precondition_failed")


def _own(
    method: str, path: str, handler: Handler, answer: type[Struct] | None, **more: Any
) -> Route:
    return Route(method, path, handler, answer, scope=MANAGE, **more)


ROUTES: tuple[Route, ...] = (
    _own(
        "GET", ALL, handlers.list_endpoints, types.EndpointList, query=Page, errors=("bad_cursor",)
    ),
    _own(
        "POST",
        ALL,
        handlers.create_endpoint,
        types.MadeEndpoint,
        body=types.NewEndpoint,
        status=201,
        errors=("bad_url", "endpoint_limit"),
    ),
    _own("GET", ONE, handlers.get_endpoint, types.Endpoint),
    _own(
        "PATCH",
        ONE,
        handlers.change_endpoint,
        types.Endpoint,
        body=types.EndpointPatch,
        media=(MERGE_PATCH, JSON),
        errors=("bad_url", *MATCHED),
    ),
    _own("DELETE", ONE, handlers.remove_endpoint, None, status=204),
    _own("POST", f"{ONE}/test", handlers.test_endpoint, types.Tested),
    _own("POST", f"{ONE}/rotate", handlers.rotate_secret, types.NewSecret),
    _own("POST", f"{ONE}/pause", handlers.pause_endpoint, types.Endpoint),
    _own("POST", f"{ONE}/resume", handlers.resume_endpoint, types.Endpoint),
    _own(
        "GET",
        f"{ONE}/deliveries",
        handlers.list_deliveries,
        types.DeliveryList,
        query=types.DeliveryQuery,
        errors=("bad_cursor",),
    ),
    Route(
        "POST",
        "/v1/hooks/{source}",
        receive,
        types.Received,
        ("bad_signature", "unknown_reference"),
        body=bytes,
    ),
    _own("POST", f"{ONE}/replay", handlers.replay_deliveries, types.Replayed, body=types.Replay),
)
