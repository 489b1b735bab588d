"""hls.js, dash.js and Shaka on one page, and what each of them was seen to do."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from .town import Town, token

PLAYERS = ("hls.js", "dash.js", "Shaka")
PATIENCE_S = 60


@dataclass(frozen=True)
class Seen:
    """Colours in turn, where the player is and where it stalled (s), errors and lesser notes."""

    colours: list[str]
    at: float
    waits: list[float]
    errors: list[str]
    notes: list[str]
    frames: int
    begun: bool


class Audience:
    """A player each on one page, whose tokens are made anew whenever they are looked at."""

    def __init__(self, page: Page, place: Town, lives_s: float) -> None:
        self._page, self._place, self._lives_s = page, place, lives_s
        page.goto(f"http://127.0.0.1:{place.page}/page/")

    def play(self, *, title: str = "/live/c", query: str = "", back_s: float = 0) -> None:
        """All begin; `back_s` behind the live edge, or where they like."""
        self._renew()
        urls = {name: self._place.url(name, title, query) for name in PLAYERS}
        self._page.evaluate("([urls, back]) => play(urls, back)", [urls, back_s])

    def look(self) -> dict[str, Seen]:
        self._renew()
        told = self._page.evaluate("told()")
        return {name: Seen(**one) for name, one in told.items()}

    def until(self, condition: Callable[[Seen], bool], what: str) -> dict[str, Seen]:
        """Poll until it holds for every player."""
        end = time.monotonic() + PATIENCE_S
        while True:
            seen = self.look()
            if all(map(condition, seen.values())):
                return seen
            assert time.monotonic() < end, f"waited for {what}: {seen}"
            time.sleep(0.1)

    def on(self, seconds: float) -> dict[str, Seen]:
        """Until each has played so many seconds more."""
        goals = {name: one.at + seconds for name, one in self.look().items()}
        end = time.monotonic() + 3 * seconds + PATIENCE_S
        while True:
            seen = self.look()
            if all(one.at >= goals[name] for name, one in seen.items()):
                return seen
            assert time.monotonic() < end, f"nobody plays {seconds} s: {seen}"
            time.sleep(0.1)

    def _renew(self) -> None:
        renewed = {name: token(name, self._lives_s) for name in PLAYERS}
        self._page.evaluate("renewed => { tokens = renewed }", renewed)
