"""One registered title, open: manifests rendered when first asked for, media made on request."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from native.http import Answer, Entity, Refusal
from origin import dash, hls
from origin.delivery.caching import Caching, Class
from origin.hls.forms import W3C_LEAVES
from origin.live import ranges
from origin.text import webvtt
from origin.vod import chapters, frames, labels, manifests, mpds, sheets, transport
from origin.vod.catalog import Record
from origin.vod.errors import VodError
from origin.vod.forms import Form, Read
from origin.vod.frames import Frames
from origin.vod.index import Index
from origin.vod.manifests import Scene, Shown
from origin.vod.opened import InputKeys, OpenedReader
from origin.vod.reading import ObjectReader, Objects, Reader, open_reader
from origin.vod.served import Guard, Served
from origin.vod.sheets import Sheets
from origin.vod.texts import WHOLE, Imsc, Text
from origin.vod.virtual import cut, layout, read_range

MEDIA_TYPE = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
TRANSPORT_TYPE = "video/mp2t"
NUMBERED = re.compile(r"([^/]+)/([1-9]\d{0,8})(\.m4s|\.i\.m4s|\.ts|\.i\.ts|\.vtt|\.ts\.vtt|\.jpg)")
WHOLE_BYTES = 64 << 20  # of a track's file that is answered without a range


class Asked(NamedTuple):
    """What a request says beyond its path."""

    query: str = ""
    method: str = "GET"
    range: str = ""
    if_range: str = ""


NOTHING = Asked()
Make = Callable[[bool], Answer | None]  # with False nothing waits: None says that it would
ROOT: dict[str, tuple[Callable[[Scene], str], str]] = {
    "master.m3u8": (manifests.master, hls.CONTENT_TYPE),
    "manifest.mpd": (mpds.mpd, dash.CONTENT_TYPE),
    "bytes.m3u8": (manifests.byte_master, hls.CONTENT_TYPE),
    "ondemand.mpd": (mpds.on_demand, dash.CONTENT_TYPE),
    "ts.m3u8": (manifests.transport_master, hls.CONTENT_TYPE),
    chapters.LEAF: (manifests.chapter_list, "application/json"),
    sheets.INDEX: (manifests.image_index, webvtt.CONTENT_TYPE),
    f"{sheets.NAME}/media.m3u8": (manifests.images, hls.CONTENT_TYPE),
    f"{frames.NAME}/media.m3u8": (manifests.single_images, hls.CONTENT_TYPE),
}
OF_TRACK: dict[str, Callable[[Scene, Served], str]] = {
    "media.m3u8": manifests.media,
    "iframe.m3u8": manifests.iframes,
    "bytes.m3u8": manifests.byte_media,
    "ts.m3u8": manifests.transport_media,
    "ts.iframe.m3u8": manifests.transport_frames,
}
OF_TEXT: dict[str, Callable[[Scene, Shown], str]] = {
    "media.m3u8": manifests.media,
    "bytes.m3u8": manifests.media,  # beside byte-addressed media: text has no file of ranges
    "ts.m3u8": manifests.transport_media,
}
FILE = "track.mp4"  # a track as one file
W3C = {"master.w3c.m3u8": "master.m3u8", **W3C_LEAVES}  # PR-61
CLEAR_ONLY = frozenset(["bytes.m3u8", "ondemand.mpd", FILE])
TRANSPORT = frozenset(["ts.m3u8", "ts.iframe.m3u8"])  # protected by a lock alone (PR-145)


@dataclass(slots=True)
class Title:
    """An open title. Its sources close when nobody holds them, reading threads included."""

    name: str
    scene: Scene
    tracks: dict[str, Served]
    texts: dict[str, Text | Imsc]
    caching: Caching
    guard: Guard | None
    sheets: Mapping[str, Sheets] = field(default_factory=dict)  # by folder
    serial: int = field(default_factory=count(1).__next__)  # of opening
    offer: "Callable[[Title, Served, Form], None] | None" = None  # told of forms of clear segments
    _rendered: dict[str, Entity] = field(default_factory=dict)
    _forms: dict[tuple[str, str], Form] = field(default_factory=dict)
    readers: Sequence[Reader] = ()
    _control: str = ""  # of media, as are the fields
    _fields: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.readers = list({id(t.reader): t.reader for t in self.media}.values())
        self._control = self.caching.control(Class.MEDIA, 0)
        self._fields = self.caching.fields(Class.MEDIA)

    @classmethod
    def open(
        cls,
        record: Record,
        indexes: Sequence[Index],
        *,
        caching: Caching,
        objects: Objects | None = None,
        guard: Guard | None = None,
        home: Path | None = None,
        keys: InputKeys | None = None,
    ) -> "Title":
        """VodError when a source is gone or has changed, or came protected and `keys` do not open
        it. Thumbnails lie in `home`.
        """
        tracks: dict[str, Served] = {}
        for index in indexes:
            reader = open_reader(index.source, objects)
            if isinstance(reader, ObjectReader):
                reader.expect(index.identity)
            elif reader.identity != index.identity:
                raise VodError("unreadable", record.title, f"{index.source} has changed")
            if index.seals is not None:
                if keys is None:
                    raise VodError("no_key", record.title, "it came protected, and has no keys")
                reader = OpenedReader(reader, index.seals, keys)
            modified = max(index.identity.mtime_ns // 10**9, 1)
            for track in index.tracks:
                if guard is not None:
                    track = replace(track, rendition=guard.shown(track.rendition))
                name = track.rendition.name
                tag = f"{index.digest[:20]}-{record.segment_s.replace('/', '_')}-{name}"
                tracks[name] = Served(track, reader, tag, modified)
        media = list(tracks.values())
        scene = Scene(media, (), Fraction(record.duration_s), Fraction(record.segment_s))
        texts = [Text.of(saved, scene.reference) for saved in record.texts]
        drawn: dict[str, Sheets] = {}
        saved = record.thumbnails
        if saved is not None and home is not None:
            drawn[sheets.NAME] = Sheets.of(saved, home, scene.duration_s)
            if saved.frames is not None:
                singles = Frames.of(saved.frames, home, scene.duration_s, frames.NAME)
                drawn[frames.NAME] = singles
        imsc = [Imsc(text) for text in texts]
        scene = replace(
            scene,
            text=texts,
            imsc=imsc,
            tiles=drawn[sheets.NAME].tiles if sheets.NAME in drawn else None,
            frames=drawn[frames.NAME].tiles if frames.NAME in drawn else None,
            parts=record.chapters,
            events=record.events,
            lock=guard.lock if guard is not None else None,
        )
        spoken: list[Text | Imsc] = [*texts, *imsc]
        named = {t.rendition.name: t for t in spoken}
        return cls(record.title, scene, tracks, named, caching, guard, drawn)

    def stale(self) -> bool:
        """Whether a source has changed since it was indexed (TR-42)."""
        return any(reader.stale() for reader in self.readers)

    @property
    def media(self) -> Sequence[Served]:
        return self.scene.media

    @property
    def modified(self) -> int:
        """When the newest source changed, epoch seconds (O1, O17)."""
        return max(t.modified for t in self.media)

    def folder(self, track: Served) -> str:
        """The path that a track's objects lie below."""
        return f"/vod/{self.name}/{track.name}"

    def find(self, leaf: str, asked: Asked = NOTHING) -> Answer | Make:
        """What answers a leaf: an object at hand, or how to make it. KeyError when there is none;
        BadRange for a clip that cannot be meant.
        """
        known = self._rendered.get(leaf)
        if known is not None and not asked.query:
            return known
        found = NUMBERED.fullmatch(leaf)
        if found is not None:
            return self._numbered(found[1], int(found[2]), found[3])
        name, _, last = leaf.rpartition("/")
        if self.guard is not None and (
            last in CLEAR_ONLY or (last in TRANSPORT and self.guard.lock is None)
        ):
            raise KeyError(leaf)
        if last == FILE:
            return self._file(self.tracks[name], asked)
        return self._text(leaf, name, last, asked.query)

    def _text(self, leaf: str, name: str, last: str, query: str) -> Entity:
        """A header or a manifest; the whole title's are kept."""
        if last == "init.mp4" and name:
            return self._keep(leaf, self._header(name))
        if last == WHOLE and isinstance(spoken := self.texts.get(name), Text):
            tag, label = f"{spoken.tag}-{WHOLE}", labels.text(".vtt", self.modified)
            return self._object(spoken.whole, webvtt.CONTENT_TYPE, tag, self.modified, label)
        scene = self.scene
        wanted = ranges.parse(query)
        if wanted is not None:
            scene = scene.clipped(wanted)
        elif leaf in self._rendered:
            return self._rendered[leaf]
        if self.guard is not None and last in W3C:
            scene, last = replace(scene, clearkey="w3c"), W3C[last]
        if (root := f"{name}/{last}" if name else last) in ROOT:
            write, content_type = ROOT[root]
            text = write(scene)
        elif name in self.texts:
            text, content_type = OF_TEXT[last](scene, self.texts[name]), hls.CONTENT_TYPE
        else:
            text, content_type = OF_TRACK[last](scene, self.tracks[name]), hls.CONTENT_TYPE
        entity = Entity(
            text.encode(),
            content_type=content_type,
            cache_control=self.caching.control(Class.PAST, scene.target_s),
            headers=[
                *self.caching.fields(Class.PAST),
                *labels.manifest(content_type, self.modified),
            ],
            last_modified=self.modified,
        )
        return self._keep(leaf, entity) if wanted is None else entity

    def _keep(self, leaf: str, entity: Entity) -> Entity:
        self._rendered[leaf] = entity
        return entity

    def _header(self, name: str) -> Entity:
        pictures = self.sheets.get(name)
        if isinstance(pictures, Frames):
            tag, label = f"{pictures.tag}-init", labels.header(self.modified)
            kind = pictures.content_type
            return self._object(pictures.init, kind, tag, self.modified, label)
        text = self.texts.get(name)
        if text is not None:
            tag, label = f"{text.tag}-init", labels.header(self.modified)
            return self._object(text.init, "application/mp4", tag, self.modified, label)
        track = self.tracks[name]
        data = track.index.init
        if self.guard is not None:
            data = self.guard.init(name, data)
        kind = MEDIA_TYPE[track.rendition.kind]
        label = labels.header(track.modified)
        return self._object(data, kind, self._tag(track, "init"), track.modified, label)

    def _tag(self, track: Served, what: str) -> str:
        return f"{track.tag}-{what}" + (f"-{self.guard.tag}" if self.guard is not None else "")

    def _object(
        self,
        body: bytes | Sequence[bytes],
        content_type: str,
        tag: str,
        modified: int,
        label: labels.Fields,
    ) -> Entity:
        """Media, which never changes under its name."""
        return Entity(
            body,
            content_type=content_type,
            cache_control=self._control,
            headers=[*self._fields, *label],
            etag=tag,
            last_modified=modified,
        )

    def _numbered(self, name: str, number: int, suffix: str) -> Entity | Make:
        if name in (sheets.NAME, frames.NAME):
            return self._sheet(self.sheets[name], number, suffix)
        text = self.texts.get(name)
        if text is not None:
            body, kind = text.segment(number, suffix)
            tag, label = f"{text.tag}-{number}{suffix}", labels.text(suffix, self.modified)
            return self._object(body, kind, tag, self.modified, label)
        form = self._forms.get((name, suffix))
        if form is None:
            track = self.tracks[name]
            form = self._forms[name, suffix] = self._form(track, suffix)
            if suffix == ".m4s" and self.guard is None and self.offer is not None:
                self.offer(self, track, form)
        return partial(form.make, number)

    def _sheet(self, drawn: Sheets, number: int, suffix: str) -> Make:
        """Pictures stay clear: whoever sells the title shows them anyway."""
        if suffix != drawn.suffix or number > len(drawn.tiles.sizes):
            raise KeyError(number)

        def make(wait: bool) -> Entity | None:
            if not wait:
                return None
            label = labels.image(self.modified)
            tag = f"{drawn.tag}-{number}"
            return self._object(drawn.read(number), drawn.content_type, tag, self.modified, label)

        return make

    def _form(self, track: Served, suffix: str) -> Form:
        """KeyError for a form that the track does not have."""
        guard = self.guard
        behind = suffix + (f"-{guard.tag}" if guard is not None else "")
        modified, kind = track.modified, MEDIA_TYPE[track.rendition.kind]
        read: Read
        if suffix == ".m4s":
            read = track.media if guard is None else partial(track.sealed, guard)
        elif suffix == ".i.m4s" and track.is_video:
            read = track.frame if guard is None else partial(track.sealed_frame, guard)
        elif suffix in (".ts", ".i.ts") and self._transported(track):
            lock, modified, kind = self.scene.lock, self.modified, TRANSPORT_TYPE
            beside = manifests.beside(self.scene) if track.is_video else None
            if suffix == ".ts":
                read = partial(transport.segment, track, beside, lock)
                behind += f"-{beside.tag}" if beside is not None else ""
            elif track.is_video:
                read = partial(transport.frame, track, lock)
            else:
                raise KeyError(suffix)
        else:
            raise KeyError(suffix)
        return Form(
            track,
            suffix,
            read,
            folder=self.folder(track),
            content_type=kind,
            tag=(f"{track.tag}-", behind),
            modified=modified,
            caching=self.caching,
        )

    def _transported(self, track: Served) -> bool:
        """Whether packets of a track are offered."""
        locked = self.guard is None or self.guard.lock is not None
        return locked and track in manifests.transported(self.scene)

    def _file(self, track: Served, asked: Asked) -> Answer | Make:
        """The track as one file, or a range of it (TR-111, O4)."""
        whole = layout(track)
        tag = f"{track.tag}-file"
        kind = MEDIA_TYPE[track.rendition.kind]
        if asked.method == "HEAD":
            piece, rest = bytes(1 << 20), whole.size % (1 << 20)
            pieces = [piece] * (whole.size >> 20) + [piece[:rest]]
            return self._object(pieces, kind, tag, track.modified, labels.whole(track))
        wanted = None
        if asked.range and asked.if_range in ("", f'"{tag}"'):
            try:
                wanted = read_range(asked.range, whole.size)
            except ValueError:
                extra = [("Content-Range", f"bytes */{whole.size}")]
                return Refusal(416, "range_not_satisfiable", headers=extra)
        if wanted is None and whole.size > WHOLE_BYTES:
            return Refusal(403, "range_needed", cache_control="max-age=60")
        start, end = wanted or (0, whole.size)
        end = min(end, start + WHOLE_BYTES)
        headers = [*self._fields, *labels.whole(track)]
        if wanted is not None:
            headers = [
                *headers,
                ("Content-Range", f"bytes {start}-{end - 1}/{whole.size}"),
                ("Accept-Ranges", "bytes"),
            ]

        def make(wait: bool) -> Entity | None:
            pieces = cut(track, whole, start, end, wait=wait)
            if pieces is None:
                return None
            return Entity(
                pieces,
                content_type=kind,
                cache_control=self._control,
                headers=headers,
                etag=tag,
                last_modified=track.modified,
                status=200 if wanted is None else 206,
            )

        return make
