"""The probe is silent about a correct presentation, and sees all of it."""

from itertools import pairwise
from urllib.parse import urlsplit

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


async def test_a_pathway_reports_only_its_own_playlists(world: World, url: str) -> None:
    """Rendition reports are relative (HLS-33): they cannot name what another CDN's host has."""

    def doubled(at: str, query: dict[str, str], reply: Reply) -> None:
        if at == "/live/master.m3u8":
            lines = reply.text.splitlines()
            other = url.replace("127.0.0.1", "localhost") + "live/"
            for line, uri in pairwise(list(lines)):
                if line.startswith("#EXT-X-STREAM-INF"):
                    lines += [line, other + uri]
            reply.body = "\n".join([*lines, ""]).encode()

    world.edits.append(doubled)
    seen = await look(url + "live/master.m3u8", now=world.now, sleep=world.sleep)
    assert len({urlsplit(p.url).netloc for p in seen.latest()}) == 2
    assert [f for f in check(seen) if f.rule == "HLS-33"] == []


async def test_what_is_one_viewers_needs_no_date_of_change(world: World, url: str) -> None:
    """O1: Last-Modified is for caches, and none keeps an answer that is private."""

    def personal(at: str, query: dict[str, str], reply: Reply) -> None:
        if at == "/live/master.m3u8":
            reply.headers.pop("Last-Modified", None)
            reply.headers["Cache-Control"] = control

    world.finals.append(personal)
    for control, wrong in (("private, no-store", 0), ("max-age=1", 1)):
        seen = await look(url + "live/master.m3u8", now=world.now, sleep=world.sleep)
        found = [f for f in check(seen) if f.rule == "O1" and "last-modified" in f.wrong]
        assert bool(found) == bool(wrong), control
