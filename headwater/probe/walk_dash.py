"""Walk a DASH presentation: the MPD, its clock, headers and segments; then ask, then watch."""

from urllib.parse import urljoin

from headwater.probe.client import Client
from headwater.probe.model import Breach, Evidence, Exchange, Media, Patch, Piece, Trial
from headwater.probe.mpd import NS, Entry, Mpd, NotAnMpd, Track, document, parse
from headwater.probe.rules.dash_one import clock_url
from headwater.probe.trials import question

FAR = 1000
AGO = 100_000
SHORTEST_POLL_S = 0.5
DEFAULT_WATCH_S = 3.5  # update periods that a live presentation is watched for by default
LONGEST_DEFAULT_S = 15.0


class DashWalk:
    """One walk; everything it meets goes into the evidence."""

    def __init__(self, client: Client, seen: Evidence, watch_s: float | None) -> None:
        self._client = client
        self._seen = seen
        self._watch_s = watch_s

    async def run(self, first: Exchange) -> None:
        mpd = self._parsed(first)
        if mpd is None:
            return
        self._seen.mpds.append(mpd)
        if (clock := clock_url(mpd)) is not None:
            await self._client.get(clock, "clock")
        tracks = [t for t in mpd.tracks if t.entries]
        for track in tracks[: self._client.limits.tracks]:
            await self._media(mpd, track)
        await question(self._client, self._seen, first.url, "manifest")
        if tracks:
            await self._delivery(mpd, tracks[-1])
        if mpd.low_latency and mpd.get("minimumUpdatePeriod"):
            for track in tracks[:2]:
                await self._growing(mpd, track)
        if mpd.dynamic:
            await self._watch(mpd)

    def _parsed(self, answer: Exchange) -> Mpd | None:
        try:
            return parse(answer.url, answer.body, answer.at_s)
        except NotAnMpd as error:
            breach = Breach(answer.url, 0, f"the MPD {error}")
            self._seen.unreadable.append(("DASH-M20", breach))
            return None

    def _complete(self, mpd: Mpd, track: Track) -> list[Entry]:
        if not mpd.dynamic:
            return list(track.entries)
        now_s = self._client.now() - mpd.start_s
        return [e for e in track.entries if track.end_s(e) <= now_s or not mpd.low_latency]

    async def _media(self, mpd: Mpd, track: Track) -> None:
        """The header and the two newest whole segments, or the first two of a static Period."""
        entries = self._complete(mpd, track)
        wanted = entries[-2:] if mpd.dynamic else entries[:2]
        header = await self._client.get(track.init, "init") if track.init else None
        media = Media(track.init or mpd.url, header.body if header else b"")
        for entry in wanted:
            answer = await self._client.get(track.url(entry), "segment")
            if answer.status == 200 and not any(track.node.iter(NS + "ContentProtection")):
                start, length = (entry.start, entry.duration) if track.timeline else (None, None)
                media.segments.append(Piece(answer.url, entry.number, answer.body, start, length))
        if header is not None and header.status == 200:
            self._seen.tracks.append(media)

    async def _delivery(self, mpd: Mpd, track: Track) -> None:
        entries = self._complete(mpd, track)
        if not entries:
            return
        newest = entries[-1]
        await question(self._client, self._seen, track.url(newest), "segment")
        if not mpd.dynamic:
            return
        depth_s = mpd.seconds("timeShiftBufferDepth")
        horizon_s = self._client.now() - mpd.start_s - (depth_s or 0)
        inside = [e for e in entries if depth_s is not None and track.end_s(e) > horizon_s + 1]
        if inside:
            answer = await self._client.get(track.url(inside[0]), "trial")
            self._seen.trials.append(Trial("inside", answer))
        for kind, shift in (("early", FAR), ("expired", -AGO)):
            other = Entry(
                newest.number + shift, newest.start + shift * newest.duration, newest.duration
            )
            if other.number >= 0 and other.start >= 0:
                answer = await self._client.get(track.url(other), "trial")
                self._seen.trials.append(Trial(kind, answer))

    async def _growing(self, mpd: Mpd, track: Track) -> None:
        """A segment that has begun and is announced, but not complete."""
        newest = track.entries[-1]
        now_s = self._client.now() - mpd.start_s
        step = newest.duration
        ahead = int(max(now_s - track.end_s(newest), 0) * track.timescale // step)
        if track.end_s(newest) <= now_s:
            ahead += 1
        entry = Entry(newest.number + ahead, newest.start + ahead * step, step)
        if track.end_s(entry) - track.ato_s > now_s:
            await self._client.sleep(track.end_s(entry) - track.ato_s - now_s)
        answer = await self._client.get(track.url(entry), "trial")
        self._seen.trials.append(Trial("growing", answer))

    async def _watch(self, first: Mpd) -> None:
        client = self._client
        update_s = first.seconds("minimumUpdatePeriod")
        if update_s is None:
            return
        span_s = self._watch_s
        if span_s is None:
            span_s = min(max(update_s, SHORTEST_POLL_S) * DEFAULT_WATCH_S, LONGEST_DEFAULT_S)
        end_s = client.now() + span_s
        mpd: Mpd | None = first
        while mpd is not None and client.now() < end_s and mpd.get("minimumUpdatePeriod"):
            await client.sleep(min(max(update_s, SHORTEST_POLL_S), span_s))
            mpd = await self._update(self._seen.mpds[-1])
        if mpd is not None and not mpd.get("minimumUpdatePeriod"):
            await client.sleep(update_s)
            await self._update(mpd)
        if self._seen.patches:
            answer = await client.get(self._seen.patches[0].answer.url, "patch")
            self._seen.trials.append(Trial("old_patch", answer))

    async def _update(self, old: Mpd) -> Mpd | None:
        """The patch for the version at hand, if there is one, and the full MPD."""
        patch: Exchange | None = None
        node = next(old.all("PatchLocation"), None)
        if node is not None and node.text:
            patch = await self._client.get(urljoin(old.url, node.text.strip()), "patch")
        location = next(old.all("Location"), None)
        url = old.url
        if location is not None and location.text:
            url = urljoin(old.url, location.text.strip())
        answer = await self._client.get(url, "manifest")
        if answer.status != 200:
            wrong = f"the MPD answers {answer.status or 'nothing'}"
            self._seen.unreadable.append(("DASH-M20", Breach(url, 0, wrong)))
            return None
        new = self._parsed(answer)
        if new is not None:
            self._seen.mpds.append(new)
        if patch is not None:
            same = new if new is not None and _published(patch) == new.get("publishTime") else None
            self._seen.patches.append(Patch(old, patch, same))
        return new


def _published(patch: Exchange) -> str | None:
    """publishTime of a patch document; None when it is none."""
    try:
        return document(patch.body).get("publishTime") if patch.status == 200 else None
    except NotAnMpd:
        return None
