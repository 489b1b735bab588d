"""Flash and beep: sound and picture of every output are as far apart as in the source, to 1 ms,
whatever its edit lists are (TR-16..TR-19, tracks.md 11.5).
"""

import re
import struct
import subprocess
from array import array
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.media_rig import FFMPEG, find, pieces
from origin_rigs.outputs_rig import Output, Title
from origin_rigs.recipes import made

from origin.vod import Library, register

FLASHES = "color=black:s=64x36:r=24:d=6,drawbox=c=white:t=fill:enable='eq(mod(n,48),24)'"
BEEPS = "aevalsrc='if(between(mod(t,2),1,1.05),sin(2*PI*1000*t),0)':s=48000:d=6"
SOURCE = [
    "-f", "lavfi", "-i", FLASHES, "-f", "lavfi", "-i", BEEPS, "-c:v", "libx264", "-preset",
    "veryfast", "-threads", "1", "-pix_fmt", "yuv420p", "-g", "48", "-sc_threshold", "0", "-bf",
    "3", "-c:a", "aac", "-b:a", "96k",
]  # fmt: skip
FRAGMENTED = "+frag_keyframe+empty_moov+default_base_moof"
# How a film is copied from the base, and how much later its sound is by that, in seconds
COPIES: dict[str, tuple[list[str], Fraction]] = {
    "base": (["-i", "BASE"], Fraction(0)),
    "late_audio": (
        ["-i", "BASE", "-itsoffset", "0.5", "-i", "BASE", "-map", "0:v", "-map", "1:a"],
        Fraction(1, 2),
    ),
    "late_video": (
        ["-itsoffset", "0.25", "-i", "BASE", "-i", "BASE", "-map", "0:v", "-map", "1:a"],
        Fraction(-1, 4),
    ),
    "mid_edit": (["-ss", "1.3", "-i", "BASE"], Fraction(0)),
    "no_elst": (["-i", "BASE", "-use_editlist", "0"], Fraction(0)),
    "neg_cts": (["-i", "BASE", "-movflags", "+negative_cts_offsets"], Fraction(0)),
    "frag_empty": (["-i", "BASE", "-movflags", FRAGMENTED], Fraction(0)),
    "frag_late": (
        ["-i", "BASE", "-movflags", FRAGMENTED, "-output_ts_offset", "100"], Fraction(0)
    ),
}  # fmt: skip


def run(path: Path, *arguments: str) -> bytes:
    command = [FFMPEG, "-v", "error", "-copyts", "-i", str(path), *arguments, "-"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def stamps(path: Path, stream: str) -> list[Fraction]:
    """Presentation times of decoded frames, in seconds."""
    kept = ("-fps_mode", "passthrough", "-enc_time_base", "demux")
    text = run(path, "-map", stream, *kept, "-f", "framemd5").decode()
    base = re.search(r"#tb 0: (\d+)/(\d+)", text)
    assert base
    ticks = [int(line.split(",")[2]) for line in text.splitlines() if line[0] != "#"]
    return [t * Fraction(int(base[1]), int(base[2])) for t in ticks]


def written(output: Output) -> list[Fraction]:
    """Presentation times of a track's fragments: ffmpeg adds what is negative in their offsets."""
    at, _ = find(output.init, "moov/trak/mdia/mdhd")
    (timescale,) = struct.unpack_from(">I", output.init, at + 12)
    found = pieces(output.init, b"".join(output.media))
    return sorted(Fraction(pts, timescale) for piece in found for _, pts, _ in piece.samples)


def flashes(path: Path, times: list[Fraction]) -> list[Fraction]:
    """Which of the times are those of white frames."""
    scale = ["-vf", "scale=1:1", "-pix_fmt", "gray", "-f", "rawvideo"]
    luma = run(path, "-map", "0:v:0", "-fps_mode", "passthrough", *scale)
    return [at for at, value in zip(times, luma, strict=True) if value > 128]


def beeps(path: Path) -> list[Fraction]:
    """When sound begins after a second without."""
    pcm = array("h", run(path, "-map", "0:a:0", "-ac", "1", "-f", "s16le"))
    first, quiet, found = stamps(path, "0:a:0")[0], 48_000, []
    for number, value in enumerate(pcm):
        if abs(value) < 3000:
            quiet += 1
            continue
        if quiet > 24_000:
            found.append(first + Fraction(number, 48_000))
        quiet = 0
    return found


def apart(shown: list[Fraction], heard: list[Fraction], offset_s: Fraction) -> set[Fraction]:
    """How much later than its flash each beep is; more than one, a beep for each flash."""
    assert len(shown) == len(heard) >= 2
    return {b - a - offset_s for a, b in zip(shown, heard, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("name", COPIES)
def test_sound_and_picture_stay_together(name: str, tmp_path: Path) -> None:
    base = made("flash", SOURCE)
    arguments, offset_s = COPIES[name]
    film = made(name, [str(base) if a == "BASE" else a for a in arguments] + ["-c", "copy"])
    truth = apart(flashes(base, stamps(base, "0:v:0")), beeps(base), Fraction(0))
    register(tmp_path, [film], "film", segment_s=Fraction(2))
    library = Library(tmp_path)
    title = Title(library)
    outputs, packets = title.segmented(), title.transported()["v36"]
    library.close()
    video, audio, both = (tmp_path / leaf for leaf in ("v.mp4", "a.mp4", "film.ts"))
    video.write_bytes(outputs["v36"].file)
    audio.write_bytes(outputs["a-und"].file)
    both.write_bytes(packets)
    assert len(truth) == 1
    for shown, heard in (
        (flashes(video, written(outputs["v36"])), beeps(audio)),
        (flashes(both, stamps(both, "0:v:0")), beeps(both)),
    ):
        for each in apart(shown, heard, offset_s):
            assert abs(each - min(truth)) <= Fraction(1, 1000), float(each)
