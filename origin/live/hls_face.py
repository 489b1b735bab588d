"""The playlists of a live channel."""

from collections.abc import Sequence

from native.http import Entity
from origin import hls
from origin.live.presentation import Presentation
from origin.live.track import LiveTrack, Stored
from origin.tracks import Segment

MASTER = "master.m3u8"
MEDIA = "/media.m3u8"


class HlsFace:
    """Renders `master.m3u8` and `{track}/media.m3u8` at the first request after a change."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def part(self, track: LiveTrack, segment: Stored) -> None:
        """Nothing in these playlists depends on a segment in the making."""

    def published(self, numbers: Sequence[int]) -> None:
        presentation = self._presentation
        presentation.forget(MASTER)
        for track in presentation.channel.live_tracks:
            presentation.forget(track.rendition.name + MEDIA)

    def expired(self, gone: Sequence[tuple[str, int]]) -> None:
        """What leaves the disk left the playlists long before (HLS-7)."""

    def render(self, leaf: str) -> Entity | None:
        presentation = self._presentation
        channel = presentation.channel
        if channel.edge < 0:
            return None
        if leaf == MASTER:
            text = hls.multivariant([rendition for _, rendition in presentation.renditions])
            return presentation.text(text, hls.CONTENT_TYPE)
        track = channel.tracks.get(leaf.removesuffix(MEDIA)) if leaf.endswith(MEDIA) else None
        if track is None or track not in channel.live_tracks:
            return None
        segments = channel.listed(track, presentation.first_listed, channel.edge)
        return presentation.text(self._media(track, segments), hls.CONTENT_TYPE)

    def _media(self, track: LiveTrack, segments: list[Segment]) -> str:
        kept = self._presentation.channel.kept
        return hls.media_playlist(
            segments,
            timescale=track.timescale,
            target_duration_s=kept.target_s,
            epoch_s=0,
            discontinuity_sequence=sum(b < segments[0].number for b in kept.breaks),
        )
