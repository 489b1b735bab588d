"""Manifests of time ranges: one render for all who ask for the same range, in small steps.

Long ranges cost real work the first time. It is done once, pausing for the loop between strides,
and what has been done stays: a range that grows only pays for what is new.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from native.http import Answer, Entity
from origin import dash, hls
from origin.dash.pieces import Pieces
from origin.delivery.caching import Class
from origin.errors import OriginError
from origin.live.cut import Cut
from origin.live.holds import Holds
from origin.live.presentation import Presentation
from origin.live.ranges import Range, Window
from origin.live.recordings import published
from origin.settings import Settings
from origin.tracks import Rendition

CUT_BYTES = 64 << 20  # ranges in memory, all channels together
BUSY = 64  # ranges that may wait for their first render at once
MASTERS = ("master.m3u8", "master.w3c.m3u8")
_Key = tuple[str, Range, int]


@dataclass(slots=True)
class _Entry:
    """A cut, who works on it, and what was answered from it."""

    cut: Cut
    size_bytes: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answered: dict[str, tuple[Window, Entity]] = field(default_factory=dict)


class Ranges:
    """Answers for ranges of live channels."""

    def __init__(self, settings: Settings, holds: Holds) -> None:
        self._holds = holds
        self.renders = 0
        self._settings = settings
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._held_bytes = 0
        self._working = 0

    async def answer(
        self, presentation: Presentation, leaf: str, wanted: Range, *, query: str = ""
    ) -> Answer:
        """A manifest of the range; `query` is what its children are asked with."""
        if self._working >= BUSY:
            return presentation.refusal(503, "busy", Class.EARLY)
        self._working += 1
        try:
            return await self._answer(presentation, leaf, wanted, query)
        except OriginError as error:
            kind = Class.GONE if error.status in (400, 410) else Class.EARLY
            return presentation.refusal(error.status, error.code, kind)
        finally:
            self._working -= 1

    async def _answer(
        self, presentation: Presentation, leaf: str, wanted: Range, query: str
    ) -> Answer:
        first = published(presentation.channel, wanted, self._settings, self._holds).first
        key = (presentation.base, wanted, first)

        def tricks() -> list[Rendition]:
            return [r for _, r in presentation.renditions if r.trick_of]

        entry = self._entries.get(key)
        if entry is not None and entry.cut.channel is not presentation.channel:
            self._held_bytes -= self._entries.pop(key).size_bytes
            entry = None
        if entry is None:
            entry = self._entries[key] = _Entry(
                Cut(presentation.channel, first, tricks, presentation.sealing)
            )
        self._entries.move_to_end(key)
        try:
            async with entry.lock:
                window = published(presentation.channel, wanted, self._settings, self._holds)
                told = entry.answered.get(f"{leaf}?{query}")
                if told is not None and told[0] == window:
                    return told[1]
                entity = await self._rendered(presentation, entry.cut, window, leaf, query)
                if entity is None:
                    return presentation.refusal(404, "unknown_track", Class.EARLY)
                entry.answered[f"{leaf}?{query}"] = window, entity
                return entity
        finally:
            self._weigh(key, entry)

    async def _rendered(
        self, presentation: Presentation, cut: Cut, window: Window, leaf: str, query: str
    ) -> Entity | None:
        name, slash, media = leaf.partition("/")
        if slash:
            if (playlist := cut.playlist(name, media)) is None:
                return None
            await _step(playlist.grow(window.last))
            plain, coded, tag = playlist.text(window)
            return self._entity(presentation, window, hls.CONTENT_TYPE, plain, coded, tag)
        await _step(cut.grow(window.last))
        if leaf in MASTERS:
            out = Pieces()
            out.text(cut.master(leaf, query))
            return self._entity(presentation, window, hls.CONTENT_TYPE, *out.finish())
        out = cut.mpd(window, self._settings.time_url, f"{presentation.name}.{cut.first}")
        return self._entity(presentation, window, dash.CONTENT_TYPE, *out.finish())

    def _entity(
        self,
        presentation: Presentation,
        window: Window,
        content_type: str,
        plain: Sequence[bytes],
        coded: Sequence[bytes],
        tag: str,
    ) -> Entity:
        self.renders += 1
        segment_s = presentation.channel.duration_s or Fraction(1)
        target_s = presentation.channel.kept.target_s
        kind = Class.PAST if window.settled else Class.PLAYLIST
        label = presentation.labels.past(content_type, window.last, complete=window.complete)
        return Entity(
            plain,
            content_type=content_type,
            cache_control=presentation.caching.control(kind, target_s, left_s=window.left_s),
            last_modified=int((window.last + 1) * segment_s),
            etag=tag,
            gzip=coded,
            headers=[*presentation.caching.fields(kind), label],
        )

    def _weigh(self, key: _Key, entry: _Entry) -> None:
        """Count what an entry holds by now; the ranges that were asked for longest ago leave."""
        if self._entries.get(key) is not entry:
            return
        self._held_bytes += entry.cut.size_bytes - entry.size_bytes
        entry.size_bytes = entry.cut.size_bytes
        while self._held_bytes > CUT_BYTES and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            self._held_bytes -= oldest.size_bytes


async def _step(work: Iterator[None]) -> None:
    """Run long work to its end, letting the loop go on between its strides."""
    for _ in work:
        await asyncio.sleep(0)
