"""Keys in memory: asked for ahead of time, at hand when media needs them (PR-43, PR-53)."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from origin import metrics
from origin.errors import OriginError
from origin.protection.errors import ProtectionError
from origin.protection.keys import Scheme
from origin.protection.source import Grant, KeySource
from runtime import logs

HELD = 16_384  # keys in memory; the oldest leave, and are asked for again
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 30.0

log = logs.get("keys")


class Question(NamedTuple):
    """What a source is asked: the keys of these roles in one period (source.py)."""

    source: str
    content_id: str
    scheme: Scheme
    period: int
    roles: tuple[str, ...]

    def of(self, role: str) -> "Holding":
        return Holding(self.source, self.content_id, self.scheme, self.period, role)


class Holding(NamedTuple):
    source: str
    content_id: str
    scheme: Scheme
    period: int
    role: str


class Ring:
    """The keys of one process; `clock` is steady."""

    def __init__(self, sources: Mapping[str, KeySource], clock: Callable[[], float]) -> None:
        self.sources = dict(sources)
        self._clock = clock
        self._grants: OrderedDict[Holding, Grant] = OrderedDict()
        self._asked: dict[Question, asyncio.Task[bool]] = {}
        self._failed: dict[Question, tuple[float, float]] = {}  # when to try again, then how long

    def get(self, wanted: Holding) -> Grant | None:
        return self._grants.get(wanted)

    def has(self, question: Question) -> bool:
        return all(question.of(role) in self._grants for role in question.roles)

    async def fetch(self, questions: Iterable[Question]) -> bool:
        """Ask for what is not at hand; True when keys came since the last call. It waits for no
        answer that is slow: that one is taken in by a later call.
        """
        for question in questions:
            retry_s, _ = self._failed.get(question, (0.0, 0.0))
            if not self.has(question) and question not in self._asked and self._clock() >= retry_s:
                self._asked[question] = asyncio.create_task(self._ask(question))
        if not self._asked:
            return False
        await asyncio.wait(self._asked.values(), timeout=0.05)
        done = {q: task for q, task in self._asked.items() if task.done()}
        for question in done:
            del self._asked[question]
        return any(task.result() for task in done.values())

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._asked)

    def close(self) -> None:
        for task in self._asked.values():
            task.cancel()
        self._asked.clear()

    async def _ask(self, question: Question) -> bool:
        try:
            source = self.sources.get(question.source)
            if source is None:
                raise ProtectionError("no_key", f"no key source is called {question.source}")
            given = await source.keys(*question[1:4], question.roles)
            for role in question.roles:
                self._grants[question.of(role)] = given[role]
        except (OriginError, OSError, KeyError) as error:
            _, before_s = self._failed.get(question, (0.0, FIRST_RETRY_S / 2))
            pause_s = min(2 * before_s, LONGEST_RETRY_S)
            self._failed[question] = self._clock() + pause_s, pause_s
            code = getattr(error, "code", "no_key")
            metrics.KEYS_FAILED.labels(code).inc()
            log.warning(
                "keys_failed", content=question.content_id, period=question.period, code=code
            )
            return False
        self._failed.pop(question, None)
        while len(self._grants) > HELD:
            self._grants.popitem(last=False)
        return True
