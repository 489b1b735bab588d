"""Where segments of open films are asked for, without a Request (HT-6)."""

from typing import final

from native.film.press import Press
from native.http.desk import Desk

@final
class Counter(Desk):
    """Answers {folder}/{number}.m4s; a query changes nothing."""

    @property
    def answers(self) -> int: ...
    def put(self, folder: str, press: Press) -> None: ...
    def drop(self, folder: str) -> None:
        """Forget a folder; unknown ones are no error."""
    def clear(self) -> None: ...
