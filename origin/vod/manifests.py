"""Playlists of a title, whole or a clip of it, as text (TR-35, TR-36, TR-94, TR-111..117).

One set of CMAF segments stands behind all of them (TR-56).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from origin import dash, hls
from origin.hls.addressed import (
    TRANSPORT,
    TRANSPORT_FRAMES,
    TRANSPORT_TEXT,
    byte_playlist,
    transport_multivariant,
)
from origin.hls.forms import IFRAMES, Form, form
from origin.hls.images import (
    frame_playlist,
    frame_stream_inf,
    image_playlist,
    image_stream_inf,
)
from origin.hls.keys import ClearKey, keyed
from origin.live.ranges import Range
from origin.tiles import Tiles
from origin.tracks import Rendition, Segment, average_bps, peak_bps
from origin.vod import chapters, frames, messages, sheets, transport
from origin.vod.chapters import Chapter
from origin.vod.rates import sized
from origin.vod.served import Lock, Served
from origin.vod.virtual import layout

TRANSPORTED = frozenset(["avc1", "avc3", "mp4a", "ac-3", "ec-3"])  # TR-105


class Shown(Protocol):
    """A rendition with its segments."""

    @property
    def rendition(self) -> Rendition: ...
    @property
    def segments(self) -> Sequence[Segment]: ...


@dataclass(frozen=True)
class Scene:
    """What a manifest shows: the title's media and text, and the numbers of a clip."""

    media: Sequence[Served]
    text: Sequence[Shown]
    duration_s: Fraction
    segment_s: Fraction
    numbers: range | None = None  # None: all
    query: str = ""  # what children of a clip are asked with
    tiles: Tiles | None = None
    frames: Tiles | None = None  # the same pictures one by one
    imsc: Sequence[Shown] = ()  # the text once more, for DASH
    parts: Sequence[Chapter] = ()
    events: Sequence[messages.Saved] = ()
    clearkey: ClearKey = "identity"  # how ClearKey is signalled in HLS (PR-61)
    lock: Lock | None = None  # of transport streams (PR-145)

    @property
    def all(self) -> list[Shown]:
        return [*self.media, *self.text]

    def cut(self, segments: Iterable[Segment]) -> list[Segment]:
        """Segments inside of the clip."""
        return [s for s in segments if self.numbers is None or s.number in self.numbers]

    @property
    def target_s(self) -> int:
        """Over all playlists of the whole title, so that a clip's segments fit too (TR-36)."""
        lengths = {(s.duration, t.rendition.timescale) for t in self.all for s in played(t)}
        return hls.target_duration_s(lengths)

    @property
    def reference(self) -> Served:
        """The track whose segments bound a clip: video if there is any (TR-117)."""
        return next((t for t in self.media if t.is_video), self.media[0])

    @property
    def trick(self) -> tuple[Served, Rendition] | None:
        """The I frames of the lowest rung (TR-96, TR-98)."""
        video = [t for t in self.media if t.is_video]
        if not video:
            return None
        main = min(video, key=lambda t: (t.rendition.width * t.rendition.height, t.name))
        r, frames = main.rendition, main.frames
        ticks = sum(f.duration for f in frames)
        rate = Fraction(len(frames) * r.timescale, ticks or 1).limit_denominator(100)
        longest_s = -(-max(f.duration for f in frames) // r.timescale)
        return main, replace(
            r,
            name=f"{r.name}.i",
            trick_of=r.name,
            sap=1,
            frame_rate=rate,
            bandwidth=peak_bps(frames, r.timescale, longest_s),
            average_bandwidth=average_bps(frames, r.timescale),
        )

    def clipped(self, wanted: Range) -> "Scene":
        """The clip that covers a range, at segment boundaries; KeyError for one without media."""
        t = self.reference
        scale = t.rendition.timescale
        inside = [
            s.number
            for s in t.segments
            if s.end > wanted.start_s * scale
            and (wanted.end_s is None or s.start < wanted.end_s * scale)
        ]
        numbers = range(inside[0], inside[-1] + 1) if inside else range(0)
        if not inside:
            raise KeyError(wanted.query)
        return replace(self, numbers=numbers, query=wanted.query)

    @property
    def start_s(self) -> Fraction:
        """Media time of the manifest's beginning. What primes decoders before the first picture is
        of a clip that begins with it.
        """
        segments = self.reference.segments
        if self.numbers is None or segments[0].number in self.numbers:
            return Fraction(0)
        first = next(s for s in segments if s.number in self.numbers)
        return Fraction(first.start, self.reference.rendition.timescale)

    @property
    def chapters(self) -> list[Chapter]:
        """Those that are shown, clipped like the media."""
        return chapters.inside(self.parts, self.start_s, self.start_s + self.length_s)

    @property
    def epoch_s(self) -> int | None:
        """Wall clock of media time 0, which date ranges need (TR-116, HLS-42)."""
        return 0 if self.parts or self.events else None

    @property
    def dated(self) -> list[str]:
        return [*chapters.date_ranges(self.chapters), *messages.date_ranges(self._messages)]

    @property
    def _messages(self) -> list[messages.Saved]:
        end_s = self.start_s + self.length_s
        scale = messages.TIMESCALE
        return messages.inside(self.events, int(self.start_s * scale), int(end_s * scale))

    @property
    def streams(self) -> list[dash.EventStream]:
        """Chapters and events of a Period."""
        return [chapters.event_stream(self.chapters), *messages.event_streams(self._messages)]

    @property
    def listed(self) -> Tiles | None:
        """The sheets that HLS lists. Players count tiles from the start of a sheet, and that of a
        clip's first one may lie before the clip: there the WebVTT index tells them (TR-117).
        """
        return self._begun(self.tiles)

    @property
    def flicked(self) -> Tiles | None:
        """The single pictures that HLS lists: those of a clip that begins with one."""
        return self._begun(self.frames)

    def _begun(self, tiles: Tiles | None) -> Tiles | None:
        return tiles if tiles is not None and self.start_s % tiles.sheet_s == 0 else None

    @property
    def length_s(self) -> Fraction:
        if self.numbers is None:
            return self.duration_s
        last = self.cut(self.reference.segments)[-1]
        end_s = Fraction(last.end, self.reference.rendition.timescale)
        return end_s - self.start_s


def played(track: Shown) -> Sequence[Segment]:
    """A track's segments, and the gaps between them."""
    return track.played if isinstance(track, Served) else track.segments


def measured(track: Shown) -> Sequence[Segment]:
    """What is sent of a track, protection included."""
    samples = track.index.columns["size"].rows if isinstance(track, Served) else 0
    return sized(track.rendition, played(track), samples)


def _peaking(scene: Scene, track: Shown) -> Rendition:
    """With the bit rates of what is sent (TR-67)."""
    r = track.rendition
    if r.protected is None:
        return r
    sent = measured(track)
    return replace(
        r,
        bandwidth=peak_bps(sent, r.timescale, scene.target_s),
        average_bandwidth=average_bps(sent, r.timescale),
    )


def master(scene: Scene) -> str:
    """The multivariant playlist."""
    trick = scene.trick
    renditions = [_peaking(scene, t) for t in scene.all] + ([trick[1]] if trick else [])
    playlist = hls.multivariant(renditions, clearkey=scene.clearkey)
    tiles = scene.listed
    playlist += image_stream_inf(tiles) if tiles else ""
    playlist += frame_stream_inf(scene.flicked) if scene.flicked else ""
    return asked(playlist, scene) + _session_data(scene)


def _session_data(scene: Scene) -> str:
    """Where chapters are, as Apple's players and Shaka look for them (TR-116)."""
    if not scene.chapters:
        return ""
    url = chapters.LEAF + (f"?{scene.query}" if scene.query else "")
    return f'#EXT-X-SESSION-DATA:DATA-ID="{chapters.SESSION_DATA}",URI="{url}"\n'


def chapter_list(scene: Scene) -> str:
    """KeyError for a title without chapters."""
    if not scene.parts:
        raise KeyError(chapters.LEAF)
    return chapters.document(scene.chapters, scene.start_s)


def asked(playlist: str, scene: Scene) -> str:
    """A multivariant playlist whose children are asked for the same clip."""
    return playlist.replace(".m3u8", f".m3u8?{scene.query}") if scene.query else playlist


def media(scene: Scene, track: Shown) -> str:
    """A media playlist of CMAF segments, or of WebVTT files."""
    of = keyed(form(track.rendition), track.rendition.protected, scene.clearkey)
    return _whole(scene, track, scene.cut(played(track)), scene.target_s, of, dated=scene.dated)


def _whole(
    scene: Scene,
    track: Shown,
    shown: Sequence[Segment],
    target_s: int,
    of: Form,
    *,
    dated: Sequence[str] = (),
    keys: Sequence[str] = (),
) -> str:
    """A playlist that ends."""
    return hls.media_playlist(
        shown,
        timescale=track.rendition.timescale,
        target_duration_s=target_s,
        playlist_type="VOD",
        end=True,
        epoch_s=scene.epoch_s,
        dated=dated,
        form=of,
        keys=keys,
    )


def _sparse_s(scene: Scene, track: Served) -> int:
    """The target duration of I frames, of which one may last over a hole."""
    lengths = {(s.duration, track.rendition.timescale) for s in track.frames}
    return max(scene.target_s, hls.target_duration_s(lengths))


def iframes(scene: Scene, track: Served) -> str:
    """TR-94"""
    of = keyed(IFRAMES, track.rendition.protected, scene.clearkey)
    return _whole(scene, track, scene.cut(track.frames), _sparse_s(scene, track), of)


def images(scene: Scene) -> str:
    """TR-100; KeyError without thumbnails."""
    tiles = scene.listed
    if tiles is None:
        raise KeyError(sheets.NAME)
    return image_playlist(tiles, scene.start_s, scene.start_s + scene.length_s)


def single_images(scene: Scene) -> str:
    """TR-101; KeyError without thumbnails."""
    if scene.flicked is None:
        raise KeyError(frames.NAME)
    end_s = scene.start_s + scene.length_s
    return frame_playlist(scene.flicked, scene.start_s, end_s, scene.epoch_s)


def image_index(scene: Scene) -> str:
    """TR-102; KeyError without thumbnails."""
    if scene.tiles is None:
        raise KeyError(sheets.INDEX)
    return sheets.index(scene.tiles, scene.start_s, scene.start_s + scene.length_s)


def byte_master(scene: Scene) -> str:
    """The multivariant playlist of byte-addressed media (TR-113)."""
    playlist = hls.multivariant([t.rendition for t in scene.all])
    return asked(playlist.replace("/media.m3u8", "/bytes.m3u8"), scene) + _session_data(scene)


def byte_media(scene: Scene, track: Served) -> str:
    """Ranges of the track's file."""
    whole = layout(track)
    places = dict(zip((s.number for s in track.segments), whole.starts, strict=True))
    shown = scene.cut(track.segments)
    return byte_playlist(
        shown,
        "track.mp4",
        len(track.index.init),
        [places[s.number] for s in shown],
        timescale=track.rendition.timescale,
        target_duration_s=hls.target_duration_s(
            {(s.duration, t.rendition.timescale) for t in scene.all for s in t.segments}
        ),
        epoch_s=scene.epoch_s,
        dated=scene.dated,
    )


def transported(scene: Scene) -> list[Served]:
    """Tracks that MPEG-TS can carry (TR-105)."""
    return [t for t in scene.media if t.rendition.codecs.split(".")[0] in TRANSPORTED]


def beside(scene: Scene) -> Served | None:
    """The sound inside of each picture's segments."""
    audio = [t for t in transported(scene) if not t.is_video]
    return next((t for t in audio if t.rendition.default), audio[0] if audio else None)


def transport_master(scene: Scene) -> str:
    """KeyError without a track that can be carried."""
    carried = transported(scene)
    if not carried:
        raise KeyError("ts")
    default, trick = beside(scene), scene.trick
    playlist = transport_multivariant(
        [t.rendition for t in carried if t.is_video],
        [t.rendition for t in carried if not t.is_video],
        default.rendition if default else None,
        [t.rendition for t in scene.text],
        trick[1] if trick and trick[0] in carried else None,
    )
    return asked(playlist, scene) + _session_data(scene)


def transport_frames(scene: Scene, track: Served) -> str:
    """I frames in packets, each an object (TR-94, TR-97)."""
    shown = scene.cut(track.frames)
    keys = _locked(scene, [track.name], shown, frame=True)
    return _whole(scene, track, shown, _sparse_s(scene, track), TRANSPORT_FRAMES, keys=keys)


def transport_media(scene: Scene, track: Shown) -> str:
    """Packets instead of fragments, or text beside them, cut at the same times."""
    shown = scene.cut(played(track))
    held: list[str] = []
    if isinstance(track, Served):
        held = transport.contents(track, beside(scene) if track.is_video else None)
    of = TRANSPORT_TEXT if track.rendition.kind == "text" else TRANSPORT
    keys = _locked(scene, held, shown, frame=False)
    return _whole(scene, track, shown, scene.target_s, of, dated=scene.dated, keys=keys)


def _locked(
    scene: Scene, held: Sequence[str], shown: Sequence[Segment], *, frame: bool
) -> list[str]:
    """The KEY line of each object, for its IV is its own (PR-145); text is clear."""
    if scene.lock is None or not held:
        return []
    return [scene.lock.line(held, s, frame=frame) for s in shown]
