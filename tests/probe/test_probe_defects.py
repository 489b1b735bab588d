"""Every rule finds what it is for: each defect, planted alone, turns its rule red."""

import pytest
from probe.defects import DEFECTS, Defect
from probe.world import World

from headwater.probe import RULES, check, look

IDS = [f"{d.rule} {d.text}".strip() for d in DEFECTS]


@pytest.mark.parametrize("defect", DEFECTS, ids=IDS)
async def test_a_planted_defect_is_found(world: World, url: str, defect: Defect) -> None:
    defect.plant(world)
    twin = url.replace("127.0.0.1", "localhost") if defect.rule == "O17" else None
    seen = await look(
        url + defect.start, watch_s=defect.watch_s, twin=twin, now=world.now, sleep=world.sleep
    )
    assert not seen.cut_short
    found = check(seen)
    named = [f for f in found if f.rule == defect.rule and defect.text in f.text]
    assert named, sorted((f.rule, f.wrong) for f in found)
    assert all(f.wrong and f.url.startswith("http") for f in named)


def test_every_row_of_the_table_has_a_defect() -> None:
    planted = [
        [(r.id, r.text) for r in RULES if r.id == d.rule and d.text in r.text] for d in DEFECTS
    ]
    assert [rows for rows in planted if len(rows) != 1] == []
    assert {(r.id, r.text) for r in RULES} - {rows[0] for rows in planted} == set()
