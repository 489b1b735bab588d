"""The nasty films of RECIPES.md, each made once and kept in a scratch folder for later runs."""

import fcntl
import hashlib
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import imageio_ffmpeg

SCRIPT = Path("/work/shared/vectors/media/make_media.sh")
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@cache
def names() -> list[str]:
    """Every recipe that makes an MP4 file, the two films of two hours aside."""
    found = re.findall(r"^r_(\w+)\(\)", SCRIPT.read_text(), re.M)
    return sorted({*found} - {"subs", "film2h", "film2h_frag"})


def _folder() -> Path:
    """Of this script and this ffmpeg: another makes other bytes."""
    tag = hashlib.sha256(SCRIPT.read_bytes() + FFMPEG.encode()).hexdigest()[:12]
    path = Path(tempfile.gettempdir()) / f"headwater-films-{tag}"
    path.mkdir(exist_ok=True)
    return path


def recipe(name: str) -> Path:
    """The film of a recipe."""
    folder = _folder()
    path = folder / f"{name}.mp4"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / f".{name}"
        if not done.exists():
            command = ["bash", str(SCRIPT), "-n", "-o", str(folder), "-f", FFMPEG, name]
            subprocess.run(command, check=True, capture_output=True, timeout=100)
            done.touch()
    return path


def made(name: str, arguments: list[str]) -> Path:
    """A film of our own, by arguments of ffmpeg."""
    folder = _folder()
    tag = hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:12]
    path = folder / f"own-{name}-{tag}.mp4"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            half = path.with_name(f"half-{path.name}")
            command = [FFMPEG, "-v", "error", "-nostdin", "-y", *arguments, str(half)]
            subprocess.run(command, check=True, timeout=100, stderr=subprocess.DEVNULL)
            half.rename(path)
    return path
