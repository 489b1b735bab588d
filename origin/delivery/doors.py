"""The doors of the delivery port: the origin's own, and those of channels that have one (O14).

A recording has the door of its channel, whose media it shows.
"""

from collections.abc import Callable, Mapping

from native.http import Refusal, Request
from origin import metrics
from origin.delivery.access import Door
from origin.settings import Settings

DENIED = "max-age=1"  # O29
COMMON = ""  # label of the origin's own door
_Labels = tuple[str, ...]


class Doors:
    """Judges a request before anything else looks at it.

    `recorded` tells the channel of a recording, `clock` the seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        recorded: Callable[[str], str | None],
        clock: Callable[[], float],
    ) -> None:
        own = {name: c.access for name, c in settings.channels.items() if c.access is not None}
        self._doors = {
            name: Door(access) for name, access in {COMMON: settings.access, **own}.items()
        }
        self._recorded = recorded
        self._clock = clock
        self._refusals: dict[str, Refusal] = {}

    @property
    def open(self) -> bool:
        """Whether everybody may have everything."""
        return all(door.open for door in self._doors.values())

    def guard(self, request: Request) -> Refusal | None:
        """403 with the reason, or None for a request that may go on."""
        door = self._door(request.path)
        if door.open:
            return None
        code = door.refusal(request.header, request.peer, request.target, self._clock())
        if code is None:
            return None
        if code not in self._refusals:
            self._refusals[code] = Refusal(403, code, cache_control=DENIED)
        return self._refusals[code]

    def meter(self) -> list[Callable[[], None]]:
        """Sample what the doors count (O31); the returned calls end it."""
        return [
            metrics.DENIED.add(self._denied),
            metrics.SKEW.add(lambda: self._each(lambda door: door.replays.skew_s)),
            metrics.OVERFLOWS.add(lambda: self._each(lambda door: door.replays.overflows)),
        ]

    def _door(self, path: str) -> Door:
        parts = path.split("/", 3)
        name: str | None = parts[2] if len(parts) > 2 else None
        if name is not None and parts[1] == "rec":
            name = self._recorded(name)
        elif parts[1] != "live":
            name = None
        common = self._doors[COMMON]
        return common if name is None else self._doors.get(name, common)

    def _denied(self) -> Mapping[_Labels, float]:
        return {
            (name, code): float(count)
            for name, door in self._doors.items()
            for code, count in door.denied.items()
        }

    def _each(self, value: Callable[[Door], float]) -> Mapping[_Labels, float]:
        return {(name,): float(value(door)) for name, door in self._doors.items() if door.signed}
