"""A channel's media under its other scheme, in a folder of its own (PR-170): one log, two sets."""

from collections.abc import Sequence

from native.http import Entity
from origin.live.presentation import Presentation
from origin.live.track import LiveTrack, Stored


class Beside:
    """The presentation beside the first one, which hears by this face what the first one does."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def part(self, track: LiveTrack, segment: Stored) -> None:
        self._presentation.stored(track, segment)

    def published(self, numbers: Sequence[int]) -> None:
        self._presentation.reveal(numbers)

    def keyed(self) -> None:
        self._presentation.keyed()

    def expired(self, gone: Sequence[tuple[str, int]]) -> None:
        self._presentation.lose(gone)

    def render(self, leaf: str) -> Entity | None:
        """It is asked itself (Presentation.below)."""
