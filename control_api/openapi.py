"""The OpenAPI 3.1 document, from the route table and the types that decode requests (CTL-1)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from control_api import idempotency, ids, problems, types
from control_api.route import JSON, VIEWER, Route

API_VERSION = "1.0.0"
REF = "#/components/schemas/{name}"
SIGNED_IN = ("unauthenticated", "forbidden_scope")
IDEMPOTENT = ("invalid", "idempotency_running", "idempotency_mismatch")
WITH_BODY = ("invalid", "too_slow", "too_large", "unsupported_media_type")


def document(routes: Sequence[Route], server_url: str) -> dict[str, Any]:
    """The whole document; serve it as JSON."""
    shapes: list[Any] = [types.Problem]
    for route in routes:
        shapes += [shape for shape in (route.answer, route.body, route.query) if _named(shape)]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=REF)
    named = dict(zip(shapes, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, named, components)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headwater control API", "version": API_VERSION},
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(route: Route, named: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{route.path.translate(_WORDS)}",
        "summary": route.summary,
        "parameters": _parameters(route, named, components),
        "responses": _responses(route, named),
    }
    if route.body is not None:
        schema = {} if route.body is bytes else named[route.body]
        content = {media: {"schema": schema} for media in route.media}
        operation["requestBody"] = {"required": True, "content": content}
    if route.deprecated is not None:
        operation["deprecated"] = True
    if route.scope is not None:
        operation["security"] = [{"bearer": []}]
        operation["description"] = f"Scope: `{route.scope}`."
    elif route.personal:
        operation["security"] = [{}, {"bearer": []}]
        operation["description"] = f"Scope, where `profile_id` is given: `{VIEWER}`."
    return operation


def _named(shape: Any) -> bool:
    """Has the type a schema of its own?"""
    return shape not in (None, bytes)


def _parameters(
    route: Route, named: dict[Any, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    pattern = {"type": "string", "pattern": ids.PATTERN}
    found: list[dict[str, Any]] = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": pattern}
        for part in route.path.split("/")
        if part.startswith("{")
    ]
    if route.idempotent:
        found.append(
            {
                "name": idempotency.HEADER,
                "in": "header",
                "required": route.keyed,
                "description": "the same key and request within 24 h: the same answer",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,255}$"},
            }
        )
    if route.query is not None:
        shape = components[named[route.query]["$ref"].rpartition("/")[2]]
        found += [
            {
                "name": name,
                "in": "query",
                "required": name in shape.get("required", ()),
                "schema": schema,
            }
            for name, schema in shape["properties"].items()
        ]
    return found


def _responses(route: Route, named: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done"}
    if route.answer is not None:
        success["content"] = {route.produces: {"schema": named[route.answer]}}
    elif route.produces != JSON:
        success["content"] = {route.produces: {"schema": {"type": "string"}}}
    responses = {str(status): success for status in (route.status, *route.also)}
    if route.cache_s is not None:
        responses["304"] = {"description": "Not modified"}
    by_status: dict[int, list[str]] = {}
    for code in _codes(route):
        by_status.setdefault(problems.TABLE[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        content = {problems.MEDIA_TYPE: {"schema": named[types.Problem]}}
        responses[str(status)] = {"description": ", ".join(codes), "content": content}
    return responses


def _codes(route: Route) -> Sequence[str]:
    """The codes of a row, and those that come with having a body, a query, a scope, an id."""
    codes = [*route.errors, "unavailable"]
    codes += SIGNED_IN if route.scope is not None or route.personal else ()
    codes += ("profile_not_found",) if route.personal else ()
    codes += WITH_BODY if route.body is not None else ()
    codes += ("invalid",) if route.query is not None else ()
    codes += ("not_found",) if "{" in route.path else ()
    codes += ("rate_limited",) if route.scope is not None or route.limited else ()
    codes += IDEMPOTENT if route.idempotent else ()
    codes += ("idempotency_required",) if route.keyed else ()
    codes += ("switched_off",) if route.flag is not None else ()
    return list(dict.fromkeys(codes))


_WORDS = str.maketrans({"/": "_", "{": "", "}": "", ".": "", "-": "_"})
