"""Recordings: a hold with a name to play it by. No media is copied; what is frozen is the range."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from origin.errors import NoRange, UnknownChannel
from origin.live.channel import LiveChannel
from origin.live.holds import Hold, Holds
from origin.live.presentation import Presentation
from origin.live.ranges import Range, Shape, Window, resolve
from origin.settings import Settings

State = Literal["scheduled", "recording", "complete", "lost"]
_ANY = Fraction(1)  # stands for a grid that is not known yet


def published(channel: LiveChannel, wanted: Range, settings: Settings, holds: Holds) -> Window:
    """What of a range can be had now. BadRange, NoRange."""
    known = channel.duration_s is not None
    shape = Shape(
        channel.duration_s or _ANY,
        channel.kept.target_s,
        channel.kept.first,
        channel.edge if known else -1,
        settings.keep_s,
        settings.range_s,
    )
    return resolve(wanted, shape, lambda it: holds.covers(channel.name, it))


@dataclass(frozen=True, slots=True)
class Recording:
    """A hold, the range that it plays, and what has become of it."""

    hold: Hold
    range: Range
    state: State


class Recordings:
    """The recordings of an origin, over its holds."""

    def __init__(
        self, settings: Settings, holds: Holds, presentations: Mapping[str, Presentation]
    ) -> None:
        self.holds = holds
        self._settings = settings
        self._presentations = presentations

    def create(self, hold: Hold) -> tuple[Recording, bool]:
        """Record this range; with it, whether it is new. The same said twice is done once, and an
        open end may be closed.

        UnknownChannel; NoRange when media of it has left (410) or never was (404); BadRange when it
        is too long; `conflict` (409) when the id means something else.
        """
        if hold.channel not in self._presentations:
            raise UnknownChannel("no such channel")
        channel = self._presentations[hold.channel].channel
        if self.holds.get(hold.id) is None:
            try:
                published(channel, hold.asked, self._settings, self.holds)
            except NoRange as error:
                if error.code != "range_ahead":
                    raise
        new = self.holds.put(hold)
        return self._told(hold), new

    def get(self, name: str) -> Recording | None:
        hold = self.holds.get(name)
        return None if hold is None else self._told(hold)

    def size_bytes(self, recording: Recording) -> int:
        """What is stored of it, over all tracks; segments that are still made count for nothing."""
        presentation = self._presentations.get(recording.hold.channel)
        if presentation is None or recording.state in ("scheduled", "lost"):
            return 0
        channel = presentation.channel
        window = published(channel, recording.range, self._settings, self.holds)
        numbers = range(window.first, window.last + 1)
        found = (track.whole(number) for track in channel.live_tracks for number in numbers)
        return sum(stored.size_bytes for stored in found if stored is not None)

    def channel_of(self, name: str) -> str | None:
        """Whose media a recording shows."""
        hold = self.holds.get(name)
        return None if hold is None else hold.channel

    def all(self) -> list[Recording]:
        return [self._told(hold) for hold in self.holds.all()]

    def remove(self, name: str) -> bool:
        """Let the range go; False when there is no such recording."""
        return self.holds.remove(name)

    def _told(self, hold: Hold) -> Recording:
        span = self.holds.span(hold)
        wanted = Range(span.start_s, span.end_s)
        presentation = self._presentations.get(hold.channel)
        state: State = "lost"
        if presentation is not None:
            try:
                window = published(presentation.channel, wanted, self._settings, self.holds)
                state = "complete" if window.complete else "recording"
            except NoRange as error:
                state = "scheduled" if error.code == "range_ahead" else "lost"
        return Recording(hold, wanted, state)
