"""Titles by name: opened when first asked for, kept, and reopened when their files change."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable
from fractions import Fraction
from pathlib import Path

from native.http import Answer, Refusal
from origin.vod.catalog import RECORD, Record, folder, load_record
from origin.vod.errors import VodError
from origin.vod.index import load
from origin.vod.package import register
from origin.vod.source import Identity
from origin.vod.title import Title

SEGMENT = re.compile(r"([^/]+)/([1-9]\d{0,8})\.m4s")
OPEN_TITLES = 512
GONE = "max-age=60"
FAILED = "max-age=1"


class Library:
    """The film library behind the delivery port.

    `data_dir` is the folder that `register` was given. Manifests come from memory. A segment whose
    bytes the kernel has at hand is answered at once, any other from a thread, so that a slow disk
    holds up nobody else.
    """

    def __init__(self, data_dir: Path, *, open_titles: int = OPEN_TITLES) -> None:
        self._data_dir = data_dir
        self._limit = open_titles
        self._open: OrderedDict[str, Title] = OrderedDict()

    def answer(self, title: str, leaf: str, query: str = "") -> Answer | Awaitable[Answer]:
        """The leaf of a title. No query parameter changes bytes."""
        try:
            return self._answer(title, leaf)
        except VodError as error:
            return Refusal(error.status, error.code, cache_control=FAILED)

    def close(self) -> None:
        """Let go of every title; files close with their last reader."""
        self._open.clear()

    def _answer(self, name: str, leaf: str) -> Answer | Awaitable[Answer]:
        title = self._title(name)
        if title is None:
            return Refusal(404, "unknown_title", cache_control=FAILED)
        entity = title.leaves.get(leaf)
        if entity is not None:
            return entity
        found = SEGMENT.fullmatch(leaf)
        if found is None or found[1] not in title.tracks:
            return Refusal(404, "not_found", cache_control=GONE)
        track, number = found[1], int(found[2])
        try:
            entity = title.segment(track, number, wait=False)
        except KeyError:
            return Refusal(404, "not_found", cache_control=GONE)
        return entity if entity is not None else self._slowly(title, track, number)

    async def _slowly(self, title: Title, track: str, number: int) -> Answer:
        try:
            entity = await asyncio.to_thread(title.segment, track, number, wait=True)
        except VodError as error:
            return Refusal(error.status, error.code, cache_control=FAILED)
        if entity is None:
            raise AssertionError("a read that waits has an answer")
        return entity

    def _title(self, name: str) -> Title | None:
        title = self._open.get(name)
        if title is not None:
            if not title.stale():
                self._open.move_to_end(name)
                return title
            del self._open[name]
        try:
            home = folder(self._data_dir, name)
        except VodError:
            return None
        try:
            registered = Identity.of((home / RECORD).stat())
        except OSError:
            return None
        record = load_record(home)
        if record is None:
            return None
        title = self._load(home, record)
        title.identities[home / RECORD] = registered  # another process may register it anew
        self._open[name] = title
        while len(self._open) > self._limit:
            self._open.popitem(last=False)
        return title

    def _load(self, home: Path, record: Record) -> Title:
        """Open a title; a source that changed or an index of an old format is indexed again."""
        try:
            title = Title.open(record, [load(home / name) for name in record.indexes])
            if not title.stale():
                return title
        except VodError:
            pass
        inputs = [Path(path) for path in record.inputs]
        register(self._data_dir, inputs, record.title, segment_s=Fraction(record.segment_s))
        fresh = load_record(home) or record
        return Title.open(fresh, [load(home / name) for name in fresh.indexes])
