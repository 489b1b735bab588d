"""Rights windows over all titles and channels, for operators (section 3 `admin/rights`, CTL-6)."""

from typing import Any

import pytest
from sqlalchemy import delete, insert

from control_api.schema import rights_window
from runtime.store import MemoryStore

RIGHTS = "/v1/admin/rights"
HOUR = 3_600_000
TERMS = {"territory": "**", "licence": "svod", "platform": "*"}


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    """Windows of an hour: w0 to w4 of the film, each opening an hour after the one before."""
    made = await make_api(kept, store=MemoryStore())
    rows = [
        TERMS | {"id": f"w{n}", "start_ms": n * HOUR, "end_ms": (n + 1) * HOUR} for n in range(5)
    ]
    async with kept.write() as connection:
        await connection.execute(delete(rights_window))
        for row in rows:
            await connection.execute(insert(rights_window).values(row | {"content_id": "cnt_film"}))
        more = {"id": "wc", "channel_id": "ch_demo", "territory": "DE"}
        await connection.execute(insert(rights_window).values(rows[1] | more))
        now = {"id": "wn", "content_id": "cnt_vault", "end_ms": 4_000_000_000_000}
        await connection.execute(insert(rights_window).values(rows[0] | now))
    return made


async def found(api: Any, query: str) -> list[str]:
    names: list[str] = []
    cursor = ""
    while True:
        headers = api.bearer("acc_op", scopes=frozenset({"rights:write"}))
        path = f"{RIGHTS}?{query}{cursor}"
        status, page = await api.send("GET", path, headers=headers)
        assert status == 200, page
        names += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            return names
        cursor = f"&cursor={page['next_cursor']}"


async def test_windows_are_found_by_what_they_are_of_and_when(api: Any) -> None:
    assert await found(api, "limit=2") == ["w4", "w3", "w2", "wc", "w1", "wn", "w0"]
    assert await found(api, "content_id=cnt_film&limit=3") == ["w4", "w3", "w2", "w1", "w0"]
    assert await found(api, "channel_id=ch_demo") == ["wc"]
    assert await found(api, "territory=DE") == ["wc"]
    for at, open_ in (("01:59:59.999", ["wc", "w1", "wn"]), ("02:00:00", ["w2", "wn"])):
        assert await found(api, f"at=1970-01-01T{at}Z") == open_, "[start, end) (CTL-33)"


async def test_a_window_says_whose_it_is(api: Any) -> None:
    headers = api.bearer("acc_op", scopes=frozenset({"admin:read"}))
    _, page = await api.send("GET", f"{RIGHTS}?at=1970-01-01T01:30:00Z", headers=headers)
    told = {each["id"]: each for each in page["items"]}
    assert told["wc"]["title"] and told["wc"]["content_id"] is None
    assert told["wn"]["open"] and not told["w1"]["open"]
    assert told["w1"]["starts_at"] == "1970-01-01T01:00:00Z"
    path = f"{RIGHTS}?territory=DE&limit=1"
    _, page = await api.send("GET", f"{RIGHTS}?limit=1", headers=headers)
    status, _ = await api.send("GET", f"{path}&cursor={page['next_cursor']}", headers=headers)
    assert status == 400
