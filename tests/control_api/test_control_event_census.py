"""Each type of event has somebody who emits it, and what is emitted is in the table (CTL-171)."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import control_api
from control_api.events.table import TYPES

ROOM = Path(control_api.__file__).parent
# Section 11's types that other services own: they go by metrics, logs and answers of those.
ELSEWHERE = {
    "router": ("cdn.health_changed", "cdn.route_changed"),
    "origin": (
        "origin.channel.up",
        "origin.channel.down",
        "origin.channel.discontinuity",
        "origin.segment.missing",
    ),
    "players": (  # CTL-173: streams of their own
        "playback.heartbeat",
        "qoe.metric",
        "playback.qoe.rebuffer",
        "playback.qoe.error",
        "playback.qoe.cdn_switched",
    ),
}
EMITTING = {"emit", "emit_all", "tell"}  # control_api.outbox, and states.tell


class Said:
    """By folder of the room: all texts, and the beginnings of those that are made as something is
    emitted.
    """

    def __init__(self) -> None:
        self.whole: defaultdict[Path, set[str]] = defaultdict(set)
        self.begun: defaultdict[Path, set[str]] = defaultdict(set)

    def read(self, path: Path) -> None:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Constant(value=str(text)):
                    self.whole[path.parent].add(text)
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args):
                    if name in EMITTING:
                        self.begun[path.parent] |= set(_beginnings(args))

    def emits(self, name: str) -> bool:
        """As a whole, or as a beginning and an end that the same folder has."""
        return any(name in texts for texts in self.whole.values()) or any(
            "." in begun and name.startswith(begun) and name.removeprefix(begun) in ends
            for folder, ends in self.whole.items()
            for begun in self.begun[folder]
        )


def _beginnings(args: list[ast.expr]) -> Iterator[str]:
    for each in args:
        match each:
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                yield text


def said() -> Said:
    found = Said()
    for path in ROOM.rglob("*.py"):
        if path.parent != ROOM / "events":
            found.read(path)
    return found


def test_every_type_has_an_emitter() -> None:
    code = said()
    assert {name for name in TYPES if not code.emits(name)} == set()


def test_what_others_own_is_not_promised() -> None:
    assert not {name for names in ELSEWHERE.values() for name in names} & set(TYPES)


def test_the_census_sees_what_is_missing() -> None:
    code = said()
    assert not code.emits("catalog.content.exploded") and not code.emits("quota.forgiven")
