"""Scripts by their hash, and by their text where a server has not heard of them: it was started
anew, or was a replica until now.
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any

from redis.exceptions import ResponseError

from runtime import logs, metrics
from runtime.clock import Clock
from runtime.store import lane, scripts
from runtime.store.absent import ABSENT, Absent
from runtime.store.cluster import Lanes
from runtime.store.lane import Word
from runtime.store.replies import Unreadable

log = logs.get("store")
FOREIGN = metrics.counter("store_foreign", "keys that held what nobody here wrote")
Run = tuple[str, Sequence[str], Sequence[Word]]  # script, keys, its own arguments
SCRIPTS = {
    name: getattr(scripts, name)
    for name in dir(scripts)
    if name.isupper() and not name.startswith("_")
}
SHA1S = {name: sha1(body.encode()).hexdigest() for name, body in SCRIPTS.items()}


class Scripted:
    """Base of the store in a server: who runs scripts there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lane: lane.Lane | Lanes | Absent = ABSENT

    async def _run(self, script: str, on: Sequence[str], *arguments: Word) -> Any:
        """Its keys are begun anew where they hold what nobody here wrote."""
        try:
            return await self._ran(script, on, *arguments)
        except Unreadable as error:
            return await self._anew(error, on, lambda: self._ran(script, on, *arguments))

    async def _anew(
        self, error: Unreadable, on: Sequence[str], ask: Callable[[], Awaitable[Any]]
    ) -> Any:
        if not error.foreign:
            raise error
        found(error, on[0])
        await self._lane.ask("DEL", *on)
        return await ask()

    async def _ran(self, script: str, on: Sequence[str], *arguments: Word) -> Any:
        try:
            return await self._lane.ask("EVALSHA", SHA1S[script], len(on), *on, *arguments)
        except ResponseError as error:
            if not _unheard_of(error):
                raise
        return await self._lane.ask("EVAL", SCRIPTS[script], len(on), *on, *arguments)

    async def _run_each(self, *calls: Run) -> list[Any]:
        """The same of several, in one round trip; an error reply is the answer of its own."""
        told = [(SHA1S[script], SCRIPTS[script], (len(on), *on, *own)) for script, on, own in calls]
        answers = await self._lane.ask_each([("EVALSHA", sha1, *rest) for sha1, _, rest in told])
        again = [n for n, answer in enumerate(answers) if _unheard_of(answer)]
        if again:
            texts = [("EVAL", told[n][1], *told[n][2]) for n in again]
            for n, answer in zip(again, await self._lane.ask_each(texts), strict=True):
                answers[n] = answer
        return answers

    async def _run_all(self, *calls: Run) -> list[Any]:
        """Answers alone; the first error is raised."""
        return lane.answered(await self._run_each(*calls))


def found(error: Unreadable | str, key: str) -> None:
    """A key that holds what nobody here wrote."""
    FOREIGN.inc()
    log.error("foreign_key", key=key, error=str(error))


def _unheard_of(answer: Any) -> bool:
    return isinstance(answer, ResponseError) and str(answer).startswith("NOSCRIPT")
