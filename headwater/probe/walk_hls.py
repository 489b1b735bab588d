"""Walk an HLS presentation: playlists, headers, segments, parts; then ask, then watch."""

import asyncio
from dataclasses import replace
from urllib.parse import urljoin

from headwater.probe.client import Client
from headwater.probe.model import Breach, Evidence, Exchange, Media, Piece, Trial
from headwater.probe.playlist import NotAPlaylist, Playlist, Segment, parse, seconds
from headwater.probe.trials import question, renumbered

FAR = 1000  # segments ahead that nobody can have yet
AGO = 100_000  # segments back that nobody keeps
SHORTEST_POLL_S = 0.25
DEFAULT_ROUNDS_S = 2.5  # target durations that a live presentation is watched for by default


def join(url: str, reference: str) -> str | None:
    """An absolute http URL; None for what cannot be fetched (skd:, variables)."""
    if not reference or "{$" in reference:
        return None
    try:
        joined = urljoin(url, reference)
    except ValueError:
        return None
    return joined if joined.startswith(("http://", "https://")) else None


class HlsWalk:
    """One walk; everything it meets goes into the evidence."""

    def __init__(self, client: Client, seen: Evidence, watch_s: float | None) -> None:
        self._client = client
        self._seen = seen
        self._watch_s = watch_s

    async def run(self, first: Exchange) -> None:
        top = self._parsed(first)
        if top is None:
            return
        if top.variants or top.tag("EXT-X-MEDIA"):
            self._seen.master = top
            for url in self._children(top):
                await self._plain(url)
        else:
            self._seen.media[first.url] = [top]
        for looks in list(self._seen.media.values())[: self._client.limits.tracks]:
            await self._media(looks[-1])
        main = self._main()
        if main is None:
            return
        await question(self._client, self._seen, first.url, "manifest")
        await self._delivery(main)
        await self._directives(main)
        if not main.ended:
            await self._watch(main.url)

    def _parsed(self, answer: Exchange) -> Playlist | None:
        try:
            return parse(answer.url, answer.body, answer.at_s)
        except NotAPlaylist as error:
            breach = Breach(answer.url, 1, f"the playlist {error}")
            self._seen.unreadable.append(("HLS-M1", breach))
            return None

    def _children(self, master: Playlist) -> list[str]:
        uris = [uri for _, uri in master.variants]
        for name in ("EXT-X-MEDIA", "EXT-X-I-FRAME-STREAM-INF"):
            uris += [tag.attributes().get("URI", "") for tag in master.all(name)]
        urls = [url for uri in uris if (url := join(master.url, uri))]
        return list(dict.fromkeys(urls))[: self._client.limits.playlists]

    async def _plain(self, url: str) -> Playlist | None:
        """Fetch a media playlist in full; its version joins the history."""
        answer = await self._client.get(url, "manifest")
        if answer.status != 200:
            wrong = f"a listed playlist answers {answer.status or 'nothing'}"
            self._seen.unreadable.append(("HLS-M1", Breach(url, 0, wrong)))
            return None
        return self._add(url, answer)

    def _add(self, url: str, answer: Exchange) -> Playlist | None:
        playlist = self._parsed(answer)
        if playlist is not None:
            self._seen.media.setdefault(url, []).append(playlist)
        return playlist

    def _main(self) -> Playlist | None:
        """The playlist that a player would follow: the first that is not for I-frames."""
        latest = [p for p in self._seen.latest() if p.segments or p.loose]
        return next((p for p in latest if not p.tag("EXT-X-I-FRAMES-ONLY")), None)

    async def _media(self, p: Playlist) -> None:
        """The header, the first segment, the two newest, and the parts of the newest with any."""
        whole = [s for s in p.segments if not s.gap]
        if not whole:
            return
        wanted = whole[:2] if p.ended else [whole[0], *whole[-2:]]
        ranged = p.tag("EXT-X-BYTERANGE") is not None or "BYTERANGE" in (p.value("EXT-X-MAP") or "")
        wanted = wanted[:1] if ranged else sorted(set(wanted), key=lambda s: s.number)
        header_url = join(p.url, whole[-1].map_uri)
        header = await self._client.get(header_url, "init") if header_url else None
        media = Media(header_url or p.url, header.body if header else b"")
        for s in wanted:
            body = await self._bytes(p, s.uri, "segment")
            if body is not None and not s.keys and s.map_uri == whole[-1].map_uri:
                if s.tag("EXT-X-DISCONTINUITY"):
                    media.segments.clear()
                media.segments.append(
                    Piece(join(p.url, s.uri) or "", s.number, body, told_s=s.duration_s)
                )
        split = next((s for s in reversed(wanted) if s.parts), None)
        if split is not None:
            await self._parts(p, split, media)
        if header is not None and header.status == 200 and not ranged:
            self._seen.tracks.append(media)

    async def _parts(self, p: Playlist, s: Segment, media: Media) -> None:
        media.parts_of = s.number
        for part in s.parts:
            body = None if part.gap else await self._bytes(p, part.uri, "part")
            if body is not None:
                url = join(p.url, part.uri) or ""
                media.parts.append(
                    Piece(url, s.number, body, independent=part.independent, gap=part.gap)
                )

    async def _bytes(self, p: Playlist, uri: str, role: str) -> bytes | None:
        url = join(p.url, uri)
        if url is None:
            return None
        answer = await self._client.get(url, "part" if role == "part" else "segment")
        return answer.body if answer.status == 200 else None

    async def _delivery(self, main: Playlist) -> None:
        whole = [s for s in main.segments if not s.gap]
        if self._seen.master is not None:
            await question(self._client, self._seen, main.url, "manifest")
        if not whole:
            return
        url = join(main.url, whole[-1].uri)
        if url is None:
            return
        await question(self._client, self._seen, url, "segment")
        if main.ended:
            return
        number = whole[-1].number
        for kind, other in (("early", number + FAR), ("expired", number - AGO)):
            target = renumbered(url, number, other)
            if target is not None:
                self._seen.trials.append(Trial(kind, await self._client.get(target, "trial")))

    async def _ask(self, p: Playlist, query: str, kind: str, **asked: float) -> Playlist | None:
        """A delivery directive; the answer becomes a trial against `p`."""
        url = p.url + ("&" if "?" in p.url else "?") + query
        wait_s = 3 * p.target_s + 5
        answer = await self._client.get(url, "manifest", wait_s=wait_s)
        playlist = self._parsed(answer) if answer.status == 200 else None
        playlist = replace(playlist, url=p.url) if playlist is not None else None
        self._seen.trials.append(Trial(kind, answer, None, playlist, p, asked))
        return playlist

    async def _directives(self, main: Playlist) -> None:
        control = main.control
        if main.ended:
            await self._ask(main, f"_HLS_msn={main.last + 5}", "block_ended")
            return
        if (until := control.get("CAN-SKIP-UNTIL")) is not None:
            dates = float(control.get("CAN-SKIP-DATERANGES") == "YES")
            for query, kind in (("_HLS_skip=YES", "skip"), ("_HLS_skip=v2", "skip_v2")):
                full = await self._plain(main.url) or main
                await self._ask(full, query, kind, until=seconds(until), dates=dates)
            await self._ask(main, "_HLS_skip=perhaps", "skip_odd")
        if control.get("CAN-BLOCK-RELOAD") == "YES":
            target = main.target_s
            await self._ask(main, f"_HLS_msn={main.first}", "block_old")
            far = main.last + FAR
            await self._ask(main, f"_HLS_msn={far}", "block_far", ahead=FAR, target=target)
            await self._ask(main, "_HLS_part=0", "block_lone_part", target=target)
            await self._ask(main, "_HLS_unknown=1", "reserved")
        now = await self._plain(main.url) or main
        for tag in now.all("EXT-X-PRELOAD-HINT"):
            url = join(now.url, tag.attributes().get("URI", ""))
            if url is not None and not now.ended:
                answer = await self._client.get(url, "trial", wait_s=3 * now.target_s + 5)
                self._seen.trials.append(Trial("hint", answer))

    async def _watch(self, url: str) -> None:
        """Follow the main playlist as a player would, and look at the others beside it."""
        client, looks = self._client, self._seen.media[url]
        span_s = self._watch_s
        if span_s is None:
            span_s = DEFAULT_ROUNDS_S * looks[-1].target_s
        end_s = client.now() + span_s
        others = [other for other in self._seen.media if other != url]
        asked_removed = False
        while client.now() < end_s and not looks[-1].ended:
            old = looks[-1]
            if old.control.get("CAN-BLOCK-RELOAD") == "YES":
                await self._block(url, old)
            else:
                await client.sleep(max(old.target_s / 2, SHORTEST_POLL_S))
                await self._plain(url)
            await asyncio.gather(*(self._plain(other) for other in others))
            left = [s for s in old.segments if s.number < looks[-1].first and not s.gap]
            if left and not asked_removed:
                asked_removed = True
                target = join(old.url, left[-1].uri)
                if target is not None:
                    answer = await client.get(target, "trial")
                    self._seen.trials.append(Trial("removed", answer))

    async def _block(self, url: str, old: Playlist) -> None:
        number, index = old.edge
        query, part = f"_HLS_msn={number}", -1
        if old.low_latency:
            query, part = f"{query}&_HLS_part={index}", index
        got = await self._ask(
            old, query, "block", msn=number, part=part, hold=min(3 * old.target_s, 14)
        )
        if got is None or got.edge == old.edge:
            await self._client.sleep(SHORTEST_POLL_S)
            await self._plain(url)
        else:
            self._seen.media[url].append(got)
