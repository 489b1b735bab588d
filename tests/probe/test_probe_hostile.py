"""Foreign and hostile manifests are judged, never believed: findings, limits, exit codes."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from probe.world import Reply, World
from typer import Typer
from typer.testing import CliRunner

from headwater.probe import Evidence, Limits, ProbeError, check, look, mpd, playlist
from headwater.probe.client import TOKEN_HEADER
from headwater.probe_cli import probe

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus"
app = Typer()
app.command()(probe)

LAUGHS = b"""<!DOCTYPE MPD [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">&b;</MPD>"""
TIMELINE = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"
availabilityStartTime="1970-01-01T00:00:00Z"><Period id="1" start="PT0S"><AdaptationSet id="1">
<Representation id="r"><SegmentTemplate timescale="90000" media="$Number%0999d$$Time$">
<SegmentTimeline>{}</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period>
</MPD>"""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
def test_the_corpus_is_judged_without_a_traceback() -> None:
    judged = refused = found = 0
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file() or path.suffix in (".md", ".tsv"):
            continue
        seen = Evidence()
        url = f"http://corpus/{path.name}"
        try:
            if "hls" in path.parts:
                read = playlist.parse(url, path.read_bytes(), 0.0)
                seen.master = read if read.variants else None
                seen.media = {} if read.variants else {url: [read, read]}
            else:
                one = mpd.parse(url, path.read_bytes(), 1_800_000_000.0)
                seen.mpds = [one, one]
        except (playlist.NotAPlaylist, mpd.NotAnMpd):
            refused += 1
            continue
        judged += 1
        found += len(check(seen))
    assert judged > 10 * refused > 0
    assert found > judged / 10


@pytest.mark.parametrize(
    "rows",
    [
        '<S t="0" d="1" r="99999999999"/>',
        '<S t="0" d="1" r="-1"/>',
        '<S t="0" d="0" r="-1"/>',
        '<S d="-5" r="-9"/><S t="x"/>',
        '<S t="99999999999999999999" d="9" r="-1"/><S t="0" d="1" r="-1"/>',
    ],
)
def test_repeats_are_bounded(rows: str) -> None:
    read = mpd.parse("http://x/", TIMELINE.format(rows).encode(), 1.8e9)
    assert len(read.tracks[0].entries) <= mpd.MAX_ENTRIES
    assert isinstance(check(Evidence(mpds=[read, read])), list)


@pytest.mark.parametrize("body", [LAUGHS, b"", b"<MPD", b"<html/>", b"\xff\xfe<", b"<MPD/>" * 9])
def test_what_is_no_mpd_is_refused(body: bytes) -> None:
    with pytest.raises(mpd.NotAnMpd):
        mpd.parse("http://x/", body)


@pytest.mark.parametrize("body", [b"", b"#EXTM3", b"\xff\xfe", b"<MPD/>"])
def test_what_is_no_playlist_is_refused(body: bytes) -> None:
    with pytest.raises(playlist.NotAPlaylist):
        playlist.parse("http://x/", body)


async def test_a_limit_ends_the_walk_and_says_so(world: World, url: str) -> None:
    limits = Limits(requests=7)
    seen = await look(url + "live/master.m3u8", limits=limits, now=world.now, sleep=world.sleep)
    assert seen.cut_short
    assert len(seen.exchanges) == 7
    limits = Limits(bytes=2000)
    seen = await look(url + "vod/master.m3u8", limits=limits, now=world.now, sleep=world.sleep)
    assert seen.cut_short and len(seen.exchanges) < 12


async def test_the_token_stays_with_its_host(world: World, url: str) -> None:
    given: dict[str, set[str | None]] = {}

    def edit(at: str, query: dict[str, str], reply: Reply) -> None:
        host = query["Host"].partition(":")[0]
        given.setdefault(host, set()).add(query.get(TOKEN_HEADER))
        if at == "/vod/v1/media.m3u8" and host == "127.0.0.1":
            there = url.replace("127.0.0.1", "localhost") + "vod/v2/media.m3u8"
            reply.status, reply.headers = 302, {"Location": there}

    world.finals.append(edit)
    await look(url + "vod/master.m3u8", token="t0k", now=world.now, sleep=world.sleep)
    assert given == {"127.0.0.1": {"t0k"}, "localhost": {None}}


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("nonsense", "bad_url"),
        ("http://127.0.0.1:1/x.mpd", "unreachable"),
        ("/time", "not_a_manifest"),
        ("/none.mpd", "status"),
    ],
)
async def test_there_must_be_a_manifest(world: World, url: str, address: str, code: str) -> None:
    with pytest.raises(ProbeError) as caught:
        await look(url.rstrip("/") + address if address[0] == "/" else address)
    assert caught.value.code == code


async def test_exit_codes_and_lines(world: World, url: str) -> None:
    runner = CliRunner()

    async def run(*argv: str) -> tuple[int, str]:
        done = await asyncio.to_thread(runner.invoke, app, list(argv))
        return done.exit_code, done.output

    code, text = await run(url + "vod/manifest.mpd")
    assert code == 0 and text.startswith("0 findings")
    world.edits.append(lambda at, query, reply: reply.headers.update({"X": "y"}))
    world.finals.append(
        lambda at, query, reply: reply.headers.pop("Access-Control-Allow-Origin", None)
    )
    code, text = await run(url + "vod/manifest.mpd", "--json")
    assert code == 1
    assert {json.loads(line)["rule"] for line in text.splitlines()} == {"O11"}
    code, text = await run(url + "vod/manifest.mpd", "--level", "M")
    assert code == 0 and "O11" in text
    assert (await run(url + "vod/manifest.mpd", "--level", "X"))[0] == 2
    code, text = await run("http://127.0.0.1:1/x.mpd")
    assert code == 3 and re.fullmatch(r"headwater probe: unreachable: .*\n", text)
