"""Requests and answers in shapes of our own: what makes an answer of a request need not know which
server it is asked by.

`Ways` finds who answers a path. Patterns are `/v1/sessions/{id}/stop`: a name stands for one
segment, and a segment that is written out goes before a name.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Self

from multidict import MultiMapping


class Plain(NamedTuple):
    """One request: `path` and `query` as they were sent, the latter without its question mark;
    `names` are what the pattern's names stand for. `read` gives the body, or raises the room's
    error beyond so many octets.
    """

    method: str
    path: str
    query: str
    names: Mapping[str, str]
    headers: MultiMapping[str]
    peer: str
    request_id: str
    read: Callable[[int], Awaitable[bytes]]

    @property
    def media_type(self) -> str:
        """Of the body, without parameters; empty if it was not told."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Answer(NamedTuple):
    """A whole answer; without a media type it has no body. Framing, date and ids are the server's
    to add.
    """

    status: int
    media_type: str
    headers: Mapping[str, str]
    body: bytes


class Way(NamedTuple):
    """Who answers a pattern, and bodies of up to how many octets."""

    method: str
    pattern: str
    max_bytes: int
    answer: Callable[[Plain], Awaitable[Answer]]


class _Node:
    """What may follow the segments so far."""

    __slots__ = ("after", "named", "ways")

    def __init__(self) -> None:
        self.after: dict[str, Self] = {}
        self.named: Self | None = None
        self.ways: dict[str, tuple[Way, tuple[str, ...]]] = {}


class Ways:
    """All of a listener's."""

    def __init__(self, ways: Iterable[Way]) -> None:
        self._root = _Node()
        for way in ways:
            node, names = self._root, []
            for segment in way.pattern.split("/")[1:]:
                if segment.startswith("{"):
                    names.append(segment[1:-1])
                    node.named = node.named or _Node()
                    node = node.named
                else:
                    node = node.after.setdefault(segment, _Node())
            node.ways[way.method] = way, tuple(names)

    def find(self, method: str, path: str) -> tuple[Way, Mapping[str, str]] | None:
        """The way and what its names stand for. None: look elsewhere, and not only for a 404."""
        node, values = self._root, []
        for segment in path.split("/")[1:]:
            found = node.after.get(segment)
            if found is None:
                found = node.named
                if found is None or not segment:
                    return None
                values.append(segment)
            node = found
        told = node.ways.get(method)
        return None if told is None else (told[0], dict(zip(told[1], values, strict=True)))
