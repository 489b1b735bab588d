"""Which track a pushed path belongs to (DASH-IF Live Media Ingest v1.2, sections 6.2 and 7).

Every name is checked against a strict alphabet before it becomes a folder or a URL.
"""

import re
from dataclasses import dataclass
from typing import Literal

from origin.errors import UnsupportedMedia, WrongPath

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_~-]{0,63}")
EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,8})$")
MEDIA = frozenset(  # I16
    ["cmfv", "cmfa", "cmft", "cmfm", "m4v", "m4a", "m4s", "mp4", "init", "header"]
)
MANIFESTS = frozenset(["mpd", "m3u8"])

# How encoders name one track's requests; `track` is the track, `number` marks a single segment.
SHAPES = tuple(
    re.compile(shape)
    for shape in (
        r"(?:Switching\([^()/]+\)/)?Streams\((?P<track>[^()/]+)\)",  # Interface 1
        r"(?:init|header)[-_](?P<track>[^/]+)",  # ffmpeg -f dash
        r"(?:chunk|segment|seg|media)[-_](?P<track>[^/]+?)[-_](?P<number>\d+)",
        r"(?P<track>[^/]+)/(?:init|header|stream)",
        r"(?P<track>[^/]+)/(?:[^/]*?[-_])?(?P<number>\d+)",
        r"(?P<track>[^/]+)",
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """What one request is about."""

    kind: Literal["track", "manifest"]
    track: str = ""


def channel_name(text: str) -> str:
    """A channel's name, or WrongPath."""
    if not NAME.fullmatch(text):
        raise WrongPath("a channel name has 1..64 of A-Z a-z 0-9 _ ~ -")
    return text


def target(path: str) -> Target:
    """Read the path below the publishing point; WrongPath (403) when it leads anywhere else."""
    parts = path.split("/")
    if len(path) > 300 or any(part in ("", ".", "..") for part in parts) or "\\" in path:
        raise WrongPath("the path leaves the publishing point")
    found = EXTENSION.search(path.rstrip(")"))
    extension = found[1].lower() if found else ""
    if extension in MANIFESTS:
        return Target("manifest")
    if extension and extension not in MEDIA:
        raise UnsupportedMedia(f"objects named .{extension} are not taken here")
    stem = re.sub(r"\.[A-Za-z0-9]{1,8}(\)?)$", r"\1", path)
    for shape in SHAPES:
        if match := shape.fullmatch(stem):
            if not NAME.fullmatch(match["track"]):
                break
            return Target("track", match["track"])
    raise WrongPath("the path names no track: 1..64 of A-Z a-z 0-9 _ ~ -")
