"""Where a film has nothing for longer than two segments: gaps in HLS, Periods in DASH (TR-23)."""

import re
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.outputs_rig import DASH, Title
from origin_rigs.protection_rig import frames
from origin_rigs.recipes import made

from native.http import Refusal
from origin.vod import Library, VodError, register

PICTURES = ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=24:d=40"]
SOUND = ["-f", "lavfi", "-i", "sine=440:r=48000:d=40"]
X264 = ["-fps_mode", "passthrough", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-threads", "1",
        "-g", "48", "-sc_threshold", "0", "-c:a", "aac"]  # fmt: skip
LEFT_OUT = "'lt(t,6)+gte(t,26)'"
KEYS = ["-force_key_frames", "0,2,4,26,28,30,32,34,36,38"]


def pictures_alone() -> Path:
    return made("hole_alone", [*PICTURES, "-vf", f"select={LEFT_OUT}", *KEYS, *X264])


def beside_sound() -> Path:
    cut = ["-vf", f"select={LEFT_OUT}"]
    return made("hole_sound", [*PICTURES, *SOUND, *cut, *KEYS, *X264])


def listed(playlist: str) -> list[tuple[int, Fraction, bool]]:
    """Number, length and whether it is a gap."""
    rows = re.findall(r"(#EXT-X-GAP\n)?#EXTINF:([\d.]+),\n(\d+)\.", playlist)
    return [(int(number), Fraction(length), bool(gap)) for gap, length, number in rows]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("holes")
    report = register(folder, [beside_sound()], "film")
    assert report.notes == ["film: no pictures for 20.000 s from 6.021 s on"]
    register(folder, [pictures_alone()], "alone")
    return folder


def test_a_hole_is_listed_as_gaps(home: Path) -> None:
    """HLS: numbers go on, lengths add up to the film's, none is above the target duration."""
    title = Title(Library(home))
    rows = listed(title.get("v72/media.m3u8").decode())
    assert [number for number, _, _ in rows] == list(range(1, 11))
    assert [number for number, _, gap in rows if gap] == [3, 4, 5, 6]
    assert sum(length for _, length, gap in rows if gap) == 20
    assert sum(length for _, length, _ in rows) == 40
    sound = listed(title.get("a-und/media.m3u8").decode())
    assert [number for number, _, gap in sound if not gap] == list(range(1, 11))
    for leaf in ("v72/media.m3u8", "v72/iframe.m3u8", "v72/bytes.m3u8", "v72/ts.m3u8"):
        playlist = title.get(leaf).decode()
        target = int(re.findall(r"TARGETDURATION:(\d+)", playlist)[0])
        lengths = [Fraction(each) for each in re.findall(r"#EXTINF:([\d.]+)", playlist)]
        assert max(lengths) <= target + Fraction(1, 2), leaf


def test_what_is_listed_is_there_and_a_gap_is_not(home: Path, tmp_path: Path) -> None:
    library = Library(home)
    title = Title(library)
    rows = listed(title.get("v72/media.m3u8").decode())
    media = [title.get(f"v72/{number}.m4s") for number, _, gap in rows if not gap]
    shown = frames(title.get("v72/init.mp4") + b"".join(media), tmp_path)
    wanted = [row for row in frames(beside_sound().read_bytes(), tmp_path) if row[0] == "0"]
    assert [row.split(",")[-1] for row in shown] == [row.split(",")[-1] for row in wanted]
    assert title.get("v72/track.mp4", (0, 99))
    for number, _, gap in rows:
        if gap:
            answer = library.answer("film", f"v72/{number}.m4s")
            assert isinstance(answer, Refusal) and answer.status == 404


def test_periods_end_and_begin_at_the_hole(home: Path) -> None:
    """DASH: the one between has sound alone, and each has the times of the media."""
    root = ET.fromstring(Title(Library(home)).get("manifest.mpd"))
    periods = root.findall(f"{DASH}Period")
    assert [p.get("duration") for p in periods] == ["PT6.021403S", "PT20S", "PT14S"]
    kinds = [[s.get("contentType") for s in p.iter(f"{DASH}AdaptationSet")] for p in periods]
    assert kinds == [["video", "audio", "video"], ["audio"], ["video", "audio", "video"]]
    assert root.get("mediaPresentationDuration") == "PT40.021403S"
    at = Fraction(0)
    for period in periods:
        for template in period.iter(f"{DASH}SegmentTemplate"):
            scale = int(template.get("timescale") or 1)
            first = next(template.iter(f"{DASH}S"))
            offset = int(template.get("presentationTimeOffset") or 0)
            assert 0 <= int(first.get("t") or 0) - offset < scale // 40
            assert abs(Fraction(offset, scale) - at) < Fraction(1, 1000)
        at += Fraction((period.get("duration") or "")[2:-1])


def test_a_hole_of_everything_has_no_period(home: Path) -> None:
    root = ET.fromstring(Title(Library(home), "alone").get("manifest.mpd"))
    starts = [p.get("start") for p in root.findall(f"{DASH}Period")]
    assert starts == ["PT0S", "PT26S"]
    assert [p.get("duration") for p in root.findall(f"{DASH}Period")] == ["PT6S", "PT14S"]


def test_a_clip_behind_the_hole_has_one_period(home: Path) -> None:
    answer = Library(home).answer("film", "manifest.mpd", "start=27&end=40")
    root = ET.fromstring(answer.body)  # type: ignore[union-attr]
    (period,) = root.findall(f"{DASH}Period")
    assert (period.get("start"), period.get("duration")) == ("PT0S", "PT14S")


def test_a_ladder_with_a_hole_in_one_rung_is_refused(tmp_path: Path) -> None:
    whole = made("hole_none", [*PICTURES, "-vf", "null", *KEYS, *X264])
    with pytest.raises(VodError) as refused:
        register(tmp_path, [whole, pictures_alone()], "film")
    assert refused.value.code in ("misaligned", "no_rap")


def test_pictures_that_last_up_to_two_segments_are_no_hole(tmp_path: Path) -> None:
    """They stay one long segment."""
    report = register(tmp_path, [pictures_alone()], "film", segment_s=Fraction(11))
    rows = listed(Title(Library(tmp_path)).get("v72/media.m3u8").decode())
    assert not report.notes and not any(gap for _, _, gap in rows)
