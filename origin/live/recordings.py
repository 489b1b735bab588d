"""Recordings: a hold with a name to play it by. What is frozen is the range; media is copied only
where a private copy is asked for (copies.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from origin.errors import NoRange, OriginError, UnknownChannel
from origin.live.channel import LiveChannel
from origin.live.copies import Copies
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
    return resolve(wanted, shape, lambda it: channel.lasting or holds.covers(channel.name, it))


@dataclass(frozen=True, slots=True)
class Recording:
    """A hold, the range that it plays, and what has become of it; `copied` when it is a private
    copy by now, which stands for itself.
    """

    hold: Hold
    range: Range
    state: State
    copied: bool = False


class Recordings:
    """The recordings of an origin, over its holds."""

    def __init__(
        self,
        settings: Settings,
        holds: Holds,
        presentations: Mapping[str, Presentation],
        copies: Copies,
    ) -> None:
        self.holds = holds
        self.copies = copies
        self._settings = settings
        self._presentations = presentations

    def create(self, hold: Hold) -> tuple[Recording, bool]:
        """Record this range; with it, whether it is new. The same said twice is done once, even of
        a copy whose channel is gone, and an open end may be closed.

        UnknownChannel; NoRange when media of it has left (410) or never was (404); BadRange when it
        is too long; `conflict` (409) when the id means something else.
        """
        if (copy := self._copied(hold.id)) is not None:
            closed = hold.asked.end_s is not None
            end_s = self.holds.span(hold).end_s if closed else copy.range.end_s
            if replace(hold, asked=Range(hold.asked.start_s, end_s)) != copy.hold:
                raise OriginError("this id holds another range", code="conflict", status=409)
            return copy, False
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
        return self._copied(name) if hold is None else self._told(hold)

    def size_bytes(self, recording: Recording) -> int:
        """What is stored of it, over all tracks, or of its copy; segments that are still made count
        for nothing.
        """
        if recording.hold.copy:
            return self.copies.facts(recording.hold.id).bytes
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
        hold = self.holds.get(name) or self.copies.get(name)
        return None if hold is None else hold.channel

    def all(self) -> list[Recording]:
        held = [self._told(hold) for hold in self.holds.all()]
        known = {each.hold.id for each in held}
        names = [name for name in self.copies.names() if name not in known]
        return held + [copy for name in names if (copy := self._copied(name)) is not None]

    def remove(self, name: str) -> bool:
        """Let the range go, and its copy; False when there is no such recording."""
        held = self.holds.remove(name)
        return self.copies.remove(name) or held

    def _copied(self, name: str) -> Recording | None:
        """A recording that is a complete copy."""
        hold = self.copies.get(name)
        return None if hold is None else Recording(hold, hold.asked, "complete", copied=True)

    def _told(self, hold: Hold) -> Recording:
        wanted = self.holds.range(hold)
        presentation = self._presentations.get(hold.channel)
        state: State = "lost"
        if presentation is not None:
            try:
                window = published(presentation.channel, wanted, self._settings, self.holds)
                state = "complete" if window.complete else "recording"
            except NoRange as error:
                state = "scheduled" if error.code == "range_ahead" else "lost"
        return Recording(hold, wanted, state)
