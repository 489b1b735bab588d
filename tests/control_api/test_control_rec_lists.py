"""Lists of recordings read what they show, whatever else there is: an index walks each (CTL-6)."""

from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from control_api import seed

MINE, ALL = "/v1/recordings", "/v1/admin/recordings"
READER = frozenset({"admin:read"})
WALKED = {
    MINE: "account_id_prog_start_ms_id",
    f"{MINE}?state=failed": "account_id_state_prog_start_ms_id",
    f"{ALL}?state=failed": "state_id",
    f"{ALL}?account_id={seed.ACCOUNT}": "account_id_id",
}


@pytest.mark.parametrize("path", WALKED)
async def test_each_list_walks_an_index(api: Any, path: str) -> None:
    """In its order: nothing is sorted, and nothing is read to be left out."""
    said: list[tuple[str, Any]] = []

    def heard(*told: Any) -> None:
        if "recording.id DESC" in told[2]:  # the planner reads recordings too, in no such order
            said.append((told[2], told[3]))

    operator = api.bearer("acc_operator", scopes=READER)
    headers = operator if path.startswith(ALL) else api.bearer()
    event.listen(Engine, "before_cursor_execute", heard)
    try:
        assert (await api.send("GET", path, headers=headers))[0] == 200
    finally:
        event.remove(Engine, "before_cursor_execute", heard)
    [(query, given)] = said
    async with api.database.write() as connection:
        if connection.dialect.name == "postgresql":
            for other in ("seqscan", "sort", "bitmapscan"):
                await connection.execute(text(f"SET LOCAL enable_{other} = off"))
            query = f"EXPLAIN {query}"
        else:
            query = f"EXPLAIN QUERY PLAN {query}"
        plan = "\n".join(str(row) for row in await connection.exec_driver_sql(query, given))
    assert f"ix_recording_{WALKED[path]} " in plan, plan
    assert not {"Sort", "Filter"} & set(plan.replace(":", " ").split()), plan
    assert "TEMP B-TREE" not in plan, plan
