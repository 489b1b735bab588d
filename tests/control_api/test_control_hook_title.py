"""`headwater package` tells the control API that a title is ready (CTL-155, CTL-171)."""

from fractions import Fraction
from typing import Any

from sqlalchemy import select

from control_api import events
from control_api.outbox.tables import outbox
from control_api.webhooks.signature import secret_text
from headwater.ready import Packaging, tell
from origin.vod.package import Report

SECRET, OTHER = secret_text(b"p" * 32), secret_text(b"q" * 32)


async def told(api: Any) -> list[dict[str, Any]]:
    query = select(outbox.c.payload).where(outbox.c.topic == "title.ready")
    async with api.database.read() as connection:
        rows = (await connection.execute(query)).scalars()
        return [events.decode(payload.encode()).data for payload in rows]


async def test_a_title_that_is_ready(database: Any, make_api: Any) -> None:
    api = await make_api(database, webhooks={"sources": {"packaging": {"secrets": [SECRET]}}})
    report = Report("film", [], 12, Fraction(120, 1))
    url = f"{api.url}/v1/hooks/packaging"
    wrong = Packaging(notify_url=url, notify_secret=OTHER)
    assert await tell(report, wrong) == "the control API answered 401" and await told(api) == []
    assert await tell(report, Packaging(notify_url=url)) == "package.notify_secret is not set"
    assert await tell(report, Packaging()) is None and await told(api) == []
    assert await tell(report, Packaging(notify_url=url, notify_secret=SECRET)) is None
    (data,) = await told(api)
    assert (data["origin_path"], data["duration_ms"]) == ("/vod/film/", 120_000)
    assert SECRET not in repr(wrong) and OTHER not in repr(wrong)
    away = Packaging(notify_url="http://127.0.0.1:1/v1/hooks/packaging", notify_secret=SECRET)
    assert "refused" in str(await tell(report, away))
