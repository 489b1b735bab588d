"""One live channel under cbcs and cenc side by side: two sets of media, two of KIDs (PR-170)."""

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path

import pytest
from origin_rigs.protection_rig import frames
from origin_rigs.sealed_rig import FIRST, GRID_S, SEGMENTS, SealedRig, films
from pydantic import ValidationError

from native.http import Answer, Entity, Parked, Refusal, Request
from origin.delivery.handler import Delivery
from origin.delivery.recordings import TimeShift
from origin.live.holds import Hold
from origin.live.ranges import Range
from origin.protection.periods import period_of
from origin.settings import LiveProtection
from origin.vod import Library

ROTATION_S = 6
KEY = re.compile(r"#EXT-X-KEY:METHOD=([A-Z-]+),URI=\"https://keys.test/key/([0-9a-f]{32})\"")
MAP = re.compile(r'#EXT-X-MAP:URI="(init-[a-z]+-\d+\.mp4)"')
METHODS = {"cbcs": "SAMPLE-AES", "cenc": "SAMPLE-AES-CTR"}
FOLDERS = {"cbcs": "/live/c", "cenc": "/live/c/cenc"}
Runs = dict[tuple[str, str], list[str]]  # segments by KID and header


class Port:
    """What the delivery port's handler says of a channel under both schemes, cbcs first."""

    def __init__(self, folder: Path, **terms: object) -> None:
        self.rig = SealedRig(folder, both=True, rotation_s=ROTATION_S, **terms)
        self.open()

    def open(self) -> None:
        rig, channels = self.rig, self.rig.channels
        steady = lambda: rig.now_s  # noqa: E731
        shown = channels.presentations
        library = Library(rig.folder.parent)
        self.delivery = Delivery(rig.settings, rig.hot, shown, library, steady, steady)
        self.delivery.shift = TimeShift(rig.settings, rig.hot, shown, channels.recordings)
        channels.on_publish = self.delivery.wake

    def ask(self, path: str, query: str = "") -> Answer:
        async def asked() -> Answer:
            answer = self.delivery.handle(Request("GET", path, query))
            return await answer if isinstance(answer, Awaitable) else answer

        return asyncio.run(asked())

    def get(self, path: str, query: str = "") -> bytes:
        answer = self.ask(path, query)
        assert isinstance(answer, Entity), (path, answer)
        return answer.body

    def runs(self, folder: str, track: str, scheme: str) -> Runs:
        found: Runs = {}
        kid = header = ""
        for line in self.get(f"{folder}/{track}/media.m3u8").decode().split("\n"):
            if match := KEY.match(line):
                assert match[1] == METHODS[scheme]
                kid = match[2]
            elif match := MAP.match(line):
                header = match[1]
            elif re.fullmatch(r"\d+\.m4s", line):
                found.setdefault((kid, header), []).append(line)
        return found


def played(folder: Path, count: int = SEGMENTS, **terms: object) -> Port:
    port = Port(folder, **terms)
    port.rig.begin()
    port.rig.play(FIRST, count)
    return port


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Port:
    return played(tmp_path_factory.mktemp("both"))


@pytest.mark.parametrize("track", ["v", "a"])
def test_each_set_opens_with_its_own_keys(port: Port, tmp_path: Path, track: str) -> None:
    """PR-16, PR-40, PR-176: by another decoder, to what was pushed; nothing is clear."""
    film, kids, media = films()[track], {}, {}
    for scheme, folder in FOLDERS.items():
        runs = port.runs(folder, track, scheme)
        kids[scheme] = {kid for kid, _ in runs}
        media[scheme] = [leaf for leaves in runs.values() for leaf in leaves]
        for (kid, header), leaves in runs.items():
            assert header.startswith(f"init-{scheme}-")
            key = port.rig.source.file.by_kid(bytes.fromhex(kid))
            assert key is not None and key.scheme == scheme
            clear = film.header
            for leaf in leaves:
                clear += b"".join(film.pieces(int(leaf.removesuffix(".m4s"))))
            sealed = port.get(f"{folder}/{track}/{header}")
            sealed += b"".join(port.get(f"{folder}/{track}/{leaf}") for leaf in leaves)
            opened = frames(sealed, tmp_path, key.secret.reveal().hex())
            assert opened == frames(clear, tmp_path)
    assert media["cbcs"] == media["cenc"] and len(media["cbcs"]) >= SEGMENTS - 1
    assert len(kids["cbcs"]) == len(kids["cenc"]) >= 3 and not kids["cbcs"] & kids["cenc"]


def test_mpds_and_masters_name_their_scheme(port: Port) -> None:
    """PR-70: one default_KID set each; ids that no player takes for one another."""
    ids, kids = set(), {}
    for scheme, folder in FOLDERS.items():
        for leaf in ("manifest.mpd", "ll.mpd"):
            mpd = port.get(f"{folder}/{leaf}").decode()
            assert set(re.findall(r'mp4protection:2011" value="(\w+)"', mpd)) == {scheme}
            kids[scheme] = set(re.findall(r'default_KID="([^"]+)"', mpd))
            ids.add(re.search(r'<MPD[^>]* id="([^"]+)"', mpd)[1])  # type: ignore[index]
            assert mpd.count("<Period") >= 3
        master = port.get(f"{folder}/master.m3u8").decode()
        assert "v/media.m3u8" in master.split("\n")
    assert len(ids) == 4 and not kids["cbcs"] & kids["cenc"]


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_parts_make_the_segment(port: Port, scheme: str) -> None:
    """PR-161, HLS-19: and the I frame is that of its own set (PR-32)."""
    folder = FOLDERS[scheme]
    text = port.get(f"{folder}/v/media.m3u8").decode()
    number = port.rig.channel.edge
    parts = re.findall(rf'EXT-X-PART:DURATION=[\d.]+,URI="({number}\.\d+\.m4s)"', text)
    whole = port.get(f"{folder}/v/{number}.m4s")
    assert len(parts) > 3
    assert b"".join(port.get(f"{folder}/v/{part}") for part in parts) == whole
    frame = port.get(f"{folder}/v/{number}.i.m4s").partition(b"mdat")[2]
    assert len(frame) > 100 and frame in whole


def test_who_waits_gets_of_the_set_that_was_asked_for(tmp_path: Path) -> None:
    """O19: equal names below two folders share no gate, and no answer."""
    port = played(tmp_path, 3)
    number = port.rig.channel.edge + 1
    query = f"_HLS_msn={number}&_HLS_part=0"
    asks = [(f"{folder}/v/{number}.m4s", "") for folder in FOLDERS.values()]
    asks += [(f"{folder}/v/media.m3u8", query) for folder in FOLDERS.values()]
    parked = [port.ask(*each) for each in asks]
    waiting = [answer for answer in parked if isinstance(answer, Parked)]
    assert len(waiting) >= 2 and len({id(answer.gate) for answer in waiting}) == len(waiting)
    port.rig.play(FIRST + 3, 2)
    bodies = [port.get(f"{folder}/v/{number}.m4s") for folder in FOLDERS.values()]
    assert bodies[0] != bodies[1]


def test_a_key_of_either_that_does_not_come_keeps_both_on_the_last(tmp_path: Path) -> None:
    """PR-43: periods are decided once, for both sets alike."""
    port = Port(tmp_path)
    late = period_of(FIRST + 4, GRID_S, ROTATION_S)
    port.rig.source.away.add(("cenc", late))
    port.rig.begin()
    port.rig.play(FIRST, SEGMENTS)
    assert late in port.rig.channel.kept.stood
    told = {s: [*port.runs(f, "v", s).values()] for s, f in FOLDERS.items()}
    assert told["cbcs"] == told["cenc"]
    headers = {h for s, f in FOLDERS.items() for _, h in port.runs(f, "v", s)}
    assert not any(header.endswith(f"-{late}.mp4") for header in headers)


def test_no_key_no_media_of_that_set(tmp_path: Path) -> None:
    """PR-43: from its begin without a key of cenc, cbcs plays and cenc is 503."""
    port = Port(tmp_path)
    first = period_of(FIRST, GRID_S, ROTATION_S)
    port.rig.source.away.update(("cenc", first + k * ROTATION_S) for k in range(-1, 5))
    port.rig.begin()
    port.rig.play(FIRST, 3)
    number = port.rig.channel.edge
    for leaf in ("v/media.m3u8", "manifest.mpd", f"v/{number}.m4s"):
        refused = port.ask(f"/live/c/cenc/{leaf}")
        assert isinstance(refused, Refusal) and (refused.status, refused.code) == (503, "no_key")
        assert port.get(f"/live/c/{leaf}")
    port.rig.source.away = set()
    port.rig.now_s += 60  # who failed is not asked again at once
    port.rig.fetch()
    assert port.runs("/live/c/cenc", "v", "cenc")


def test_ranges_recordings_and_restarts(tmp_path: Path) -> None:
    """PR-54: both sets, below the folder of theirs; the same octets from disk."""
    port = played(tmp_path)
    number = FIRST + 2
    bodies = {s: port.get(f"{f}/v/{number}.m4s") for s, f in FOLDERS.items()}
    query = f"start={float(FIRST * GRID_S):.6f}&end={float((FIRST + 4) * GRID_S):.6f}"
    ranged = {s: port.get(f"{f}/v/media.m3u8", query) for s, f in FOLDERS.items()}
    for scheme, text in ranged.items():
        assert {m[1] for m in KEY.finditer(text.decode())} == {METHODS[scheme]}
    held = Range(FIRST * GRID_S, (FIRST + 4) * GRID_S)
    port.rig.channels.recordings.create(Hold("evening", "c", held))
    port.rig.restart()
    port.rig.fetch()
    port.open()
    for scheme, folder in FOLDERS.items():
        recorded = folder.replace("/live/c", "/rec/evening")
        assert port.get(f"{folder}/v/{number}.m4s") == bodies[scheme]
        assert port.get(f"{recorded}/v/{number}.m4s") == bodies[scheme]
        [*runs] = port.runs(recorded, "v", scheme)
        assert all(port.get(f"{recorded}/v/{header}") for _, header in runs)
        assert f'value="{scheme}"' in port.get(f"{recorded}/manifest.mpd").decode()


def test_what_leaves_the_disk_leaves_both(tmp_path: Path) -> None:
    """HLS-7, O15: and what makes the channel unfit is said of both."""
    port = played(tmp_path)
    paths = [f"{folder}/v/{port.rig.channel.edge}.m4s" for folder in FOLDERS.values()]
    assert all(port.rig.hot.get(path) is not None for path in paths)
    port.rig.presentation.lose([("v", port.rig.channel.edge)])
    assert all(port.rig.hot.get(path) is None for path in paths)
    for each in port.rig.presentation.siblings:
        assert port.get(f"{each.base}/master.m3u8")
        assert port.rig.hot.get(f"{each.base}/master.m3u8") is not None
    port.rig.presentation.forget_all()
    assert all(
        port.rig.hot.get(f"{each.base}/master.m3u8") is None
        for each in port.rig.presentation.siblings
    )


def test_fairplay_is_of_the_cbcs_set(tmp_path: Path) -> None:
    """PR-84, PR-170: and one document of CPIX cannot have keys of both."""
    port = played(tmp_path, 3, systems=["clearkey", "fairplay"])
    for scheme, folder in FOLDERS.items():
        told = "com.apple.streamingkeydelivery" in port.get(f"{folder}/v/media.m3u8").decode()
        assert told == (scheme == "cbcs")
    with pytest.raises(ValidationError):
        LiveProtection(both=True, source="cpix:keys.xml")
    with pytest.raises(ValidationError):
        LiveProtection(both=True, scheme="cenc", systems=["fairplay"])


def test_one_scheme_has_no_folder_of_another(tmp_path: Path) -> None:
    port = Port.__new__(Port)
    port.rig = SealedRig(tmp_path, rotation_s=ROTATION_S)
    port.open()
    port.rig.begin()
    port.rig.play(FIRST, 3)
    assert port.get("/live/c/manifest.mpd")
    for leaf in ("manifest.mpd", "v/media.m3u8"):
        assert port.ask(f"/live/c/cenc/{leaf}").status == 404
