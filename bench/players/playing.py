"""What all players share: asking, reading playlists, choosing a variant, filling the buffer."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from bench.players.buffer import Buffer
from bench.players.ladder import Throughput, Variant, choose
from bench.players.report import Answer, Clock, Fetch, Kind, Report, Sleep, cause
from headwater.probe.playlist import NotAPlaylist, Playlist, parse

RETRY_S = 0.5
NO_HEADERS: Mapping[str, str] = {}
SHORTEST_WAIT_S = 0.05
TOUCH_S = 1e-3  # less media than this is none


@dataclass(frozen=True, slots=True)
class Item:
    """The next thing to fetch: a segment, or part `part` of one."""

    number: int
    part: int | None
    uri: str
    duration_s: float
    gap: bool
    map_uri: str = ""


@dataclass(slots=True)
class Track:
    """One media playlist that is followed: `number` and `part` are the next to fetch."""

    name: str
    url: str
    playlist: Playlist | None = None
    etag: str = ""
    number: int = -1
    part: int = 0
    map_url: str = ""
    refreshed_s: float = float("-inf")
    grew: bool = True


class Playing:
    """One presentation being played. Subclasses say where to join and how to wait for more."""

    kind = "player"
    most_ahead_s = 30.0

    def __init__(self, fetch: Fetch, clock: Clock, sleep: Sleep) -> None:
        self.report = Report(self.kind)
        self.buffer: Buffer | None = None
        self._fetch = fetch
        self._clock = clock
        self._sleep = sleep
        self._throughput = Throughput()
        self._ladder: list[Variant] = []
        self._variant: Variant | None = None
        self._tracks: list[Track] = []

    def watch(self, url: str, for_s: float) -> Report:
        """Play for so long, or to the end of the presentation."""
        end_s = self._clock() + for_s
        if self.start(url):
            self.play(end_s)
        return self.finish()

    def start(self, url: str) -> bool:
        """Fetch the multivariant playlist and open the tracks of the first variant."""
        began_s = self._clock()
        master = self._playlist(url, "master")
        if master is None:
            return False
        self._ladder = ladder(master)
        if not self._ladder:
            self.report.errors["no_variants"] += 1
            return False
        self._variant = choose(self._ladder, self._throughput.bps, None)
        self._tracks = [Track("main", self._variant.url)]
        if self._variant.audio:
            self._tracks.append(Track("audio", self._variant.audio))
        for track in self._tracks:
            if not self._refresh(track):
                return False
        first = self._tracks[0].playlist
        assert first is not None
        self.buffer = Buffer([t.name for t in self._tracks], began_s, self.start_s(first))
        for track in self._tracks:
            self._join(track)
        return True

    def play(self, end_s: float) -> bool:
        """Fill and drain the buffer until `end_s`; False when the presentation is over."""
        buffer = self.buffer
        assert buffer is not None
        while (now_s := self._clock()) < end_s:
            buffer.advance(now_s)
            self._observe(now_s)
            track = min(self._tracks, key=lambda t: buffer.appended_s[t.name])
            if buffer.ahead_s > self.most_ahead_s:
                self._sleep(min(buffer.ahead_s - self.most_ahead_s, end_s - now_s) + 0.01)
            elif not self._step(track, end_s) and self._over(track):
                self._sleep(max(min(buffer.ahead_s, end_s - self._clock()), 0.0))
                buffer.advance(self._clock())
                if buffer.ahead_s <= TOUCH_S:
                    buffer.ended = True
                    return False
        return True

    def finish(self) -> Report:
        """Close the session; safe to call again."""
        if self.buffer is not None and not self.buffer.ended:
            self.buffer.finish(self._clock())
        if self.buffer is not None:
            self._take(self.buffer)
            self.buffer = None
        return self.report

    def _take(self, buffer: Buffer) -> None:
        if buffer.startup_s is not None:
            self.report.startups_s.append(buffer.startup_s)
        else:
            self.report.errors["never_started"] += 1
        self.report.stalls_s += buffer.stalls_s
        self.report.played_s += buffer.played_s

    # -- what a kind of player decides ------------------------------------------------------------
    def start_s(self, playlist: Playlist) -> float:
        """Media wanted before playback starts."""
        return float(playlist.target_s)

    def _join(self, track: Track) -> None:
        raise NotImplementedError

    def _next(self, track: Track) -> Item | None:
        """The next item that the playlist at hand lists."""
        p = track.playlist
        if p is None or track.number > p.last:
            return None
        if track.number < p.first + p.skipped:
            self.report.errors["behind_window"] += 1
            self._join(track)
        at = track.number - p.first - p.skipped
        if not 0 <= at < len(p.segments):
            return None
        s = p.segments[at]
        return Item(s.number, None, s.uri, s.duration_s, s.gap, s.map_uri)

    def _wait(self, track: Track, end_s: float) -> None:
        """Nothing new is listed: wait and look again (section 6.3.4: TD, or TD/2 if unchanged)."""
        p = track.playlist
        target_s = float(p.target_s) if p else 1.0
        due_s = track.refreshed_s + (target_s if track.grew else target_s / 2)
        now_s = self._clock()
        if now_s < due_s:
            self._sleep(max(min(due_s, end_s) - now_s, SHORTEST_WAIT_S))
        if self._clock() < end_s:
            self._refresh(track)

    def _observe(self, now_s: float) -> None:
        """Look at the playhead; live players learn their latency."""

    # -- the work ---------------------------------------------------------------------------------
    def _over(self, track: Track) -> bool:
        p = track.playlist
        return p is not None and p.ended and track.number > p.last

    def _step(self, track: Track, end_s: float) -> bool:
        """Fetch one thing for a track; False when there was nothing to fetch."""
        item = self._next(track)
        if item is None:
            if not self._over(track):
                self._wait(track, end_s)
            return False
        if track.name == "main" and not item.part:
            self._switch(track)
        self._header(track, item)
        assert self.buffer is not None
        if item.gap:
            self.report.errors["gap"] += 1
        else:
            kind: Kind = "segment" if item.part is None else "part"
            if self._media(urljoin(track.url, item.uri), kind) is None:
                self._sleep(RETRY_S)
                self.buffer.advance(self._clock())
                return True
        self.buffer.append(self._clock(), track.name, item.duration_s)
        track.number, track.part = after(item)
        return True

    def _switch(self, track: Track) -> None:
        """Change the variant where the estimate says so; numbers are the same in all of them."""
        wanted = choose(self._ladder, self._throughput.bps, self._variant)
        if wanted.url == track.url:
            return
        other = Track(track.name, wanted.url, number=track.number, part=track.part)
        if self._refresh(other) and other.playlist and other.playlist.last >= track.number:
            self.report.switches += 1
            self._variant = wanted
            track.url, track.playlist, track.etag = other.url, other.playlist, other.etag

    def _header(self, track: Track, item: Item) -> None:
        if item.map_uri:
            url = urljoin(track.url, item.map_uri)
            if url != track.map_url and self._media(url, "init") is not None:
                track.map_url = url

    def _media(self, url: str, kind: Kind) -> bytes | None:
        began_s = self._clock()
        answer = self._ask(url, kind)
        if answer.status != 200:
            return None
        self._throughput.add(len(answer.body), self._clock() - began_s)
        self.report.media_bytes += len(answer.body)
        return answer.body

    def _refresh(self, track: Track, query: str = "") -> bool:
        """Fetch a media playlist again, conditionally; False when it cannot be had."""
        url = f"{track.url}{'&' if '?' in track.url else '?'}{query}" if query else track.url
        headers = {"if-none-match": track.etag} if track.etag and not query else {}
        answer = self._ask(url, "media", headers)
        now_s = track.refreshed_s = self._clock()
        if answer.status == 304:
            track.grew = False
            return True
        read = self._read(track.url, answer, now_s)
        if read is None:
            return False
        track.grew = track.playlist is None or read.edge != track.playlist.edge
        track.playlist = read
        track.etag = "" if query else answer.headers.get("etag", "")
        return True

    def _playlist(self, url: str, kind: Kind) -> Playlist | None:
        return self._read(url, self._ask(url, kind), self._clock())

    def _read(self, url: str, answer: Answer, now_s: float) -> Playlist | None:
        if answer.status != 200:
            return None
        try:
            return parse(url, answer.body, now_s)
        except NotAPlaylist:
            self.report.errors["not_a_playlist"] += 1
            return None

    def _ask(self, url: str, kind: Kind, headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        answer = self._fetch(url, kind, headers)
        self.report.requests += 1
        if (why := cause(answer.status)) is not None:
            self.report.errors[why] += 1
        return answer


def after(item: Item) -> tuple[int, int]:
    """Number and part that follow an item."""
    return (item.number + 1, 0) if item.part is None else (item.number, item.part + 1)


def ladder(master: Playlist) -> list[Variant]:
    """Variants with the default audio of their group; a media playlist is its own only variant."""
    if not master.variants:
        return [Variant(0, master.url)] if master.segments or master.loose else []
    audio: dict[str, str] = {}
    for tag in master.all("EXT-X-MEDIA"):
        named = tag.attributes()
        if named.get("TYPE") == "AUDIO" and named.get("URI"):
            group = named.get("GROUP-ID", "")
            if group not in audio or named.get("DEFAULT") == "YES":
                audio[group] = urljoin(master.url, named["URI"])
    variants = []
    for tag, uri in master.variants:
        named = tag.attributes()
        rate = named.get("BANDWIDTH", "")
        variants.append(
            Variant(
                int(rate) if rate.isdecimal() else 0,
                urljoin(master.url, uri),
                audio.get(named.get("AUDIO", "")),
            )
        )
    return variants
