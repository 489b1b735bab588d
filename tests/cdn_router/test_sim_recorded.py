"""The files that keep what players told play it to those of the simulator (SW-4)."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from cdn_router.archive.opening import opened
from cdn_router.cells.place import Place
from cdn_router.errors import RequestError
from cdn_router.policies.classics import RoundRobin
from cdn_router.policies.ours import Headwater
from cdn_router.simulator import recorded as subject
from cdn_router.simulator import weather
from cdn_router.simulator.run import run
from headwater.cli import app
from runtime.clock import ManualClock
from runtime.objects import FolderStore

BEGUN_MS = 1_700_000_000_000
CDNS = {"a.example": "CDN-A", "b.example": "CDN-B"}
PLACES = {"192.0.0.0": Place("SE", "AS1"), "192.0.1.0": Place("NO", "AS2")}
SESSIONS, TICKS = 40, 120
DEAD = range(60, 90)  # ticks in which CDN-B answers nobody


def body(session: int, tick: int) -> bytes:
    host = "ab"[session % 2]
    dead = host == "b" and tick in DEAD
    rows = [
        f'e=rr,ot=v,rc={0 if dead else 200},sid="s{session}",ts={BEGUN_MS},ttlb=180,'
        f'url="https://{host}.example/live/{n}.m4s?CAT=secret",v=2'
        for n in range(2)
    ]
    told = "" if dead else f"mtp=({5000 + 100 * (tick % 5)}),"
    rows.append(f'e=t,h="{host}.example",{told}sid="s{session}",sta=p,ts={BEGUN_MS},v=2')
    return "\n".join(rows).encode()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twenty minutes: forty sessions that come one a tick, half of them on a CDN that fails."""
    folder = tmp_path_factory.mktemp("recorded")
    store, clock = FolderStore(folder / "objects"), ManualClock(BEGUN_MS)

    async def keep() -> None:
        await store.start()
        args = (lambda at: PLACES.get(at, Place()), lambda host: CDNS.get(host, ""))
        kept = opened(store, folder / "journal", "n", 1 << 30, clock, *args)
        for tick in range(TICKS):
            for session in range(min(SESSIONS, tick + 1)):
                network = f"192.0.{session // 2 % 2}.7"
                kept.keep(body(session, tick), network, clock.now_ms())
            clock.advance(10)
        await kept.archive.stop()
        await kept.archive.store()

    asyncio.run(keep())
    return str(folder / "objects")


def test_who_watched_where_and_how_well(archive: str) -> None:
    world = subject.world(archive)
    assert (world.regions, world.isps, world.viewers) == (["NO", "SE"], ["AS1", "AS2"], SESSIONS)
    assert [cdn.id for cdn in world.cdns] == ["CDN-A", "CDN-B"] and world.ticks == TICKS
    made = weather.make(world, 1)
    assert [len(tick) for tick in made.arrivals] == [1] * SESSIONS + [0] * (TICKS - SESSIONS)
    assert [cell.region for cell in made.cells] == ["NO", "SE"] and set(made.links) == {5400.0}
    assert list(made.paths[0]) == [5200.0, 5300.0, 5000.0, 5100.0], "as it was at first"
    for tick in (59, 60, 89, 90, 119):
        usual = 5000.0 + 100 * (tick % 5)
        dead = 0.0 if tick in DEAD else usual
        assert list(made.paths[tick]) == [usual, dead] * 2, tick
    assert weather.make(world, 2) == made, "what happened happened"


def test_policies_meet_the_recorded_day(archive: str) -> None:
    """Those who left the failing CDN fared better; with prices of one's own they cost them."""
    made = weather.make(subject.world(archive), 1)
    ours, stays = run(Headwater(), made, 1), run(RoundRobin(), made, 1)
    assert ours.qoe > stays.qoe + 5 and ours.usd_per_tb == pytest.approx(1.0)
    assert ours == run(Headwater(), made, 1)


def test_worlds_of_recordings_from_the_command_line(archive: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["router", "world", "--recorded", archive])
    assert done.exit_code == 0 and json.loads(done.stdout)["recorded"] == archive
    mine = tmp_path / "mine.json"
    mine.write_text(done.stdout.replace('"price_per_tb": 1.0', '"price_per_tb": 7.0'))
    for world in (archive, str(mine)):
        args = ["router", "simulate", "--policy", "headwater", "--world", world, "--hours", "0.1"]
        done = CliRunner().invoke(app, [*args, "--json"])
        assert done.exit_code == 0, done.stderr
    paid = [row["usd_per_tb"][0] for row in json.loads(done.stdout)["rows"]]
    assert paid == pytest.approx([7.0] * len(paid))


def test_what_is_no_recording_is_said_so(archive: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="recording_missing"):
        subject.world(str(tmp_path))
    assert CliRunner().invoke(app, ["router", "world", "--recorded", str(tmp_path)]).exit_code == 2
    world = subject.world(archive)
    with pytest.raises(RequestError, match="CDN-B"):
        weather.make(msgspec.structs.replace(world, cdns=world.cdns[:1]), 1)
