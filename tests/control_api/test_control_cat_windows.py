"""Windows of a title by themselves, and its publication by name (control-api section 3, CTL-33)."""

from typing import Any

import pytest
from sqlalchemy import select

from control_api.outbox.tables import outbox

WRITE = {"scopes": frozenset({"catalog:write"})}
NOW = {"licence": "svod", "start_at": "2026-01-01T00:00:00Z", "end_at": "2099-01-01T00:00:00Z"}
LATER = NOW | {"licence": "tvod", "start_at": "2098-01-01T00:00:00Z", "territory": "FR"}
TITLES = "/v1/catalog/contents"


async def edit(api: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    signed = api.bearer("svc_editor", **WRITE) | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    return await api.send(method, path, body, headers=signed)


@pytest.fixture
async def title(kept: Any, make_api: Any) -> Any:
    """An API with a draft that has a window."""
    api = await make_api(kept)
    told = {"kind": "movie", "texts": [{"lang": "en", "title": "A"}], "windows": [NOW]}
    status, entry = await edit(api, "POST", TITLES, told)
    assert status == 201, entry
    api.key, api.path = entry["id"], f"{TITLES}/{entry['id']}"
    return api


async def test_windows_are_a_part_of_the_document(title: Any) -> None:
    """CTL-8: one version for both, so that neither way loses what the other wrote."""
    status, found = await edit(title, "GET", f"{title.path}/windows")
    assert (status, [each["licence"] for each in found["windows"]]) == (200, ["svod"])
    put = f"{title.path}/windows"
    status, problem = await edit(title, "PUT", put, {"windows": []})
    assert (status, problem["code"]) == (428, "precondition_required")
    status, found = await edit(title, "PUT", put, {"windows": [LATER, NOW]}, If_Match='"v1"')
    assert (status, [each["licence"] for each in found["windows"]]) == (200, ["svod", "tvod"])
    status, problem = await edit(title, "PUT", put, {"windows": []}, If_Match='"v1"')
    assert (status, problem["code"], problem["version"]) == (412, "precondition_failed", 2)
    _, entry = await edit(title, "GET", f"/v1/admin/contents/{title.key}")
    assert (entry["version"], entry["document"]["windows"]) == (2, found["windows"])
    assert entry["document"]["texts"][0]["title"] == "A"
    query = select(outbox.c.topic).where(outbox.c.topic.like("rights.window.%"))
    async with title.database.read() as connection:
        told = list((await connection.execute(query.order_by(outbox.c.seq))).scalars())
    assert told == ["rights.window.opened", "rights.window.updated"], "only what changed is told"
    for body in ({"windows": [NOW | {"end_at": NOW["start_at"]}]}, {"windows": [{}]}, {}):
        status, problem = await edit(title, "PUT", put, body, If_Match="*")
        assert (status, problem["code"]) == (400, "invalid"), body
    for method in ("GET", "PUT"):
        body = {"windows": []} if method == "PUT" else None
        status, problem = await edit(
            title, method, f"{TITLES}/cnt_none/windows", body, If_Match="*"
        )
        assert (status, problem["code"]) == (404, "content_not_found")


async def test_publish_is_the_last_of_the_moves(title: Any) -> None:
    status, problem = await edit(title, "POST", f"{title.path}/publish")
    assert (status, problem["code"]) == (409, "bad_state")
    for to in ("review", "approved"):
        assert (await edit(title, "POST", f"{title.path}/moves", {"to": to}))[0] == 200
    status, entry = await edit(title, "POST", f"{title.path}/publish")
    assert (status, entry["status"], entry["version"]) == (200, "published", 4)
    assert (await title.send("GET", title.path))[0] == 200
