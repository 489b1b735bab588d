"""A player of films: it starts, seeks and zaps to another title."""

from collections.abc import Sequence
from random import Random

from bench.players.playing import Playing, Track
from bench.players.report import Clock, Fetch, Report, Sleep


class VodPlayer(Playing):
    """Plays from the start; `tour` seeks and zaps as a restless viewer does."""

    kind = "vod"

    def __init__(self, fetch: Fetch, clock: Clock, sleep: Sleep, random: Random) -> None:
        super().__init__(fetch, clock, sleep)
        self._random = random

    def tour(self, urls: Sequence[str], for_s: float, *, stay_s: float = 8.0) -> Report:
        """Play `stay_s`, then seek or zap, over and over."""
        end_s = self._clock() + for_s
        while self._clock() < end_s:
            began_s = self._clock()
            if not self.start(self._random.choice(urls)):
                self._sleep(1.0)
                continue
            more = self.play(min(self._clock() + stay_s, end_s))
            while more and self._clock() < end_s and self._random.random() < 0.5:
                self.seek(self._random.random())
                more = self.play(min(self._clock() + stay_s, end_s))
            self.finish()
            if self._clock() == began_s:
                self._sleep(1.0)
        return self.finish()

    def seek(self, share: float) -> None:
        """Jump to a share (0..1) of the film: the buffer is dropped, the wait is counted."""
        old = self.buffer
        first = self._tracks[0].playlist
        assert old is not None and first is not None
        for track in self._tracks:
            p = track.playlist
            assert p is not None
            track.number = p.first + int(share * max(len(p.segments) - 1, 0))
        startup_s, before = old.startup_s, len(old.stalls_s)
        now_s = self._clock()
        old.advance(now_s)
        old.appended_s = dict.fromkeys(old.appended_s, old.played_s)
        old.playing, old.empty_since_s = False, now_s
        while len(old.stalls_s) == before and self._clock() < now_s + 20:
            track = min(self._tracks, key=lambda t: old.appended_s[t.name])
            if not self._step(track, now_s + 20) and self._over(track):
                break
        if startup_s is not None and len(old.stalls_s) > before:
            self.report.seeks_s.append(old.stalls_s.pop())

    def _join(self, track: Track) -> None:
        p = track.playlist
        assert p is not None
        track.number, track.part = p.first, 0
