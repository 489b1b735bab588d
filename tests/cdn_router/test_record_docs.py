"""What docs/record.md says to type does what it says."""

import asyncio
import contextlib
import io
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdn_router.archive.opening import opened
from cdn_router.cells.state import State
from cdn_router.server import build, cdn
from cdn_router.settings import Settings
from cdn_router.tape.recorder import Tape
from cdn_router.upkeep import Upkeep
from headwater.cli import app
from runtime.clock import ManualClock
from runtime.objects import FolderStore

PAGE = (Path(__file__).parents[2] / "docs/record.md").read_text()
COMMANDS = [line.strip() for line in PAGE.splitlines() if line.startswith("    headwater ")]
BEGUN_MS = 1_795_284_000_000  # 2026-11-21T18:00:00
EVENTS = "\n".join(
    [
        'e=rr,ot=v,rc=503,sid="s",ts=1,url="https://a.example/1.m4s",v=2',
        'e=t,h="a.example",mtp=(5000),sid="s",sta=p,ts=1,v=2',
    ]
)
QUICK = {"all": "headwater"}  # all policies take their time


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/objects of a router that kept everything for five minutes."""
    folder, clock = tmp_path_factory.mktemp("docs"), ManualClock(BEGUN_MS)
    store, settings = FolderStore(folder / "data/objects"), Settings()

    async def keep() -> None:
        await store.start()
        kept = opened(store, folder / "journal", "n", 1 << 30, clock)
        cells = State([cdn(each) for each in settings.pathways], BEGUN_MS / 1000)
        router = build(settings, clock)
        upkeep = Upkeep(router, cells, clock, tape=Tape(kept.write, cells, BEGUN_MS / 1000))
        for _ in range(30):
            kept.keep(EVENTS.encode(), "192.0.2.7", clock.now_ms())
            upkeep.round()
            router.poll("hls", "sid=s", clock.now_ms())
            clock.advance(10)
        upkeep.round()
        await kept.archive.stop()
        await kept.archive.store()

    asyncio.run(keep())
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(place: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(place)
    words = shlex.split(command.partition(" > ")[0])[1:]
    done = CliRunner().invoke(app, [QUICK.get(word, word) for word in words])
    assert done.exit_code == (1 if "--policy d-ucb" in command else 0), done.stderr
    assert done.stdout


def test_python(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    code = PAGE.partition("```python\n")[2].partition("```")[0]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    assert '"a.example"' in said.getvalue() and len(COMMANDS) == 7
