"""Live channels that are protected as they are served: what players get decrypts to what was
pushed, under the key that the playlist names, by every name that the media has.
"""

import re
from pathlib import Path

import pytest
from origin_rigs.protection_rig import boxes, child, frames
from origin_rigs.sealed_rig import FIRST, GRID_S, SEGMENTS, SealedRig, films

from native.http import Refusal
from origin.protection.periods import first_of, period_of

ROTATION_S = 6
KEY = re.compile(r"#EXT-X-KEY:METHOD=([A-Z-]+),URI=\"https://keys.test/key/([0-9a-f]{32})\"")
MAP = re.compile(r'#EXT-X-MAP:URI="(init-[a-z]+-(\d+)\.mp4)"')
SCHEMES = {"cbcs": "SAMPLE-AES", "cenc": "SAMPLE-AES-CTR"}


def played(
    folder: Path, scheme: str = "cbcs", rotation_s: int = ROTATION_S, **terms: object
) -> SealedRig:
    rig = SealedRig(folder, scheme=scheme, rotation_s=rotation_s, **terms)
    rig.begin()
    rig.play(FIRST, SEGMENTS)
    return rig


def listed(text: str) -> list[tuple[str, str, str]]:
    """(KID, header, segment) of every segment, as a player reads them."""
    kid = header = ""
    found = []
    for line in text.split("\n"):
        if match := KEY.match(line):
            kid = match[2]
        elif match := MAP.match(line):
            header = match[1]
        elif line.endswith(".m4s"):
            found.append((kid, header, line))
    return found


@pytest.mark.parametrize("track", ["v", "a"])
@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_every_period_decrypts_to_what_was_pushed(tmp_path: Path, scheme: str, track: str) -> None:
    """PR-50, PR-51, PR-60, PR-176: by another decoder, with the key that the playlist names."""
    rig = played(tmp_path, scheme)
    segments = listed(rig.text(track))
    assert len(segments) == rig.channel.edge - FIRST + 1 >= SEGMENTS - 1
    assert len({kid for kid, _, _ in segments}) >= 3
    assert f"METHOD={SCHEMES[scheme]}," in rig.text(track)
    for kid in dict.fromkeys(kid for kid, _, _ in segments):
        mine = [(header, leaf) for k, header, leaf in segments if k == kid]
        assert len({header for header, _ in mine}) == 1
        key = rig.source.file.by_kid(bytes.fromhex(kid)).secret.reveal().hex()
        sealed = rig.body(track, mine[0][0]) + b"".join(rig.body(track, leaf) for _, leaf in mine)
        film = films()[track]
        numbers = [int(leaf.split(".")[0]) for _, leaf in mine]
        clear = film.header + b"".join(b"".join(film.pieces(n)) for n in numbers)
        assert frames(sealed, tmp_path, key) == frames(clear, tmp_path)
        assert all(media not in sealed for media in mdats(clear)), "no clear media"


def test_boundaries_follow_from_media_time(tmp_path: Path) -> None:
    """PR-50: the first segment at or after its time begins a period, for all tracks alike."""
    rig = played(tmp_path)
    for track in ("v", "a"):
        for _, header, leaf in listed(rig.text(track)):
            number = int(leaf.split(".")[0])
            period = int(MAP.match(f'#EXT-X-MAP:URI="{header}"')[2])
            assert period == period_of(number, GRID_S, ROTATION_S)
            assert period <= number * GRID_S < period + ROTATION_S
            assert number >= first_of(period, GRID_S) > (period / GRID_S) - 1


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_parts_and_segments_are_the_same_bytes(tmp_path: Path, scheme: str) -> None:
    """PR-161, HLS-19: also from the log, in any order, and after a restart."""
    rig = played(tmp_path, scheme)
    number = rig.channel.edge
    parts = re.findall(rf'EXT-X-PART:DURATION=[\d.]+,URI="({number}\.\d+\.m4s)"', rig.text("v"))
    assert len(parts) > 3
    whole = rig.body("v", f"{number}.m4s")
    assert b"".join(rig.body("v", part) for part in parts) == whole
    rig.restart()
    rig.fetch()
    for part in reversed(parts):
        rig.body("v", part)
    assert b"".join(rig.body("v", part) for part in parts) == whole
    assert rig.body("v", f"{number}.m4s") == whole


def test_equal_origins_answer_equal_bytes(tmp_path: Path) -> None:
    """PR-16, PR-42, PR-160: two machines that share a master key and what was pushed."""
    a = played(tmp_path / "a", "cenc")
    b = SealedRig(tmp_path / "b", scheme="cenc", rotation_s=ROTATION_S)
    b.synths = dict(reversed(b.synths.items()))
    b.begin()
    b.play(FIRST, SEGMENTS)
    assert a.text("v") == b.text("v") and a.manifest("manifest.mpd") == b.manifest("manifest.mpd")
    for track in ("v", "a"):
        for _, header, leaf in listed(a.text(track)):
            assert a.body(track, header) == b.body(track, header)
            assert a.body(track, leaf) == b.body(track, leaf)


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_i_frames_carry_the_bytes_of_their_segment(tmp_path: Path, scheme: str) -> None:
    """PR-32: with the IV of the sample in its segment, whatever time the I frame is shown at."""
    rig = played(tmp_path, scheme)
    for _, _, leaf in listed(rig.text("v"))[:3]:
        number = leaf.split(".")[0]
        (iframe,) = mdats(rig.body("v", f"{number}.i.m4s"))
        segment = rig.body("v", leaf)
        assert mdats(segment)[0].startswith(iframe)
        first, own = (senc(data) for data in (segment, rig.body("v", f"{number}.i.m4s")))
        assert first[8 : len(own)] == own[8:]


def test_no_key_no_media(tmp_path: Path) -> None:
    """PR-43: 503 until the key is there, never clear."""
    rig = SealedRig(tmp_path, scheme="cbcs", rotation_s=ROTATION_S)
    rig.source.down = True
    rig.begin()
    rig.play(FIRST, 4)
    number = rig.channel.edge
    assert number >= FIRST + 2
    for track in ("v", "a"):
        for leaf in (
            f"{number}.m4s",
            f"{number}.0.m4s",
            f"init-cbcs-{rig.sealing.slot(number).header}.mp4",
        ):
            refused(rig.ask(track, leaf))
        assert rig.hot.get(f"{rig.presentation.base}/{track}/{number}.m4s") is None
        refused(rig.entity(track))
        refused(rig.entity(track, "_HLS_skip=YES"))
    refused(rig.ask("v", f"{number}.i.m4s"))
    refused(rig.ask("v", f"{number + 1}.m4s")) if rig.channel.tracks["v"].segments.get(
        number + 1
    ) else None
    for leaf in ("master.m3u8", "manifest.mpd", "ll.mpd"):
        refused(rig.presentation.render(leaf))
    rig.source.down = False
    rig.now_s += 60
    rig.fetch()
    assert len(listed(rig.text("v"))) == number - FIRST + 1
    assert "ContentProtection" in rig.manifest("manifest.mpd")
    rig.body("v", f"{number}.m4s")


def test_a_late_key_leaves_the_last_in_force(tmp_path: Path) -> None:
    """PR-43: for the whole period and for ever, told to everybody alike; the next one is new."""
    rig = SealedRig(tmp_path, scheme="cbcs", rotation_s=ROTATION_S)
    first = period_of(FIRST, GRID_S, ROTATION_S)
    rig.source.away = {first + ROTATION_S}
    rig.begin()
    rig.play(FIRST, SEGMENTS)
    segments = listed(rig.text("v"))
    by_period: dict[int, set[str]] = {}
    for kid, _, leaf in segments:
        number = int(leaf.split(".")[0])
        by_period.setdefault(period_of(number, GRID_S, ROTATION_S), set()).add(kid)
    kids = [by_period[first + step * ROTATION_S] for step in range(3)]
    assert kids[0] == kids[1] != kids[2] and all(len(found) == 1 for found in kids)
    rig.source.away = set()
    rig.restart()
    rig.fetch()
    assert listed(rig.text("v")) == segments
    assert rig.manifest("manifest.mpd").count("<Period") == len(
        set(map(frozenset, by_period.values()))
    )


def test_a_channel_that_is_protected_later_keeps_its_clear_past(tmp_path: Path) -> None:
    """PR-54, PR-62: what was served before stays as it was; players are told where keys begin."""
    rig = SealedRig(tmp_path, scheme="cbcs")
    asked = rig.settings.channels["c"].protection
    rig.settings.channels["c"].protection = None
    rig.restart()
    rig.begin()
    rig.play(FIRST, 4)
    before = rig.channel.edge
    clear = rig.body("v", f"{before}.m4s")
    rig.settings.channels["c"].protection = asked
    rig.restart()
    rig.play(before + 1, SEGMENTS - (before + 1 - FIRST))
    assert rig.body("v", f"{before}.m4s") == clear == b"".join(films()["v"].pieces(before))
    segments = listed(rig.text("v"))
    assert [header for _, header, leaf in segments if leaf == f"{before}.m4s"] == [""]
    assert [header for _, header, leaf in segments if leaf == f"{before + 2}.m4s"] == [
        "init-cbcs-0.mp4"
    ]
    assert rig.manifest("manifest.mpd").count("<Period") == 2


def test_inband_keys_are_in_every_fragment(tmp_path: Path) -> None:
    """PR-52: one header with a real key; seig in each fragment, pssh where a player may begin."""
    rig = played(tmp_path, mode="inband")
    segments = listed(rig.text("v"))
    (header,) = {header for _, header, _ in segments}
    tenc = child(rig.body("v", header), "moov", "trak", "mdia", "minf", "stbl", "stsd", "encv",
                 "sinf", "schi", "tenc")  # fmt: skip
    assert tenc[8:24].hex() == segments[0][0], "the first key"
    assert rig.manifest("manifest.mpd").count("<Period") == 1
    for kid, _, leaf in segments:
        moofs = [body for kind, body in boxes(rig.body("v", leaf)) if kind == "moof"]
        for at, moof in enumerate(moofs):
            sgpd = child(moof, "traf", "sgpd")
            assert sgpd[4:8] == b"seig" and bytes.fromhex(kid) in sgpd
            assert ("pssh" in dict(boxes(moof))) == (at == 0), "only where a player begins"


def test_the_next_period_is_announced(tmp_path: Path) -> None:
    """PR-53: who counts segments is told where its Period ends and what comes; HLS hints."""
    rig = SealedRig(tmp_path, scheme="cbcs", rotation_s=ROTATION_S)
    rig.begin()
    hinted = set()
    for number in range(FIRST, FIRST + SEGMENTS - 1):
        rig.play(number, 1)
        if rig.channel.edge < FIRST:
            continue
        text, edge = rig.text("v"), rig.channel.edge
        turn = next(n for n in range(edge + 1, edge + 9) if rig.sealing.splits(n))
        low = rig.manifest("ll.mpd")
        assert f'<Period id="p{turn}"' in low
        assert f'<Period id="p{turn}"' not in rig.manifest("manifest.mpd")
        assert low.count("duration=") and not low.rstrip().endswith("</Period>")
        if turn <= edge + 2:
            assert f'TYPE=MAP,URI="{rig.sealing.slot(turn).init}"' in text
            hinted.add(turn)
    assert hinted


def test_a_delta_tells_the_key_behind_what_it_skips(tmp_path: Path) -> None:
    """PR-62, HLS-21: tags of segments that are left out are left out."""
    rig = played(tmp_path)
    text = rig.text("v", "_HLS_skip=YES")
    if "#EXT-X-SKIP" in text:
        head, tail = text.split("#EXT-X-SKIP", 1)
        assert "#EXT-X-KEY" not in head and "#EXT-X-MAP" not in head
        assert listed(tail) == listed(rig.text("v"))[-len(listed(tail)) :]


def refused(answer: object) -> None:
    assert isinstance(answer, Refusal), answer
    assert (answer.status, answer.code) == (503, "no_key")


def mdats(data: bytes) -> list[bytes]:
    return [body for kind, body in boxes(data) if kind == "mdat"]


def senc(data: bytes) -> bytes:
    moof = dict(reversed(boxes(data)))["moof"]
    return child(moof, "traf", "senc")


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_a_channel_may_begin_in_the_clear(tmp_path: Path, scheme: str) -> None:
    """PR-33: whole segments, by a second sample entry of the same header, METHOD=NONE before."""
    rig = played(tmp_path, scheme, rotation_s=0, clear_lead_s=5)
    text, film = rig.text("v"), films()["v"]
    assert text.index("#EXT-X-KEY:METHOD=NONE") < text.index("#EXT-X-KEY:METHOD=SAMPLE")
    segments = listed(text)
    begun = [bool(kid) for kid, _, _ in segments]
    assert begun == [False] * 3 + [True] * (len(begun) - 3)
    assert {header for _, header, _ in segments} == {f"init-{scheme}-0.mp4"}
    header = rig.body("v", segments[0][1])
    entries = child(header, "moov", "trak", "mdia", "minf", "stbl", "stsd")[8:]
    assert [kind for kind, _ in boxes(entries)] == ["encv", "avc1"]
    for at, (_, _, leaf) in enumerate(segments):
        moof = dict(reversed(boxes(rig.body("v", leaf))))["moof"]
        tfhd = child(moof, "traf", "tfhd")
        assert (tfhd[3] & 2 and tfhd[8:12] == b"\0\0\0\2") if at < 3 else not tfhd[3] & 2
    numbers = [int(leaf.split(".")[0]) for _, _, leaf in segments]
    sealed = header + b"".join(rig.body("v", leaf) for _, _, leaf in segments)
    clear = film.header + b"".join(b"".join(film.pieces(n)) for n in numbers)
    key = rig.source.file.by_kid(bytes.fromhex(segments[-1][0])).secret.reveal().hex()
    lead = header + b"".join(rig.body("v", leaf) for _, _, leaf in segments[:3])
    assert frames(lead, tmp_path, key) == frames(clear, tmp_path)[: 3 * 48]
    assert len(frames(sealed, tmp_path, key)) == len(numbers) * 48
    assert rig.manifest("manifest.mpd").count("<Period") == 1
    rig.body("v", f"{numbers[0]}.i.m4s")


def test_the_probe_takes_a_new_header_that_comes_with_its_key(tmp_path: Path) -> None:
    """PR-51 beside HLS-10: no discontinuity where only the key changes."""
    from headwater.probe.playlist import parse
    from headwater.probe.rules.hls_one import _maps

    text = played(tmp_path).text("v")
    assert list(_maps(parse("http://test/media.m3u8", text.encode()))) == []
    keyless = "\n".join(line for line in text.split("\n") if "EXT-X-KEY" not in line)
    assert len(list(_maps(parse("http://test/media.m3u8", keyless.encode())))) == 2
