"""A disk that takes nothing costs the archive, and nobody else (RT-16, CM-31)."""

import shutil
from pathlib import Path

import aiohttp
import pytest

from cdn_router import intake
from cdn_router.archive.journal import RETRY_MS, Journal, frames
from cdn_router.errors import Busy
from cdn_router.server import parts
from cdn_router.settings import Settings
from runtime.clock import ManualClock
from runtime.objects import FolderStore
from runtime.service import Web

NOW_MS = 1_700_000_000_000


def test_a_disk_that_is_gone_is_tried_now_and_then(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "disk", "n", 10_000)
    shutil.rmtree(tmp_path / "disk")
    with pytest.raises(Busy):
        journal.append(b"x", "", NOW_MS)
    (tmp_path / "disk").mkdir()
    for at_ms in (NOW_MS, NOW_MS + RETRY_MS - 1):
        with pytest.raises(Busy):
            journal.append(b"x", "", at_ms)
    assert not [*(tmp_path / "disk").iterdir()]
    journal.append(b"x", "", NOW_MS + RETRY_MS)
    assert len([*(tmp_path / "disk").iterdir()]) == 1


async def test_players_are_heard_while_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a loss the log has when it begins and when it is over."""
    said = list[str]()
    for level in ("error", "warning"):
        monkeypatch.setattr(intake.log, level, lambda event, **_: said.append(event))
    clock, disk = ManualClock(NOW_MS), tmp_path / "disk"
    kept = FolderStore(tmp_path / "objects"), disk
    [web] = [p for p in parts(Settings(port=0), clock=clock, kept=kept) if isinstance(p, Web)]
    await web.start()
    async with aiohttp.ClientSession(web.url) as http:

        async def told(number: int) -> int:
            body = f'bl=({900 + number};v),e=t,sid="s",sn={number},ts={NOW_MS + number},v=2'
            types = {"Content-Type": "application/cmcd"}
            async with http.post("/cmcd", data=body, headers=types) as answer:
                assert answer.status == 204
            async with http.get("/v1/sessions/s") as answer:
                return int((await answer.json())["quality"]["buffer_ms"])

        async def lost() -> str:
            async with http.get("/metrics") as answer:
                lines = (await answer.text()).splitlines()
            return next((x.split()[-1] for x in lines if 'fate="not_kept"' in x), "0.0")

        shutil.rmtree(disk)
        assert [await told(0), await told(1)] == [900, 901]
        assert await lost() == "2.0"
        disk.mkdir()
        clock.advance(RETRY_MS / 1000)
        assert await told(2) == 902 and await lost() == "2.0"
        assert await told(3) == 903
        assert said == ["archive_takes_nothing", "archive_takes_again"]
        [path] = disk.iterdir()
        bodies = [frame.body for frame in frames(path.read_bytes())]
        assert [b"sn=2" in bodies[0], b"sn=3" in bodies[1]] == [True, True]
    await web.stop()
