"""The forms in which the media of a track stands in a playlist."""

from dataclasses import dataclass, replace
from typing import Literal

from origin.tracks import Rendition

ClearKey = Literal["identity", "w3c"]
W3C = ".w3c.m3u8"  # ends the names of playlists that tell ClearKey as browsers know it (PR-61)
W3C_LEAVES = {f"{name}{W3C}": f"{name}.m3u8" for name in ("media", "iframe")}
MAP = '#EXT-X-MAP:URI="init.mp4"'


@dataclass(frozen=True, slots=True)
class Form:
    """What follows a segment's number in its name, which tags head the playlist, whether parts are
    listed, how the playlist is called, and the least version that has all its tags (HLS-20).
    `clearkey`: how ClearKey is told of (PR-61). `independent`: segments need no other (TR-32).
    """

    suffix: str
    head: tuple[str, ...]
    parts: bool = False
    leaf: str = "media.m3u8"
    version: int = 6
    clearkey: ClearKey = "identity"
    independent: bool = True


MEDIA = Form(".m4s", (MAP,), parts=True)
TEXT = Form(".m4s", (MAP,))  # IMSC 1 in segments of its own; sparse, so without parts
SIDECAR = Form(".vtt", (), version=3)  # what HLS players read of a wvtt track (TR-82)
IFRAMES = Form(".i.m4s", ("#EXT-X-I-FRAMES-ONLY", MAP), leaf="iframe.m3u8", version=5)  # TR-94


def w3c(form: Form) -> Form:
    """The form for players whose ClearKey is EME's."""
    return replace(form, leaf=form.leaf.removesuffix(".m3u8") + W3C, clearkey="w3c")


def form(r: Rendition) -> Form:
    """The form of a rendition's main playlist."""
    if r.codecs == "wvtt":
        return SIDECAR
    if r.sap > 1:
        return replace(MEDIA, independent=False)
    return TEXT if r.sparse else MEDIA
