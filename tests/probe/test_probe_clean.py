"""The probe is silent about a correct presentation, and sees all of it."""

import pytest
from probe.world import World

from headwater.probe import RULES, check, look

CLEAN = (
    "live/master.m3u8",
    "live/manifest.mpd",
    "live/ll.mpd",
    "vod/master.m3u8",
    "vod/manifest.mpd",
)


@pytest.mark.parametrize("path", CLEAN)
async def test_nothing_is_found_where_nothing_is_wrong(world: World, url: str, path: str) -> None:
    twin = url.replace("127.0.0.1", "localhost")
    seen = await look(url + path, twin=twin, now=world.now, sleep=world.sleep)
    assert any(trial.kind == "twin" for trial in seen.trials)
    assert not seen.cut_short
    assert seen.tracks and seen.trials
    assert [(f.rule, f.url, f.line, f.wrong) for f in check(seen)] == []


def test_every_rule_has_a_name_a_level_and_a_sentence() -> None:
    assert all(rule.id and rule.level in "MPS" and rule.text for rule in RULES)
    assert len({(rule.id, rule.text) for rule in RULES}) == len(RULES)
