"""Answers whose end is not known yet (specs/http1.md section 12)."""

import asyncio
import types
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any, Protocol, cast

from native.http import heads
from native.http.errors import HeadError


class Stream:
    """A body in the making, one HTTP chunk per item; an exception there cuts it (HT-114)."""

    __slots__ = ("chunks", "head", "status")

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        cache_control: str,
        headers: Sequence[tuple[str, str]] = (),
        status: int = 200,
    ) -> None:
        if status in heads.NO_FRAMING:
            raise HeadError(f"a {status} has no body")
        self.chunks = chunks
        self.status = status
        pairs = [("Content-Type", content_type), ("Cache-Control", cache_control), *headers]
        self.head = heads.start(status) + heads.CORS + heads.fields(pairs)


class Sink(Protocol):
    """Where a pump writes: one connection, for the length of one answer."""

    def send(self, chunks: list[bytes], last: bool) -> None:
        """Queue `chunks`, each non-empty, and the end of the body if `last`, in one write."""

    async def room(self) -> None:
        """Return when the queue is low enough for more."""


@types.coroutine
def _rest(step: Generator[Any, Any, bytes], waiting: object) -> Generator[Any, Any, bytes]:
    """Finish an awaitable that was stepped once by hand and then had to wait."""
    while True:
        try:
            sent = yield waiting
        except BaseException as err:
            try:
                waiting = step.throw(err)
            except StopIteration as done:
                return cast(bytes, done.value)
        else:
            try:
                waiting = step.send(sent)
            except StopIteration as done:
                return cast(bytes, done.value)


async def pump(chunks: AsyncIterator[bytes], sink: Sink) -> None:
    """Move `chunks` to `sink`: what is ready leaves together, before the source has to wait.

    So the last chunk and the end of the body share one write (HT-110), and no chunk is held back.
    Empty items are skipped: on the wire they would end the body (HT-111). A source that never waits
    leaves the loop to others after each batch.
    """
    ready: list[bytes] = []
    while True:
        step = chunks.__anext__().__await__()
        try:
            waiting = step.send(None)
        except StopIteration as done:
            chunk = done.value
        except StopAsyncIteration:
            sink.send(ready, True)
            return
        else:
            if ready:
                sink.send(ready, False)
                ready = []
            try:
                chunk = await _rest(step, waiting)
            except StopAsyncIteration:
                sink.send(ready, True)
                return
        if chunk:
            ready.append(chunk)
        if len(ready) >= 16:
            sink.send(ready, False)
            ready = []
            await asyncio.sleep(0)
        if not ready:
            await sink.room()
