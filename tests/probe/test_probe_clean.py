"""The probe is silent about a correct presentation, and sees all of it."""

import pytest
from probe.world import T0, Reply, World

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


async def test_an_ended_channel_is_not_asked_for_more(world: World, url: str) -> None:
    """Without minimumUpdatePeriod nothing follows (D4): no growing segment, no watching."""

    def ended(at: str, query: dict[str, str], reply: Reply) -> None:
        if at == "/live/ll.mpd":
            text = reply.text.replace(' minimumUpdatePeriod="PT1S"', "")
            reply.body = text.replace('start="PT0S"', f'start="PT0S" duration="PT{T0}S"').encode()

    world.edits.append(ended)
    seen = await look(url + "live/ll.mpd", now=world.now, sleep=world.sleep)
    assert not list(seen.tried("growing")) and len(seen.mpds) == 1
    assert check(seen) == []
