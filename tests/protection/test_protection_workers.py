"""A protected channel in several processes: who follows answers as the writer does (PR-160)."""

import asyncio
import time
from pathlib import Path
from typing import Any

from origin_rigs.hls_rig import NOW_S
from origin_rigs.sealed_rig import FIRST, GRID_S, MASTER, SEGMENTS, URLS, Source, films

from native.http import Entity, Hot
from origin.ingest.body import TrackBody
from origin.live import media
from origin.live.shared import SharedChannels
from origin.live.sources import Peer
from origin.protection.ring import Ring
from origin.settings import Settings

SETTINGS = Settings.model_validate(
    {
        "window_s": 30,
        "retention_s": 120,
        "protection": {"urls": URLS, "master_key": MASTER},
        "channels": {
            "c": {
                "segment_s": str(GRID_S),
                "protection": {"scheme": "cenc", "rotation_s": 6, "short_periods": True},
            }
        },
    }
)
LEAVES = ("master.m3u8", "manifest.mpd", "ll.mpd", "v/media.m3u8", "a/media.w3c.m3u8")


class Worker:
    """One process's channels, with keys of its own ring."""

    def __init__(self, folder: Path, now_s: list[float], address: str) -> None:
        clock = lambda: now_s[0]  # noqa: E731
        self.source = Source(folder)
        self.ring = Ring({"file": self.source}, clock)
        self.channels = SharedChannels(
            folder / "live", SETTINGS, Hot(), clock, wall=time.time, address=address, ring=self.ring
        )
        self.channels.open()
        self.clock = clock
        self.bodies: dict[str, TrackBody] = {}

    def push(self, track: str, data: bytes) -> None:
        with self.channels.writing("c") as mine:
            assert mine
            if track not in self.bodies:
                peer = Peer(track, "10.0.0.1", 1)
                body = TrackBody(self.channels, "c", track, SETTINGS, self.clock, peer)
                self.bodies[track] = body
                body.feed(films()[track].header)
            self.bodies[track].feed(data)

    async def fetch(self) -> None:
        presentation = self.channels.presentations.get("c")
        while presentation is not None:
            wanted = presentation.sealing.wanted(presentation.first_listed)
            if await self.ring.fetch(wanted):
                presentation.keyed()
            elif not self.ring.busy:
                break

    def tells(self, leaves: list[str]) -> dict[str, bytes]:
        presentation = self.channels.presentations["c"]
        found: dict[str, Any] = {leaf: presentation.render(leaf) for leaf in LEAVES}
        for leaf in leaves:
            name, _, rest = leaf.partition("/")
            track = presentation.channel.tracks[name]
            found[leaf] = presentation.header(track, rest) or media.ask(presentation, track, rest)
        told = {}
        for leaf, answer in found.items():
            assert isinstance(answer, Entity), (leaf, answer)
            body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
            told[leaf] = body + str(answer.etag).encode()
        return told


async def test_who_follows_answers_what_the_writer_answers(tmp_path: Path) -> None:
    """Playlists, MPDs, headers, segments, parts and I frames."""
    now_s = [float(NOW_S)]
    writer, follower = (Worker(tmp_path, now_s, name) for name in ("w", "f"))
    for track in films():
        writer.push(track, b"")
    now_s[0] = float(FIRST * GRID_S)
    for number in range(FIRST, FIRST + SEGMENTS):
        rows = {track: film.pieces(number) for track, film in films().items()}
        for at in range(max(map(len, rows.values()))):
            now_s[0] += float(GRID_S) / 6
            for track, pieces in rows.items():
                if at < len(pieces):
                    writer.push(track, pieces[at])
            await writer.fetch()
        follower.channels._heard(["c"])
        await follower.fetch()
        await asyncio.sleep(0)
        channel = writer.channels.presentations["c"].channel
        if channel.edge < FIRST:
            continue
        slot = writer.channels.presentations["c"].sealing.slot(channel.edge)
        newest = [f"{t}/{channel.edge}{s}" for t in films() for s in (".m4s", ".0.m4s")]
        leaves = [*newest, f"v/{channel.edge}.i.m4s", f"v/{slot.init}", f"a/{slot.init}"]
        assert follower.tells(leaves) == writer.tells(leaves)
    for worker in (writer, follower):
        worker.ring.close()
        worker.channels.close()
