"""Private copies of protected channels, of several tracks and keys, in parts: they say and hold
what the range itself does (CTL-127, PR-54).
"""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.sealed_rig import FIRST, GRID_S, SealedRig

from native.http import Entity
from origin.delivery.recordings import TimeShift
from origin.live.archive import Archive
from origin.live.copying import Copier
from origin.live.holds import Hold
from origin.live.ranges import Range
from runtime.objects import FolderStore

ROTATION_S, HELD = 4, 4  # seconds; segments
LEAVES = (
    "master.m3u8",
    "manifest.mpd",
    *(f"{track}/{leaf}" for track in ("v", "a") for leaf in ("media.m3u8", f"{FIRST}.m4s")),
    "v/iframe.m3u8",
    f"v/{FIRST + 2}.i.m4s",
    f"a/{FIRST + HELD - 1}.m4s",
)


class Copied:
    """A channel, one range of it, and a private copy of the same."""

    def __init__(self, folder: Path, **terms: Any) -> None:
        self.rig = rig = SealedRig(folder, rotation_s=ROTATION_S, **terms)
        rig.begin()
        rig.play(FIRST, 2 * HELD)
        wanted = Range(FIRST * GRID_S, (FIRST + HELD) * GRID_S)
        self.store = FolderStore(folder / "objects")
        for name in ("range", "copy"):
            rig.channels.recordings.create(Hold(name, "c", wanted, copy=name == "copy"))
        asyncio.run(self._copy())
        rig.restart()
        rig.fetch()

    async def _copy(self) -> None:
        rig = self.rig
        await self.store.start()
        archive = Archive(self.store, rig.settings, lambda: iter(()), lambda: rig.now_s)
        await Copier(archive, rig.settings, rig.channels).work()

    def get(self, path: str) -> bytes:
        """What a player gets, once the keys that it made the origin ask for are there."""
        rig, channels = self.rig, self.rig.channels
        shift = TimeShift(rig.settings, rig.hot, channels.presentations, channels.recordings)
        shift.archive = Archive(self.store, rig.settings, lambda: iter(()), lambda: rig.now_s)

        async def asked() -> object:
            while True:
                answer = shift.answer(path, "")
                found = await answer if isinstance(answer, Awaitable) else answer
                shown = [sibling for p in channels.copies.shown for sibling in p.siblings]
                came = await rig.ring.fetch([q for p in shown for q in p.sealing.wanted(FIRST)])
                if isinstance(found, Entity) or not (came or rig.ring.busy):
                    return found

        answer = asyncio.run(asked())
        assert isinstance(answer, Entity), (path, answer)
        return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


@pytest.mark.parametrize("terms", [{"scheme": "cbcs"}, {"scheme": "cenc", "both": True}])
def test_a_copy_says_and_holds_what_the_range_does(tmp_path: Path, terms: dict[str, Any]) -> None:
    made = Copied(tmp_path, **terms)
    assert made.rig.channels.recordings.get("copy").copied  # type: ignore[union-attr]
    assert made.rig.channels.holds.get("copy") is None
    folders = ("", "cbcs/") if "both" in terms else ("",)
    for leaf in (folder + leaf for folder in folders for leaf in LEAVES):
        assert made.get(f"/rec/copy/{leaf}") == made.get(f"/rec/range/{leaf}"), leaf
    playlist = made.get("/rec/copy/v/media.m3u8").decode()
    headers = {line.split('"')[1] for line in playlist.split("\n") if "#EXT-X-MAP" in line}
    assert len(headers) > 1, "several keys"
    for leaf in headers:
        assert made.get(f"/rec/copy/v/{leaf}") == made.get(f"/rec/range/v/{leaf}")
