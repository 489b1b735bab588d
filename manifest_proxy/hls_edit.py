"""A playlist compiled for a cohort: a master once per pathway, a media playlist for the first one.

Source: HLS-M2, HLS-M7, HLS-M32.
"""

from collections.abc import Sequence

from native.hls import Line, Playlist
from native.holes import Template

from .errors import ManifestError
from .hls_pathways import VARIANT, expanded
from .hls_references import References
from .policy import TOKEN_PARAMETER, Policy
from .urls import Origin, Url

VERSION = b"EXT-X-VERSION"
MEDIA_TAGS = frozenset({b"EXTINF", b"EXT-X-TARGETDURATION"})


def compile_hls(data: bytes, url: Url, origin: Origin, policy: Policy) -> Template:
    """The playlist fetched from `url`, for the cohort of `policy`."""
    playlist = Playlist(data)
    if policy.tokenised and policy.carrier == "define":
        playlist = Playlist(defining(playlist.lines(), TOKEN_PARAMETER))
    references = References(playlist, url, origin, policy)
    if VARIANT in playlist.tags:
        if playlist.tags & MEDIA_TAGS:
            raise ManifestError("mixed_playlist", "tags of a master and of a media playlist")
        if policy.steering_url and (master := expanded(playlist.lines(), references, policy)):
            return master
        return references.led_master(playlist, policy.first)
    return references.led(playlist, policy.first)


def defining(lines: Sequence[Line], parameter: bytes) -> bytes:
    """The playlist with a variable of its own URL's query, which needs version 11 (HLS-M6)."""
    ending = lines[0].ending or b"\n"
    head = b'#EXT-X-DEFINE:QUERYPARAM="%b"' % parameter
    versions = [line for line in lines if line.name == VERSION]
    told = max(
        (int(v.value) for v in versions if v.value.isdigit() and len(v.value) < 4), default=0
    )
    body = [line.raw for line in lines[1:] if line.name != VERSION]
    top = [lines[0].raw.rstrip(b"\r\n"), b"#%b:%d" % (VERSION, max(told, 11)), head]
    return b"".join([*(line + ending for line in top), *body])
