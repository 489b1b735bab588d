"""Every operation answers as its OpenAPI document says, whatever is sent (CTL-1, CTL-4, CTL-5).

`HEADWATER_SCHEMATHESIS` is the number of requests an operation; a few without it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.errors import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control_api import openapi
from control_api.route import EVENT_STREAM
from control_api.routes import ROUTES
from runtime.sql import Database

EXAMPLES = int(os.environ.get("HEADWATER_SCHEMATHESIS", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MANY = 10**6
LIMITS = {
    f"{name}_per_{time}": MANY
    for name, time in (
        ("login", "min"),
        ("login_address", "min"),
        ("user_code", "min"),
        ("search", "s"),
        ("guide", "s"),
        ("start", "s"),
        ("heartbeat", "min"),
        ("account", "s"),
    )
}
EVERY_SCOPE = frozenset(route.scope for route in ROUTES if route.scope is not None)


@pytest.fixture
async def file_database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'fuzz.sqlite'}", timeout_ms=10_000) as database:
        yield database


@pytest.fixture
async def roomy(file_database: Database, make_api: Any) -> Any:
    """An API without limits, with a session, a profile, a webhook; `known` are ids by path."""
    api = await make_api(file_database, limits=LIMITS)
    _, session = await api.start("one")
    _, profile = await api.send("POST", "/v1/profiles", {"name": "Ada"})
    _, hook = await api.send(
        "POST",
        "/v1/webhooks",
        {"url": "https://hooks.example/in", "topics": ["*"]},
        headers=api.bearer(scopes=EVERY_SCOPE),
    )
    api.known = {
        "/v1/catalog/contents/": "cnt_film",
        "/v1/admin/contents/": "cnt_film",
        "/v1/admin/channels/": "ch_demo",
        "/v1/sessions/": session["session_id"],
        "/v1/admin/sessions/": session["session_id"],
        "/v1/profiles/": profile["id"],
        "/v1/webhooks/": hook["endpoint"]["id"],
    }
    return api


def cases(operation: Any, mode: GenerationMode, known: dict[str, str]) -> list[Any]:
    """Requests of one operation; none if nothing can be wrong with them."""
    fitting = [found for path, found in known.items() if operation.path.startswith(path)]
    fixed = {"id": fitting[0]} if fitting and "{id}" in operation.path else None
    found: list[Any] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode, path_parameters=fixed))
    def collect(case: Any) -> None:
        found.append(case)

    with suppress(Unsatisfiable):
        collect()
    assert found or mode is GenerationMode.NEGATIVE
    return found


async def test_every_operation_answers_as_the_document_says(roomy: Any) -> None:
    """Requests as the document wants them, and others; no 5xx, nothing that is not declared."""
    read = schemathesis.openapi.from_dict(openapi.document(ROUTES, roomy.url))
    operations = [
        operation
        for operation in (result.ok() for result in read.get_all_operations())
        if EVENT_STREAM not in str(operation.definition.raw["responses"])
    ]
    assert len(operations) == sum(route.produces != EVENT_STREAM for route in ROUTES)
    asked = [
        case
        for operation, mode in product(operations, GenerationMode)
        for case in cases(operation, mode, roomy.known)
    ]
    headers = roomy.bearer(scopes=EVERY_SCOPE) | {"If-Match": "*"}
    assert await asyncio.to_thread(failures, asked, roomy.url, headers) == []


def failures(asked: Sequence[Any], url: str, headers: dict[str, str]) -> list[str]:
    """What was answered otherwise than declared."""
    found = []
    with requests.Session() as session:
        for case in asked:
            answer = case.call(url, session, headers, timeout=60)
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as group:
                found.append(f"{case.operation.label} {answer.status_code}: {group.exceptions}")
    return found
