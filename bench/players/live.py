"""Players of live channels: by whole segments, and by parts with blocking reloads (HLS-24)."""

from bench.players.playing import Item, Playing, Track
from headwater.probe.playlist import Playlist, seconds

CATCH_UP = 1.05  # playback rate while behind the wanted latency
BEHIND_S = 0.5
OBSERVE_S = 0.5


class LivePlayer(Playing):
    """Stays `HOLD-BACK` (default three target durations) behind the end of the playlist."""

    kind = "live"
    _origin_s: float | None = None  # the date of the first media played
    _wanted_s = 0.0
    _observed_s = float("-inf")

    def hold_back_s(self, p: Playlist) -> float:
        return seconds(p.control.get("HOLD-BACK", "")) or 3.0 * p.target_s

    def _join(self, track: Track) -> None:
        p = track.playlist
        assert p is not None
        behind_s, number = 0.0, p.last
        for s in reversed(p.segments):
            behind_s += s.duration_s
            number = s.number
            if behind_s >= self.hold_back_s(p):
                break
        track.number, track.part = number, 0
        if track.name == "main":
            self._origin_s = date_of(p, number)
            self._wanted_s = self.hold_back_s(p) + p.target_s
        elif self._tracks[0].number >= p.first:
            track.number = min(self._tracks[0].number, p.last)

    def _observe(self, now_s: float) -> None:
        """Latency is the wall clock less the date at the playhead; catch up when it grows."""
        buffer = self.buffer
        if buffer is None or self._origin_s is None or not buffer.playing:
            return
        latency_s = now_s - self._origin_s - buffer.played_s
        buffer.rate = CATCH_UP if latency_s > self._wanted_s + BEHIND_S else 1.0
        if now_s - self._observed_s >= OBSERVE_S:
            self._observed_s = now_s
            self.report.latencies_s.append(latency_s)


class LowLatencyPlayer(LivePlayer):
    """Plays parts, `PART-HOLD-BACK` behind the edge; as LivePlayer where there are none."""

    kind = "low_latency"

    def start_s(self, playlist: Playlist) -> float:
        if not playlist.low_latency:
            return super().start_s(playlist)
        return playlist.part_target_s

    def hold_back_s(self, p: Playlist) -> float:
        held_s = seconds(p.control.get("PART-HOLD-BACK", ""))
        return held_s if p.low_latency and held_s else super().hold_back_s(p)

    def _join(self, track: Track) -> None:
        p = track.playlist
        assert p is not None
        if not p.low_latency:
            super()._join(track)
            return
        if track.name != "main":
            main = self._tracks[0]
            track.number, track.part = main.number, 0
            if main.playlist is not None and self.buffer is not None:
                skipped = main.playlist.parts_of(main.number)[: main.part]
                self._align(track, sum(part.duration_s for part in skipped))
            return
        behind_s = 0.0
        track.number, track.part = p.last + 1, 0
        for number in range(p.last + 1, p.first + p.skipped - 1, -1):
            parts = p.parts_of(number)
            for index in reversed(range(len(parts))):
                behind_s += parts[index].duration_s
                track.number, track.part = number, index
                if behind_s >= self.hold_back_s(p) and parts[index].independent:
                    self._begin(p, number, index)
                    return
            if not parts:
                break
        self._begin(p, track.number, track.part)

    def _align(self, track: Track, skip_s: float) -> None:
        """Start at the part of this playlist that begins where the main track does."""
        p = track.playlist
        assert p is not None
        for part in p.parts_of(track.number):
            if skip_s < part.duration_s / 2:
                break
            skip_s -= part.duration_s
            track.part += 1

    def _begin(self, p: Playlist, number: int, index: int) -> None:
        dated_s = date_of(p, number)
        before = p.parts_of(number)[:index]
        if dated_s is not None:
            self._origin_s = dated_s + sum(part.duration_s for part in before)
        self._wanted_s = self.hold_back_s(p) + p.part_target_s

    def _next(self, track: Track) -> Item | None:
        p = track.playlist
        if p is None or not p.low_latency:
            return super()._next(track)
        if track.number < p.first:
            return super()._next(track)
        parts = p.parts_of(track.number)
        if track.part < len(parts):
            part = parts[track.part]
            return Item(
                track.number, track.part, part.uri, part.duration_s, part.gap, map_of(p, track)
            )
        if track.number <= p.last and (parts or track.part):
            track.number, track.part = track.number + 1, 0
            return self._next(track)
        return super()._next(track)

    def _wait(self, track: Track, end_s: float) -> None:
        p = track.playlist
        if p is None or p.control.get("CAN-BLOCK-RELOAD") != "YES":
            super()._wait(track, end_s)
            return
        query = f"_HLS_msn={track.number}"
        query += f"&_HLS_part={track.part}" if p.low_latency else ""
        until_s = seconds(p.control.get("CAN-SKIP-UNTIL", ""))
        if until_s and self._clock() - track.refreshed_s < until_s / 2:
            query += "&_HLS_skip=YES"
        if not self._refresh(track, query):
            self._sleep(p.part_target_s or 0.5)


def map_of(p: Playlist, track: Track) -> str:
    """The header of the newest segment; a playlist without segments has it among its tags."""
    if p.segments and p.segments[-1].map_uri:
        return p.segments[-1].map_uri
    tag = p.tag("EXT-X-MAP")
    return tag.attributes().get("URI", "") if tag else ""


def date_of(p: Playlist, number: int) -> float | None:
    """Wall clock of a segment's start: its own date, or the nearest one carried along."""
    dated = [(s.number, s.date_s) for s in p.segments if s.date_s is not None]
    if not dated:
        return None
    at, date_s = min(dated, key=lambda each: abs(each[0] - number))
    between = [s.duration_s for s in p.segments if min(at, number) <= s.number < max(at, number)]
    return date_s + sum(between) * (1 if number >= at else -1)
