"""A playlist compiled for a cohort: a master once per pathway, a media playlist for the first one.

Source: HLS-M2, HLS-M7, HLS-M32.
"""

from native.hls import Playlist
from native.holes import Template

from .errors import ManifestError
from .hls_pathways import VARIANT, expanded
from .hls_references import References
from .policy import Policy
from .urls import Origin, Url

MEDIA_TAGS = frozenset({b"EXTINF", b"EXT-X-TARGETDURATION"})


def compile_hls(data: bytes, url: Url, origin: Origin, policy: Policy) -> Template:
    """The playlist fetched from `url`, for the cohort of `policy`."""
    playlist = Playlist(data)
    references = References(playlist, url, origin, policy)
    if VARIANT in playlist.tags:
        if playlist.tags & MEDIA_TAGS:
            raise ManifestError("mixed_playlist", "tags of a master and of a media playlist")
        if policy.steering_url and (master := expanded(playlist.lines(), references, policy)):
            return master
    return references.led(playlist, policy.first)
