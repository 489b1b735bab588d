"""What an operator is told of a ladder that does not fit, word for word (TR-38, TR-39)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from origin_rigs.recipes import recipe
from typer.testing import CliRunner

from headwater.cli import app
from origin.vod import Library, VodError, register

GOP = "Re-encode with -g 48 -keyint_min 48 -sc_threshold 0 (x265: open-gop=0)"
GOLDEN = {
    "ladder_bad_gop": [
        "key frame 2 at 2.083 s, ladder_a.mp4 has 2.000 s; 1 of 6 key frames is common. " + GOP
    ],
    "ladder_bad_fps": [
        "24000/1001 frames/s, ladder_a.mp4 has 24. Re-encode with -r 24",
        "key frame 2 at 2.002 s, ladder_a.mp4 has 2.000 s; 1 of 6 key frames is common. " + GOP,
    ],
    "ladder_bad_short": ["lasts 10.500 s, ladder_a.mp4 12.000 s. Cut both to one length"],
    "ladder_bad_start": [
        "starts at 0.083 s, ladder_a.mp4 at 0.000 s. Remux with an edit list (no -use_editlist 0)"
    ],
    "ladder_bad_open": [
        "open GOPs, 5 of its 6 key frames are no IDR pictures; ladder_a.mp4 has closed ones. "
        "Re-encode with -flags +cgop (x264, x265: open-gop=0)",
        "no key frame 2, ladder_a.mp4 has it at 2.000 s; 1 of 6 key frames is common. " + GOP,
    ],
    "ladder_bad_pts": [
        "frame 120 at 5.000 s, ladder_a.mp4 has 4.958 s; 168 of its frames are at other times. "
        "Re-encode both from one source with -fps_mode cfr -r 24"
    ],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_fault_has_its_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(VodError) as caught:
        register(tmp_path, [recipe("ladder_a"), recipe("ladder_b"), recipe(name)], "film")
    said = "; ".join(f"{name}.mp4: {fault}" for fault in GOLDEN[name])
    assert str(caught.value) == f"{len(GOLDEN[name])} fault(s): {said}"
    assert caught.value.code == "misaligned"
    assert not (tmp_path / "origin").exists()


def test_all_rungs_are_told_at_once(tmp_path: Path) -> None:
    files = [recipe(n) for n in ("ladder_a", "ladder_bad_short", "ladder_bad_gop")]
    with pytest.raises(VodError, match=r"2 fault\(s\)") as caught:
        register(tmp_path, files, "film")
    assert "ladder_bad_short" in str(caught.value) and "ladder_bad_gop" in str(caught.value)


def test_a_key_frame_more_is_noted(tmp_path: Path) -> None:
    report = register(tmp_path, [recipe("ladder_a"), recipe("ladder_bad_scene")], "film")
    assert report.notes[0] == (
        "ladder_bad_scene.mp4: key frame 3 at 3.500 s, ladder_a.mp4 has 4.000 s; "
        "6 of 6 key frames are common"
    )
    assert [r.name for r in report.renditions] == ["v90", "v180"]


def test_what_does_not_fit_is_left_out_if_asked(tmp_path: Path) -> None:
    names = ["ladder_a", "ladder_bad_start", "ladder_b", "ladder_bad_gop"]
    runner = CliRunner()
    command = ["package", *(str(recipe(n)) for n in names), "--title", "film", "--no-thumbnails"]
    refused = runner.invoke(app, [*command, "--data", str(tmp_path)])
    assert refused.exit_code == 1 and refused.stderr.count("\n") == 1
    assert "2 fault(s): ladder_bad_start.mp4" in refused.stderr
    told = runner.invoke(app, [*command, "--data", str(tmp_path), "--drop-misaligned"])
    assert told.exit_code == 0, told.output
    assert told.output.count("note: left out: ") == 2
    library = Library(tmp_path)
    master = library.answer("film", "master.m3u8")
    assert master.body.count(b"EXT-X-STREAM-INF") == 2  # type: ignore[union-attr]


def test_other_codecs_and_shapes(encode: Callable[..., Path], tmp_path: Path) -> None:
    sized = encode(tmp_path / "a.mp4", seconds=4)
    with pytest.raises(VodError, match=r"codec hvc1, a\.mp4 has avc1"):
        register(tmp_path, [sized, recipe("closed_265")], "film")
