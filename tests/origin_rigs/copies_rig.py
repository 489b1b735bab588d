"""Private copies on the channel of the archive's rig."""

from collections.abc import Awaitable
from fractions import Fraction
from inspect import isawaitable
from pathlib import Path
from typing import Any

from origin_rigs.archive_rig import FIRST, Rig

from native.http import Answer, Entity
from origin.live.copies import Facts
from origin.live.copying import Copier
from origin.live.holds import Hold
from origin.live.ranges import Range
from runtime.objects import FolderStore, ObjectStore

SEGMENT_S = Fraction(48, 25)
BEGIN, END = FIRST + 4, FIRST + 28  # what is recorded, from the middle of a volume
WANTED = range(BEGIN, END)


class CopiesRig(Rig):
    """`settled` is the first edge at which every player has seen the end of what is recorded."""

    settled = END + 3

    def __init__(self, folder: Path, media: Any, store: ObjectStore, **settings: Any) -> None:
        super().__init__(folder, media, store, **settings)
        self.copier = self.another()

    def another(self) -> Copier:
        """What makes copies after a restart."""
        return Copier(self.archive, self.settings, self.channels)

    def record(self, name: str, *, copy: bool = True, begin: int = BEGIN) -> None:
        wanted = Range(begin * SEGMENT_S, END * SEGMENT_S)
        self.channels.recordings.create(Hold(name, "demo", wanted, copy))

    def facts(self, name: str) -> Facts:
        return self.channels.copies.facts(name)

    async def play(self, path: str) -> Any:
        """The answer to /rec/{path}."""
        answer: Answer | Awaitable[Answer] | None = self.shift.answer(f"/rec/{path}", "")
        return await answer if isawaitable(answer) else answer

    async def text(self, path: str) -> str:
        answer = await self.play(path)
        assert isinstance(answer, Entity), answer
        return bytes(answer.body).decode()

    async def whole(self, name: str, wanted: range = WANTED) -> bool:
        """Whether every segment of a recording has the bytes that were pushed."""
        found = [await self.play(f"{name}/v/{number}.m4s") for number in wanted]
        pushed = [self.media.segment(number) for number in wanted]
        return [getattr(each, "body", each) for each in found] == pushed

    async def step(self, *numbers: int) -> None:
        """Push, archive, copy: as a second of the real thing would."""
        self.push(*numbers)
        await self.archive.work()
        await self.copier.work()


async def copied(folder: Path, media: Any) -> CopiesRig:
    """A channel that has all of what is recorded, and the copy `a` of it."""
    store = FolderStore(folder / "objects")
    await store.start()
    rig = CopiesRig(folder, media, store, archive_s=0, retention_s=400)
    rig.push(FIRST)
    rig.record("a")
    rig.push(*range(FIRST + 1, rig.settled + 1))
    await rig.copier.work()
    assert rig.facts("a").state == "complete"
    return rig
