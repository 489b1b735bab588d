"""Films for the packager, made once per test run."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def make(path: Path, *, seconds: float, gop: int = 48, size: str = "320x180") -> Path:
    """x264 with B-frames and AAC in two languages, edit lists and all."""
    lavfi = ["-f", "lavfi", "-i"]
    command = [FFMPEG, "-v", "error", "-y"]
    command += [*lavfi, f"testsrc2=s={size}:r=24:d={seconds}"]
    command += [*lavfi, f"sine=440:r=48000:d={seconds}", *lavfi, f"sine=880:r=48000:d={seconds}"]
    command += ["-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-bf", "3", "-b_strategy", "0", "-g", str(gop), "-keyint_min", str(gop)]
    command += ["-sc_threshold", "0", "-pix_fmt", "yuv420p", "-threads", "1", "-c:a", "aac"]
    command += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra", str(path)]
    subprocess.run(command, check=True, timeout=100)
    return path


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    return make


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 s: 750 AAC packets and one of priming, four segments."""
    return make(tmp_path_factory.mktemp("film") / "film.mp4", seconds=16)
