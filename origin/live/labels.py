"""What the heads of a live channel's objects tell of them: CMSD-Static, the next object, for how
long they can be had (CTA-5006; specs/origin-http.md O16, O22, O24, O25).

Rules
1. Every field is a function of the log and its edge, so that equal origins say the same (O17).
2. An object is available (`at`) when its media ends; a segment of a channel with parts when its
   first chunk does, since it is streamed from then on.
3. The next object is there, or is held because it is due. One that was due and did not come, for a
   gap or the end of the channel, is taken back: whoever named it is told again.
4. Lifetimes end before the retention removes the object. They are told as powers of two, so that
   few objects change theirs when the edge moves; those are told again too. What a hold keeps, and
   headers, stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from native.http import Entity, Growing
from native.http.dates import format_date
from origin import hls
from origin.delivery import cmsd
from origin.delivery.caching import Caching, Class
from origin.delivery.cmsd import Static
from origin.live import parts
from origin.live.channel import LiveChannel
from origin.live.forms import MAKERS, has
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.settings import Settings

Fields = list[tuple[str, str]]

KINDS: dict[str, cmsd.ObjectType] = {"video": "v", "audio": "a", "text": "tt", "event": "o"}
SIDECAR = ".vtt"
SETTLED = 16  # segments behind the edge: parts are asked for no more
STEPS = 21  # powers of two up to MEDIA's lifetime


@dataclass(frozen=True, slots=True)
class Name:
    """A media object in its track's folder; `index` is a part's."""

    number: int
    index: int | None = None
    suffix: str = ".m4s"

    @property
    def leaf(self) -> str:
        part = "" if self.index is None else f".{self.index}"
        return f"{self.number}{part}{self.suffix}"


class Labels:
    """The heads of one channel's objects, below `base`."""

    def __init__(
        self, channel: LiveChannel, settings: Settings, caching: Caching, base: str
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._caching = caching
        self._base = base
        self._due: dict[tuple[str, Name], Name] = {}  # who names what has not come yet
        self._edge = -1

    def header(self, track: LiveTrack, data: bytes, content_type: str) -> Entity:
        """A track's CMAF header."""
        at_s = self._end_s(self._channel.kept.first)
        static = self._static("i", "o", at_ms=int(at_s * 1000), su=True)
        control = self._caching.control(Class.MEDIA, self._channel.kept.target_s)
        fields = [*self._caching.fields(Class.MEDIA), (cmsd.STATIC, str(static))]
        return Entity(
            data,
            content_type=content_type,
            cache_control=control,
            last_modified=int(at_s),
            headers=fields,
        )

    def media(
        self,
        track: LiveTrack,
        name: Name,
        pieces: Sequence[bytes],
        tag: str,
        span: tuple[int, int],
        content_type: str,
    ) -> Entity:
        """A segment or a part with the media of these ticks; `tag` is of its octets."""
        control, fields = self._kept(track, name, span)
        return Entity(
            pieces,
            content_type=content_type,
            cache_control=control,
            last_modified=span[1] // track.timescale,
            etag=tag,
            headers=[*fields, *self._told(track, name, span, sum(map(len, pieces)))],
        )

    def growing(self, track: LiveTrack, segment: Stored, content_type: str) -> Growing:
        """A segment in the making, whose size and length are not known."""
        name, span = Name(segment.number), (segment.start, segment.start)
        control, fields = self._kept(track, name, span)
        return Growing(
            content_type,
            cache_control=control,
            headers=[*fields, *self._told(track, name, span, 0)],
        )

    def manifest(
        self,
        content_type: str,
        *,
        at_ms: int | None = None,
        following: tuple[LiveTrack, Name] | None = None,
    ) -> Fields:
        """A playlist or an MPD, `following` being what its players ask for next."""
        at = int(self._end_s(self._channel.edge) * 1000) if at_ms is None else at_ms
        form = _form(content_type)
        if following is None:
            return [(cmsd.STATIC, str(self._static("m", form, at_ms=at)))]
        track, name = following
        static = self._static("m", form, at_ms=at, nor=self._coming(track, name))
        return cmsd.object_headers(static, self._folder(track))

    def past(self, content_type: str, last: int, *, complete: bool) -> tuple[str, str]:
        """The manifest of a time range that goes up to this number so far."""
        at_ms = int(self._end_s(last) * 1000)
        st: Literal["v", "l"] = "v" if complete else "l"
        return (cmsd.STATIC, str(self._static("m", _form(content_type), at_ms=at_ms, st=st)))

    def recorded(
        self, track: LiveTrack, name: Name, entity: Entity, folder: str, last: int
    ) -> Entity:
        """A segment under a recording's name, which a hold keeps; `last` is the newest there."""
        stored = track.segments[name.number]
        span, following = (stored.start, stored.end), Name(name.number + 1, None, name.suffix)
        nor = following.leaf if name.number < last and self._there(track, following) else None
        static = self._about(track, name, span, entity.size_bytes, nor=nor, st="v")
        control = self._caching.control(Class.MEDIA, self._channel.kept.target_s)
        return Entity(
            entity.body,
            content_type=entity.content_type,
            cache_control=control,
            last_modified=entity.last_modified,
            etag=entity.etag,
            headers=[
                *self._caching.fields(Class.MEDIA),
                *cmsd.object_headers(static, f"{folder}/{track.rendition.name}"),
            ],
        )

    def moved(self) -> Iterator[tuple[LiveTrack, Name]]:
        """Whose label the new edge, or the end, changed since the last time."""
        channel = self._channel
        for (owner, name), following in list(self._due.items()):
            if following.number <= channel.edge or channel.ended:
                del self._due[owner, name]
                if not self._there(channel.tracks[owner], following):
                    yield channel.tracks[owner], name
        fresh = range(max(self._edge, channel.edge - SETTLED) + 1, channel.edge + 1)
        self._edge = channel.edge
        duration_s = channel.duration_s
        if duration_s is None:
            return
        tracks = channel.tracks.values()
        named = [(track, suffix) for track in tracks for suffix in MAKERS if has(track, suffix)]
        for step in range(min(self._settings.keep_s.bit_length(), STEPS)):
            behind = int((self._settings.keep_s - (1 << step)) / duration_s) + 1
            for number in fresh:
                if number - behind >= channel.kept.first:
                    for track, suffix in named:
                        yield track, Name(number - behind, None, suffix)

    def _told(self, track: LiveTrack, name: Name, span: tuple[int, int], size_bytes: int) -> Fields:
        """CMSD-Static of media, and its next object."""
        nor = self._next(track, name)
        return cmsd.object_headers(
            self._about(track, name, span, size_bytes, nor=nor), self._folder(track)
        )

    def _about(
        self,
        track: LiveTrack,
        name: Name,
        span: tuple[int, int],
        size_bytes: int,
        *,
        nor: str | None,
        st: Literal["v", "l"] = "l",
    ) -> Static:
        start, end = span
        scale, length = track.timescale, end - start
        kind = "c" if name.suffix == SIDECAR else KINDS[track.rendition.kind]
        return self._static(
            kind,
            "h" if name.index is not None or name.suffix == SIDECAR else "o",
            at_ms=self._at(track, name, end) * 1000 // scale,
            br=-(-size_bytes * 8 * scale // (length * 1000)) if length else None,
            d=length * 1000 // scale if length else None,
            nor=nor,
            st=st,
        )

    def _static(
        self,
        ot: cmsd.ObjectType,
        sf: cmsd.StreamFormat,
        *,
        at_ms: int,
        br: int | None = None,
        d: int | None = None,
        nor: str | None = None,
        su: bool = False,
        st: Literal["v", "l"] = "l",
    ) -> Static:
        name = self._settings.name or None
        return Static(at=at_ms, br=br, d=d, n=name, nor=nor, ot=ot, sf=sf, st=st, su=su)

    def _at(self, track: LiveTrack, name: Name, end: int) -> int:
        """Ticks at which the first byte can be had."""
        if name.index is not None or name.suffix != ".m4s" or self._channel.part_s is None:
            return end
        return track.segments[name.number].parts[0][1].end

    def _next(self, track: LiveTrack, name: Name) -> str | None:
        """The leaf after this one; remembered as long as it is to come."""
        following = self._after(track, name)
        leaf = self._coming(track, following)
        if leaf is not None and following.number > self._channel.edge:
            self._due[track.rendition.name, name] = following
        return leaf

    def _after(self, track: LiveTrack, name: Name) -> Name:
        if name.index is None:
            return Name(name.number + 1, None, name.suffix)
        ended = track.whole(name.number) is not None
        if ended and not self._there(track, Name(name.number, name.index + 1)):
            return Name(name.number + 1, 0)
        return Name(name.number, name.index + 1)

    def _coming(self, track: LiveTrack, name: Name) -> str | None:
        """Its leaf, if it is there or is held until it is."""
        held = (
            name.number > self._channel.edge and self._settings.hold_s and not self._channel.ended
        )
        return name.leaf if held or self._there(track, name) else None

    def _there(self, track: LiveTrack, name: Name) -> bool:
        channel = self._channel
        if name.index is not None:
            return name.index < len(parts.spans(track, name.number, channel.part_s))
        return name.number <= channel.edge and track.whole(name.number) is not None

    def _kept(self, track: LiveTrack, name: Name, span: tuple[int, int]) -> tuple[str, Fields]:
        """Cache-Control and its kin; Expires is when the retention removes the media."""
        left_s = self._left_s(track, name, span)
        control = self._caching.control(Class.MEDIA, self._channel.kept.target_s, left_s=left_s)
        fields = self._caching.fields(Class.MEDIA)
        if left_s is not None:
            gone_s = int(self._end_s(name.number)) + self._settings.keep_s
            fields.append(("Expires", format_date(gone_s).decode()))
        return control, fields

    def _left_s(self, track: LiveTrack, name: Name, span: tuple[int, int]) -> int | None:
        """A lifetime (seconds) that ends before the retention does; None for what a hold keeps."""
        channel, scale = self._channel, track.timescale
        start, end = span
        if channel.held(Fraction(start, scale), Fraction(end, scale)):
            return None
        newest = max(channel.edge, name.number)
        if name.index is not None:
            newest = max(newest, name.number + SETTLED)
        behind_s = (newest - name.number) * (channel.duration_s or Fraction(1))
        left_s = int(self._settings.keep_s - behind_s)
        return 1 << left_s.bit_length() - 1 if left_s > 0 else 0

    def _end_s(self, number: int) -> Fraction:
        return (number + 1) * (self._channel.duration_s or Fraction(1))

    def _folder(self, track: LiveTrack) -> str:
        return f"{self._base}/{track.rendition.name}"


def _form(content_type: str) -> cmsd.StreamFormat:
    return "h" if content_type == hls.CONTENT_TYPE else "d"
