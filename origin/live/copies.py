"""Private copies of recordings: object sets of their own, which outlive what they were made from
(control-api CTL-127).

Theory of operation
1. A copy is a channel of its own, in the folder `copies/{recording}`: `channel.json`, the events,
   and each track's header, index and journal of objects (blocks.py), cut to the recording's range.
   Its media is in the object store only, below `copies/{recording}/{track}/`. It is read as the
   archive is, and so whatever plays a channel's past plays the copy.
2. `copy.json` tells how far it is; whoever makes it (copying.py) writes it last. What it calls
   complete never changes again, needs no hold any more, and may be opened by every process.
3. One that is let go is renamed, so that it is gone for all at once; its objects follow. Another
   may have its name then: what a process keeps in memory is of one `copy.json`, and goes with it.
"""

import asyncio
import os
import re
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec

from native.http import Hot
from origin.live.channel import LiveChannel
from origin.live.holds import Hold
from origin.live.log import HEADER
from origin.live.presentation import Presentation
from origin.live.ranges import Range
from origin.live.sealing import Sealing
from origin.live.turns import other
from origin.live.volume import replace_file, sync_folder
from origin.live.window import HotWindow
from origin.protection.ring import Ring
from origin.settings import Settings
from runtime.flight import SingleFlight

FACTS = "copy.json"
GONE = ".gone"  # no name has a dot
Stamp = tuple[int, int]  # of a file: another one under its name has another
NAME = re.compile(r"[A-Za-z0-9_~-]{1,64}")
OPEN = 64  # copies whose indices are in memory


class Facts(msgspec.Struct):
    """How far a copy is; `left` and `left_bytes` are of what is there to be copied so far. `error`
    is the code of what stopped it, or made its last step wait. A complete one tells what is in it:
    the channel and range in seconds since 1970, and what no index has, frame rates by track and
    bit rates of I frames.
    """

    state: Literal["copying", "complete", "failed"] = "copying"
    objects: int = 0
    left: int = 0
    bytes: int = 0
    left_bytes: int = 0
    error: str = ""
    channel: str = ""
    start: str = ""
    end: str = ""
    frame_rates: dict[str, str] = {}
    tricks: dict[str, int] = {}


class Copies:
    """The copies in a folder, and how they are shown."""

    def __init__(self, folder: Path, settings: Settings, ring: Ring) -> None:
        self.folder = folder
        self._settings = settings
        self._ring = ring
        self._shown: OrderedDict[str, Presentation] = OrderedDict()
        self._opening: SingleFlight[str, Presentation] = SingleFlight()
        self._complete: dict[str, tuple[Stamp, Facts]] = {}

    def names(self) -> list[str]:
        """Every copy that there is something of."""
        return [name for name in self._folders() if not name.endswith(GONE)]

    def gone(self) -> list[str]:
        """Those that were let go, whose objects may be there."""
        return [name.removesuffix(GONE) for name in self._folders() if name.endswith(GONE)]

    def get(self, name: str) -> Hold | None:
        """What a complete copy has, told as the hold that it was made by."""
        if not NAME.fullmatch(name) or (facts := self.facts(name)).state != "complete":
            return None
        wanted = Range(Fraction(facts.start), Fraction(facts.end))
        return Hold(name, facts.channel, wanted, copy=True)

    def remove(self, name: str) -> bool:
        """Let a copy go; False when there is none."""
        self.forget(name)
        folder = self.folder / name
        if not folder.is_dir():
            return False
        try:
            folder.rename(self.folder / f"{name}{GONE}")
        except OSError:  # an earlier one of this name is still about to go, with its objects
            shutil.rmtree(folder)
        sync_folder(self.folder)
        return True

    def swept(self, name: str) -> None:
        """The objects of one that was let go are deleted."""
        shutil.rmtree(self.folder / f"{name}{GONE}")

    def facts(self, name: str) -> Facts:
        """How far a copy is; one that is not begun has nothing."""
        path = self.folder / name / FACTS
        try:
            stamp = _stamp(path)
            known = self._complete.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
            self.forget(name)
            found = msgspec.json.decode(path.read_bytes(), type=Facts)
        except FileNotFoundError:
            self.forget(name)
            return Facts()
        if found.state == "complete":
            self._complete[name] = stamp, found
        return found

    def tell(self, name: str, facts: Facts) -> None:
        """Keep how far a copy is."""
        replace_file(self.folder / name / FACTS, msgspec.json.encode(facts))

    def forget(self, name: str) -> None:
        """Keep nothing of a copy in memory."""
        self._complete.pop(name, None)
        if (presentation := self._shown.pop(name, None)) is not None:
            presentation.channel.close()

    async def show(self, hold: Hold) -> Presentation:
        """What plays a copy that is complete, opened beside the loop. FileNotFoundError when it has
        gone.
        """
        facts = self.facts(hold.id)
        if (known := self._shown.get(hold.id)) is not None:
            self._shown.move_to_end(hold.id)
            return known
        return await self._opening.do(hold.id, lambda: self._show(hold, facts))

    @property
    def shown(self) -> list[Presentation]:
        """Those in memory."""
        return list(self._shown.values())

    def open(self, hold: Hold, facts: Facts) -> LiveChannel:
        """A complete copy as a channel that only reads."""
        channel = LiveChannel(
            hold.channel, self.folder / hold.id, self._settings, read_only=True, lasting=True
        )
        channel.reload()
        for path in sorted(channel.folder.glob(f"*/{HEADER}")):
            track = channel.open_track(path.parent.name, path.read_bytes())
            track.recover(channel.duration_s)
            if (rate := facts.frame_rates.get(path.parent.name)) is not None:
                track.rendition = replace(track.rendition, frame_rate=Fraction(rate))
        channel.edge = channel.kept.first - 1
        channel.advance()
        return channel

    def close(self) -> None:
        for name in list(self._shown):
            self.forget(name)

    async def _show(self, hold: Hold, facts: Facts) -> Presentation:
        channel = await asyncio.to_thread(self.open, hold, facts)
        if self.facts(hold.id) is not facts:
            channel.close()
            raise FileNotFoundError(f"{hold.id} went while it was opened")
        window, tricks = HotWindow(Hot(), self._settings.archive_cache_bytes // OPEN), facts.tricks
        presentation = self._faced(hold, channel, window, tricks)
        configured = self._settings.channels.get(channel.name)
        asked = configured.protection if configured is not None else None
        if asked is not None and asked.both:
            scheme = other(asked.scheme)
            presentation.beside = self._faced(hold, channel, window, tricks, scheme)
        self._shown[hold.id] = presentation
        while len(self._shown) > OPEN:
            self.forget(next(iter(self._shown)))
        return presentation

    def _folders(self) -> list[str]:
        try:
            with os.scandir(self.folder) as found:
                return sorted(each.name for each in found if each.is_dir())
        except FileNotFoundError:
            return []

    def _faced(
        self,
        hold: Hold,
        channel: LiveChannel,
        window: HotWindow,
        tricks: Mapping[str, int],
        folder: str = "",
    ) -> Presentation:
        """Its URLs; nobody is answered from the window alone, so that what goes is gone at once."""
        sealing = Sealing(channel, self._settings, self._ring, beside=bool(folder))
        root = f"/rec/{hold.id}"
        presentation = Presentation(channel, self._settings, window, sealing, folder, root=root)
        presentation.trick.known = tricks
        presentation.reveal([])
        return presentation


def _stamp(path: Path) -> Stamp:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns
