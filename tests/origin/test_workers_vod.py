"""Films registered by another process than the one that serves them."""

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from origin import vod
from origin.vod import Library


def film(path: Path, size: str) -> Path:
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi"]
    argv += ["-i", f"testsrc2=s={size}:r=25", "-t", "4", "-c:v", "libx264", "-g", "50"]
    argv += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    return path


def test_every_worker_sees_new_titles_and_titles_registered_anew(tmp_path: Path) -> None:
    one, two = Library(tmp_path), Library(tmp_path)

    def master(library: Library) -> Any:
        return library.answer("film", "master.m3u8")

    assert master(one).status == 404
    vod.register(tmp_path, [film(tmp_path / "small.mp4", "128x72")], "film")
    assert b"RESOLUTION=128x72" in master(one).body
    assert b"RESOLUTION=128x72" in master(two).body
    vod.register(tmp_path, [film(tmp_path / "large.mp4", "256x144")], "film")
    assert b"RESOLUTION=256x144" in master(one).body
    assert master(one).body == master(two).body
    one.close()
    two.close()
