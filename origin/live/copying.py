"""Makes private copies of recordings, and deletes them (copies.py).

Theory of operation
1. A copy is taken volume by volume as its range grows (taking.py). When the range is complete, and
   every player has seen its end, the rest is taken, the objects are counted, the index is written,
   and the copy says that it is complete. Only then the hold lets go of the channel's media.
2. A volume whose media can be had nowhere is left out, and its segments are gaps. When nothing is
   left the copy has failed, and its objects go.
3. Copies that were let go are deleted beside all other work: first the objects, then the folder.
   So is what a process has left that died while it made one that nobody wants any more. Another
   copy of the same name begins when nothing is left of the first. A store that answered too late
   may take an object after all: what is gone is looked for once more after `LATE_S`.
4. One process of a machine makes copies, under a lock. However much there is to copy, it looks up
   now and then for what is new or was let go. A store that is away is asked again, ever less often.
"""

import asyncio
import fcntl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import IO

from origin import metrics
from origin.errors import OriginError
from origin.live import excerpt
from origin.live.archive import Archive, object_name
from origin.live.blocks import Blocks
from origin.live.channels import Channels
from origin.live.copies import Facts
from origin.live.excerpt import Lane
from origin.live.holds import Hold
from origin.live.presentation import Presentation
from origin.live.ranges import Range, Window
from origin.live.recordings import published
from origin.live.taking import Taker
from origin.settings import Settings
from runtime import logs
from runtime.objects import ObjectError

LOOK_S = 1.0  # between looks for work
MOST_S = 30.0  # between tries while the store is away
PASS_S = 10.0  # of copying before the next look
LATE_S = 300.0  # by which nothing is stored any more that was asked for
LOCK = ".lock"
STATES = ("copying", "complete", "failed")
PAGE = 1000

log = logs.get("copies")


@dataclass(slots=True)
class Job:
    """A copy in the making."""

    hold: Hold
    lanes: dict[str, Lane] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)


Windows = dict[tuple[str, Range], Window]  # of ranges of channels, at one moment


class Copier:
    """Makes and deletes the copies of one origin."""

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        channels: Channels,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._archive = archive
        self._settings = settings
        self._channels = channels
        self._holds = channels.holds
        self._copies = channels.copies
        self._jobs: dict[str, Job] | None = None
        self._clock = clock
        self._taker = Taker(archive.store, settings, clock)
        self._sweeping = asyncio.Semaphore(settings.copies_at_once)
        self._lock: IO[str] | None = None
        self._late: dict[str, float] = {}  # what is gone, by when it is looked for once more

    @property
    def wanted(self) -> bool:
        """Whether there is any copy, to make or to keep."""
        begun = self._copies.names() or self._copies.gone()
        return bool(begun) or any(hold.copy for hold in self._holds.all())

    def counted(self) -> Mapping[tuple[str, ...], float]:
        """Copies by state, told by the process that makes them, as `stored`."""
        found: list[str] = [facts.state for facts in self._all()]
        return {(state,): float(found.count(state)) for state in STATES}

    def stored(self) -> Mapping[tuple[str, ...], float]:
        """Octets of all copies."""
        return {(): float(sum(facts.bytes for facts in self._all()))}

    def _all(self) -> list[Facts]:
        names = self._copies.names() if self._lock is not None else []
        return [self._copies.facts(name) for name in names]

    async def run(self) -> None:
        """Work for ever, where no other process of this machine does."""
        pause_s = LOOK_S
        while True:
            try:
                if self._archive.started and self._alone():
                    await self.work()
                pause_s = LOOK_S
            except (ObjectError, OriginError, OSError) as error:
                code = getattr(error, "code", "io")
                metrics.COPY_ERRORS.labels(code).inc()
                log.warning("copies_wait", code=code, reason=str(error))
                pause_s = min(pause_s * 2, MOST_S)
            await asyncio.sleep(pause_s)

    def close(self) -> None:
        """Let another process make copies."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def work(self) -> None:
        """Bring every copy as far as it can be for a while. ObjectError when the store is away."""
        self._taker.until_s = self._clock() + PASS_S
        wanted = {hold.id: hold for hold in self._holds.all() if hold.copy}
        begun = set(self._copies.names() if self._jobs is None else self._jobs)
        for name in begun - wanted.keys():
            if self._copies.facts(name).state != "complete":
                self._copies.remove(name)
        gone = set(self._copies.gone())
        due = {name for name, due_s in self._late.items() if due_s <= self._clock()}
        late = due - wanted.keys() - set(self._copies.names()) - gone if due else due
        before, self._jobs = self._jobs or {}, {}
        for name, hold in wanted.items():
            if name in gone:
                continue
            job = before.get(name)
            if job is None or job.hold != hold:
                job = Job(hold, facts=self._copies.facts(name))
            self._jobs[name] = job
            if job.facts.state == "complete":
                self._holds.remove(name)
        windows: Windows = {}
        jobs = [job for job in self._jobs.values() if job.facts.state == "copying"]
        copied = (self._attend(job, windows) for job in jobs)
        swept = (self._sweep(name) for name in gone)
        again = (self._sweep_late(name) for name in late)
        done = await asyncio.gather(*copied, *swept, *again, return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each

    async def _attend(self, job: Job, windows: Windows) -> None:
        """Bring one copy on, and tell how far it is."""
        error = ""
        try:
            await self._advance(job, windows)
        except (ObjectError, OriginError, OSError) as failure:
            error = getattr(failure, "code", "io")
            raise
        finally:
            if job.facts.state == "copying" and (facts := self._weighed(job, error)) != job.facts:
                self._tell(job, facts)

    async def _advance(self, job: Job, windows: Windows) -> None:
        """Take what there is of one copy, and end it when that is all."""
        presentation = self._channels.presentations.get(job.hold.channel)
        if presentation is None:
            there = (self._channels.folder / job.hold.channel).is_dir()  # not opened here yet
            return None if there else await self._fail(job, "unknown_channel")
        try:
            window = self._window(job.hold, presentation, windows)
        except OriginError as error:
            return None if error.code == "range_ahead" else await self._fail(job, error.code)
        for track in presentation.channel.live_tracks:
            lane = job.lanes.get(track.rendition.name)
            if lane is None or lane.track is not track:
                lane = job.lanes[track.rendition.name] = Lane(track, window.first)
            await lane.look(window.last)
        folder = self._copies.folder / job.hold.id
        volumes = [
            self._taker.take(
                lane, ordinal, folder / track, lambda: self._wanted(job), whole=window.settled
            )
            for track, lane in job.lanes.items()
            for ordinal, stretch in lane.kept.items()
            if stretch.left
        ]
        for done in await asyncio.gather(*volumes, return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
        left = any(each.left for lane in job.lanes.values() for each in lane.kept.values())
        if window.settled and not left and self._wanted(job):
            await self._finish(job, presentation, window)

    def _wanted(self, job: Job) -> bool:
        return self._holds.get(job.hold.id) == job.hold

    def _window(self, hold: Hold, presentation: Presentation, windows: Windows) -> Window:
        """What is published of a range, which many may have asked for."""
        wanted = self._holds.range(hold)
        key = hold.channel, wanted
        if key not in windows:
            windows[key] = published(presentation.channel, wanted, self._settings, self._holds)
        return windows[key]

    async def _finish(self, job: Job, presentation: Presentation, window: Window) -> None:
        """The objects are all there: count them, write the index, and say so."""
        name, lanes = job.hold.id, job.lanes.values()
        folder = self._copies.folder / name
        if not any(lane.kept for lane in lanes):
            return await self._fail(job, "no_media")
        stored, wanted = await self._listed(name), dict[str, int]()
        for track, lane in job.lanes.items():
            for ordinal, stretch in lane.kept.items():
                journal = Blocks(folder / track, ordinal)
                of = {
                    object_name(folder / track, ordinal, b.offset): b.size for b in journal.blocks
                }
                if not of.items() <= stored.items():
                    journal.path.unlink()
                    stretch.taken = 0
                    raise ObjectError("unavailable", "the store does not have what it took")
                wanted |= of
        for extra in stored.keys() - wanted.keys():  # of volumes that were lost half way
            await self._archive.store.delete(extra)
        await excerpt.write(folder, presentation.channel, window, lanes)
        asked = self._holds.range(job.hold)
        self._tell(job, excerpt.facts(presentation, asked, wanted))
        if not self._holds.remove(name):  # it was let go meanwhile
            self._copies.remove(name)
        log.info("copy_complete", copy=name, objects=len(wanted), bytes=job.facts.bytes)

    async def _listed(self, name: str) -> dict[str, int]:
        """Sizes by name of a copy's objects, as the store has them."""
        found: dict[str, int] = {}
        prefix, after = f"copies/{name}/", ""
        while page := await self._archive.store.find(prefix, after=after, limit=PAGE):
            found |= {each.name: each.size for each in page}
            after = page[-1].name
        return found

    async def _sweep(self, name: str) -> None:
        """Delete a copy that was let go."""
        async with self._sweeping:
            if await self._clear(name):
                await asyncio.to_thread(self._copies.swept, name)
                self._late[name] = self._clock() + LATE_S

    async def _sweep_late(self, name: str) -> None:
        """Delete what came after a copy was deleted, unless it was begun anew."""
        async with self._sweeping:
            if await self._clear(name):
                del self._late[name]

    async def _clear(self, name: str) -> bool:
        """Delete every object of a copy that can be deleted; False when some wait for the next
        pass. ObjectError when some could not be.
        """
        refused: ObjectError | None = None
        left = list(await self._listed(name))
        while left and self._clock() < self._taker.until_s:
            try:
                await self._archive.store.delete(left.pop())
            except ObjectError as error:
                refused = error
        if refused is not None:
            raise refused
        return not left

    async def _fail(self, job: Job, code: str) -> None:
        """Nothing comes of this copy; no half of it stays."""
        if await self._clear(job.hold.id):
            log.error("copy_failed", copy=job.hold.id, code=code)
            self._tell(job, Facts("failed", error=code))

    def _tell(self, job: Job, facts: Facts) -> None:
        """Keep how far a copy is."""
        (self._copies.folder / job.hold.id).mkdir(parents=True, exist_ok=True)
        self._copies.tell(job.hold.id, facts)
        job.facts = facts

    def _weighed(self, job: Job, error: str) -> Facts:
        """What there is and what is left of a copy in the making."""
        limit = self._settings.archive_block_bytes
        found = [each for lane in job.lanes.values() for each in lane.kept.values()]
        return Facts(
            objects=sum(each.objects for each in found),
            left=sum(-(-each.left // limit) for each in found),
            bytes=sum(each.taken for each in found),
            left_bytes=sum(each.left for each in found),
            error=error,
        )

    def _alone(self) -> bool:
        """Whether this process makes the copies of this machine."""
        if self._lock is None:
            self._copies.folder.mkdir(parents=True, exist_ok=True)
            lock = (self._copies.folder / LOCK).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock
        return True
