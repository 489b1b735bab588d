"""Titles by name: opened when first asked for, kept, and reopened when their files change."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

from native.film.counter import Counter
from native.film.press import Press
from native.http import Answer, Entity, Refusal, Request
from origin.delivery.caching import Caching
from origin.errors import OriginError
from origin.vod.catalog import POLICY, RECORD, Record, folder, load_record
from origin.vod.errors import VodError
from origin.vod.forms import Form
from origin.vod.index import load
from origin.vod.kept import Kept
from origin.vod.opened import InputKeys
from origin.vod.package import register
from origin.vod.reading import FileReader, Identity, Mark, Objects
from origin.vod.served import Guard, Guarding, Served
from origin.vod.title import FILE, NOTHING, Asked, Make, Title

OPEN_TITLES = 128
KEPT_BYTES = 64 << 20  # of media made a moment ago
READERS = 16  # threads that wait for disks and stores
GONE = "max-age=60"
FAILED = "max-age=1"
SCHEMES = frozenset(["cbcs", "cenc"])


class _Held(NamedTuple):
    """An open title, and its record as it was."""

    title: Title
    path: bytes
    record: Identity

    def current(self) -> bool:
        """Whether nobody has registered it anew, and its sources are what they were."""
        return self.record.holds(self.path) and not self.title.stale()


class Library:
    """The film library behind the delivery port.

    `data_dir` is the folder that `register` was given. Manifests come from memory. A segment whose
    bytes the kernel has at hand is answered at once, any other from a thread, so that a slow disk
    or store holds up nobody else. `objects` opens titles in S3. The `counter` answers for clear
    segments of local files that were asked for before; one port may have it as its desk.

    `guards` protects titles; without it a title with a policy is not served (PR-43). The schemes
    of a title beside its first are folders: {title}/cenc/... (PR-170). `keys` open sources that
    came protected (PR-150).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        open_titles: int = OPEN_TITLES,
        kept_bytes: int = KEPT_BYTES,
        caching: Caching | None = None,
        guards: Guarding | None = None,
        keys: InputKeys | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._limit = open_titles
        self._kept = Kept(kept_bytes)
        self._caching = caching or Caching()
        self._open: OrderedDict[str, _Held] = OrderedDict()
        self._threads = ThreadPoolExecutor(READERS, "vod")
        self._indexing: dict[str, asyncio.Future[_Held]] = {}
        self.objects: Objects | None = None
        self.counter = Counter()
        self._guards = guards
        self._keys = keys

    def answer(
        self, title: str, leaf: str, query: str = "", request: Request | None = None
    ) -> Answer | Awaitable[Answer]:
        """The leaf of a title. `start` and `end` make a clip of manifests; no other parameter
        changes bytes. `request` tells which range of a track's file is wanted.
        """
        asked = Asked(query) if query else NOTHING
        if request is not None and leaf.endswith(FILE):
            ranges = (request.header("range") or "", request.header("if-range") or "")
            asked = Asked(query, request.method, *ranges)
        try:
            found = self._answer(title, leaf, asked)
        except KeyError:
            return Refusal(404, "not_found", cache_control=GONE)
        except OriginError as error:
            return Refusal(error.status, error.code, cache_control=FAILED)
        return self._once_more(found, title, leaf, asked) if isinstance(found, Awaitable) else found

    async def _once_more(
        self, first: Awaitable[Answer], title: str, leaf: str, asked: Asked
    ) -> Answer:
        """What fails for its source has changed is made anew, of the new one, once (TR-46)."""
        answer = await first
        if not isinstance(answer, Refusal) or answer.code != "unreadable":
            return answer
        if not any(h.title.name == title and h.title.stale() for h in self._open.values()):
            return answer
        again = self._answer(title, leaf, asked)
        return await again if isinstance(again, Awaitable) else again

    def close(self) -> None:
        """Let go of every title; files close with their last reader."""
        self._open.clear()
        self.counter.clear()
        self._kept.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer(self, name: str, leaf: str, asked: Asked) -> Answer | Awaitable[Answer]:
        scheme, _, below = leaf.partition("/")
        scheme, leaf = (scheme, below) if scheme in SCHEMES else ("", leaf)
        slot = f"{name}/{scheme}"
        held = self._open.get(slot)
        if held is not None and held.current():
            self._open.move_to_end(slot)
            return self._leaf(held.title, leaf, asked)
        self._forget(slot)
        try:
            home = folder(self._data_dir, name)
        except VodError:
            return Refusal(404, "unknown_title", cache_control=FAILED)
        record = load_record(home)
        if record is None:
            return Refusal(404, "unknown_title", cache_control=FAILED)
        if held is not None and held.title.stale():
            return self._anew(home, record, scheme, leaf, asked)
        try:
            fresh = self._opened(home, scheme)
        except VodError as error:
            if error.code == "no_key":
                raise
            return self._anew(home, record, scheme, leaf, asked)
        self._keep(slot, fresh)
        return self._leaf(fresh.title, leaf, asked)

    def _leaf(self, title: Title, leaf: str, asked: Asked) -> Answer | Awaitable[Answer]:
        kept = self._kept.get(title.serial, leaf)
        if kept is not None:
            return kept
        found = title.find(leaf, asked)
        if not callable(found):
            return found
        answer = found(False)
        if answer is None:
            return self._slowly(title, leaf, found)
        return self._made(title, leaf, answer)

    async def _slowly(self, title: Title, leaf: str, make: Make) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._threads, make, True)
        except KeyError:
            return Refusal(404, "not_found", cache_control=GONE)
        except OriginError as error:
            return Refusal(error.status, error.code, cache_control=FAILED)
        if answer is None:
            raise AssertionError("a read that waits has an answer")
        return self._made(title, leaf, answer)

    def _made(self, title: Title, leaf: str, answer: Answer) -> Answer:
        """An object to be kept, save for parts of a track's file."""
        if isinstance(answer, Entity) and not leaf.endswith(FILE):
            self._kept.put(title.serial, leaf, answer)
        return answer

    def _keep(self, slot: str, held: _Held) -> None:
        if self._open.get(slot) is held:  # who waited for the same index was first
            return
        self._forget(slot)
        held.title.offer = partial(self._offer, slot, held.record.mark(held.path))
        self._open[slot] = held
        while len(self._open) > self._limit:
            self._forget(next(iter(self._open)))

    def _forget(self, slot: str) -> None:
        held = self._open.pop(slot, None)
        if held is not None:
            for track in held.title.media:
                self.counter.drop(held.title.folder(track))

    def _offer(self, slot: str, record: Mark, title: Title, track: Served, form: Form) -> None:
        """Have the counter answer for a form, as long as nothing has changed."""
        files = [reader for reader in title.readers if isinstance(reader, FileReader)]
        if len(files) < len(title.readers) or not isinstance(track.reader, FileReader):
            return
        press = Press(
            track.cutter,
            track.reader.source,
            form.cast,
            leaf=f"{track.name}/",
            marks=[record, *(file.mark for file in files)],
            recall=partial(self._recall, slot, title.serial),
            keep=partial(self._kept.put, title.serial),
        )
        self.counter.put(title.folder(track), press)

    def _recall(self, slot: str, serial: int, leaf: str) -> Entity | None:
        self._open.move_to_end(slot)
        return self._kept.get(serial, leaf)

    async def _anew(
        self, home: Path, record: Record, scheme: str, leaf: str, asked: Asked
    ) -> Answer:
        """Index a source again that changed, or whose index is of an old format; once for all who
        ask meanwhile.
        """
        name = f"{record.title}/{scheme}"
        if name not in self._indexing:
            loop = asyncio.get_running_loop()
            self._indexing[name] = loop.run_in_executor(
                self._threads, self._indexed, home, record, scheme
            )
        try:
            fresh = await asyncio.shield(self._indexing[name])
            self._keep(name, fresh)
            answer = self._leaf(fresh.title, leaf, asked)
            return await answer if isinstance(answer, Awaitable) else answer
        except KeyError:
            return Refusal(404, "not_found", cache_control=GONE)
        except OriginError as error:
            return Refusal(error.status, error.code, cache_control=FAILED)
        finally:
            self._indexing.pop(name, None)

    def _indexed(self, home: Path, record: Record, scheme: str) -> _Held:
        segment_s = Fraction(record.segment_s)
        register(
            self._data_dir,
            record.inputs,
            record.title,
            segment_s=segment_s,
            objects=self.objects,
            keys=self._keys,
        )
        return self._opened(home, scheme)

    def _opened(self, home: Path, scheme: str) -> _Held:
        """The record as it was before anything was read: whoever changes it meanwhile is seen."""
        path = os.fsencode(home / RECORD)
        seen = Identity.of(os.stat(path))
        record = load_record(home)
        if record is None:
            raise VodError("unreadable", home.name, "its record is gone")
        indexes = [load(home / name) for name in record.indexes]
        guard = self._guard(home, record.title, scheme)
        title = Title.open(
            record,
            indexes,
            caching=self._caching,
            objects=self.objects,
            guard=guard,
            home=home,
            keys=self._keys,
        )
        return _Held(title, path, seen)

    def _guard(self, home: Path, title: str, scheme: str) -> Guard | None:
        """KeyError for a scheme that the title does not have."""
        if self._guards is not None:
            return self._guards.get(title, scheme)
        if (home / POLICY).exists():
            raise VodError("no_key", title, "it is protected, and this origin has no keys")
        if scheme:
            raise KeyError(scheme)
        return None
