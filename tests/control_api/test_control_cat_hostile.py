"""Rows and questions that mean no good harm nothing else (CTL-4)."""

import json
from typing import Any

import pytest
from control_rigs.titles import OPEN, WRITE, imported, row

NUL = "a\x00b"
LAST = "9999-12-31T23:59:59-12:00"  # of a year that our calendar does not have
ENTRIES = "/v1/admin/contents"


@pytest.mark.parametrize(
    "hostile",
    [
        {"external_ids": [{"system": "own", "value": NUL}]},
        {"artwork": [{"kind": "poster", "url": f"https://host/{NUL}"}]},
        {"artwork": [{"kind": "poster", "url": f"/{NUL}"}]},
        {"texts": [{"lang": "en", "title": NUL}]},
        {"texts": [{"lang": "en", "title": "Title", "synopsis": NUL}]},
        {"windows": [OPEN | {"start_at": "0001-01-01T00:00:00+14:00"}]},
    ],
)
async def test_a_hostile_row_is_refused_alone(api: Any, hostile: dict[str, Any]) -> None:
    lines = [row("s_good"), row("s_bad", **hostile), row("s_after")]
    report = await imported(api, "\n".join(json.dumps(line) for line in lines))
    outcomes = [each["outcome"] for each in report["rows"]]
    assert outcomes == ["created", "rejected", "created"]


async def test_the_end_of_the_calendar_can_be_read(api: Any) -> None:
    """A window that ends behind it, in another zone."""
    await imported(api, json.dumps(row("s_ever", windows=[OPEN | {"end_at": LAST}])))
    signed = api.bearer("svc_editor", **WRITE)
    status, entry = await api.send("GET", f"{ENTRIES}/s_ever", headers=signed)
    assert status == 200 and entry["document"]["windows"][0]["end_at"].startswith("9999-12-31")
    for to in ("review", "approved", "published"):
        path = "/v1/catalog/contents/s_ever/moves"
        assert (await api.send("POST", path, {"to": to}, headers=signed))[0] == 200
    for path in ("/v1/catalog/contents", "/v1/catalog/contents/s_ever", "/v1/rails/new"):
        assert (await api.send("GET", path))[0] == 200


@pytest.mark.parametrize("text", ["%00", "a%00b"])
async def test_editors_who_look_for_nothing_readable(api: Any, text: str) -> None:
    signed = api.bearer("svc_editor", **WRITE)
    status, problem = await api.send("GET", f"{ENTRIES}?q={text}", headers=signed)
    assert (status, problem["code"]) == (400, "invalid")
