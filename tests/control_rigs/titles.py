"""Titles by bulk import, published, and lists walked to their end."""

import json
from typing import Any

from sqlalchemy import update

from control_api.schema import content

WRITE = {"scopes": frozenset({"catalog:write"})}
OPEN = {"licence": "svod", "start_at": "2026-01-01T00:00:00Z", "end_at": "2099-01-01T00:00:00Z"}
CONTENTS = "/v1/catalog/contents"
IMPORTS = "/v1/admin/contents/imports"


def row(key: str, **changed: Any) -> dict[str, Any]:
    texts = [{"lang": "en", "title": f"Title {key}"}, {"lang": "fr", "title": f"Titre {key}"}]
    told = {"id": key, "kind": "series", "orig_lang": "en", "texts": texts, "windows": [OPEN]}
    return told | changed


async def load(api: Any, *rows: dict[str, Any]) -> dict[str, Any]:
    """Import rows as JSON Lines and publish them."""
    report = await imported(api, "\n".join(json.dumps(row) for row in rows))
    assert report["rejected"] == 0, report
    async with api.database.write() as connection:
        for each in rows:
            change = update(content).where(content.c.id == each["id"])
            now = {"status": "published", "published_ms": content.c.updated_ms}
            await connection.execute(change.values(**now))
    return report


async def imported(api: Any, text: str, media: str = "application/x-ndjson") -> dict[str, Any]:
    headers = api.bearer("svc_editor", **WRITE) | {"Content-Type": media}
    status, report = await api.send("POST", IMPORTS, headers=headers, data=text.encode())
    assert status == 200, report
    return dict(report)


async def walked(api: Any, path: str) -> list[str]:
    """The ids of all pages of a list."""
    seen: list[str] = []
    params: dict[str, str] = {}
    while True:
        status, page = await api.send("GET", path, params=params)
        assert status == 200, page
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return seen
        params = {"cursor": page["next_cursor"]}
