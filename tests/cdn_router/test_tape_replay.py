"""A recorded day decides the same again, from its evidence alone, byte for byte (RT-13, RG-7)."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import msgspec
import pytest
from typer.testing import CliRunner

from cdn_router.admin.plan import Plan
from cdn_router.archive.journal import Frame
from cdn_router.archive.opening import Opened, opened
from cdn_router.archive.reading import dataset
from cdn_router.catalog import EARLIER, POLICIES
from cdn_router.cells.exchange import TOLD_ROWS, Exchange
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.errors import Busy
from cdn_router.health import Outcome
from cdn_router.pathways import Admin
from cdn_router.policies.face import Cell
from cdn_router.rules.rule import Rule
from cdn_router.server import build, build_intake, cdn, parts
from cdn_router.sessions import Viewer
from cdn_router.settings import PathwaySettings, Settings
from cdn_router.tape.lines import ENCODER, AnchorLine
from cdn_router.tape.recorder import Tape
from cdn_router.tape.replay import Differs, Numbered, Same, Skipped, replay
from cdn_router.tape.table import lines, table
from cdn_router.upkeep import Upkeep
from headwater.cli import app
from runtime.clock import ManualClock
from runtime.objects import FolderStore
from runtime.service import Web

BEGUN_S = 1_700_000_000
STEP_S = 300
NAMES = ("CDN-A", "CDN-B", "CDN-C")
COMMAND = "import typer; from cdn_router.replay_cli import replay; typer.run(replay)"
REGIONS = ("SE", "NO", "DE")
SETTINGS = Settings(
    pathways=[
        PathwaySettings(
            id=name,
            base_url=f"http://{name.lower()}.example",
            priority=at,
            price_per_tb=4.0 + at,
            commit_mbps=50.0,
            capacity_mbps={"SE": 100.0},
        )
        for at, name in enumerate(NAMES)
    ],
    cmcd_per_session=100,
)


def batch(session: str, cdn_name: str, at_ms: int, failed: bool) -> bytes:
    """What a player reports of the last seconds: two responses and how it plays."""
    status = 0 if failed else 200
    rows = [
        f'br=(5000;v),e=rr,ot=v,rc={status},sid="{session}",ts={at_ms - 4000 + 2000 * n},ttlb=180,'
        f'url="http://{cdn_name.lower()}.example/live/a/{n}.m4s?CAT=secret",v=2'
        for n in range(2)
    ]
    rows.append(
        f'bl=(9000;v),br=(5000;v),bsd=({900 if failed else 0}),e=t,mtp=(6000),sid="{session}",'
        f"sta=p,ts={at_ms},v=2"
    )
    return "\n".join(rows).encode()


def day(archive: Opened, clock: ManualClock, hours: int) -> None:
    """A router from its start: players' reports in CMCD, polls, a peer, probes, plans, a drain, a
    CDN that fails some, snapshots that are late.
    """
    cells = State([cdn(each) for each in SETTINGS.pathways], clock.now_ms() / 1000)
    router = build(SETTINGS, clock)
    upkeep = Upkeep(router, cells, clock, tape=Tape(archive.write, cells, clock.now_ms() / 1000))
    intake = build_intake(SETTINGS, router, cells, archive.keep)
    peer = State(cells.cdns, clock.now_ms() / 1000)
    told, heard = Exchange(peer, "peer"), Exchange(cells, "own")
    for step in range(hours * 3600 // STEP_S):
        clock.advance(STEP_S)
        now_ms = clock.now_ms()
        cells.look(now_ms / 1000)
        if step % 20 != 19:
            upkeep.round()
        if step == 10:
            router.apply(Plan(1, policy="headwater"), now_ms)
        if step == 60:
            weights = {"CDN-A": 1.0, "CDN-B": 1.0}
            plan = Plan(9, policy="d-ucb", rules=(Rule("vip", tenant="vip", weights=weights),))
            router.apply(plan, now_ms)
        if step in (30, 40):
            router.administer("CDN-A", Admin.DRAINED if step == 30 else Admin.ENABLED, now_ms)
        for probe in range(3):
            outcome = Outcome.FAILED if step % 50 == 49 else Outcome.GOOD
            router.probed("CDN-B", outcome, 10.0, step * STEP_S + probe, now_ms)
        peer.sample(Cell("DE", "AS9"), step % 3, Sample(3, 70 + step % 20, 0, 9, 9), now_ms / 1000)
        for message in told.messages(now_ms / 1000):
            heard.take(message, now_ms / 1000)
        for number in range(6):
            name = f"s{step // 9}-{number}"
            viewer = Viewer("/live/x/", REGIONS[number % 3], "tv", 65_000 + number % 2)
            if step % 9 == 0:
                router.start(name, viewer, now_ms)
            current = NAMES[(step + number) % 3]
            for at in range(2):
                failed = current == "CDN-C" and step % 7 == 0
                at_ms = now_ms - 10_000 * (1 - at)
                intake.take(batch(name, current, at_ms, failed), f"192.0.{number}.7", now_ms + at)
            router.poll("hls", f"sid={name}&_HLS_pathway={current}", now_ms)
        for number in range(6):
            router.poll("dash", f"sid=s{step // 9}-{number}", now_ms + 2_000)
    upkeep.round()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of a router in an object store's folder, compacted but for its last hours."""
    folder = tmp_path_factory.mktemp("day")
    store, clock = FolderStore(folder / "objects"), ManualClock(BEGUN_S * 1000)

    async def run() -> None:
        await store.start()
        archive = opened(store, folder / "journal", "ab12", 1 << 30, clock)
        day(archive, clock, 24)
        await archive.archive.stop()
        await archive.archive.store()
        await archive.archive.compact()

    asyncio.run(run())
    return folder / "objects"


def replayed(root: Path, *options: str) -> tuple[int, dict[str, int]]:
    done = CliRunner().invoke(app, ["router", "replay", str(root), "--json", *options])
    return done.exit_code, json.loads(done.stdout) if done.stdout else {}


def test_a_day_decides_the_same_again(recorded: Path) -> None:
    """In a process of its own, whose hashes fall differently."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(recorded), "--json"],
        env=os.environ | {"PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["decisions"] > 3_500 and counts["snapshots"] > 270
    assert counts["differ"] == counts["skipped"] == 0
    rows = dataset(str(recorded), "tape").to_table()
    said = Counter(rows.column("reason").to_pylist())
    assert {"started", "stayed", "stale", "priority"} <= said.keys()
    assert len(set(rows.column("policy").drop_null().to_pylist())) == 3
    assert "192.0." not in str(rows.column("line").to_pylist()), "no addresses"


def test_another_policy_is_seen_as_differences(recorded: Path) -> None:
    status, counts = replayed(recorded, "--policy", "static")
    assert status == 1 and counts["differ"] > 1_000 and counts["decisions"] > 3_500
    assert replayed(recorded, "--policy", "no")[0] == 2
    assert replayed(recorded.parent / "journal")[0] == 2, "no tape there"


def test_what_was_changed_since_is_seen(recorded: Path) -> None:
    """A word of a decision, a number of the evidence: each is noticed, the latter as a snapshot."""
    tape = list(lines(dataset(str(recorded), "tape")))
    at = next(i for i, line in enumerate(tape) if b'"kind":"decision"' in line.text)
    forged = tape[at]._replace(text=tape[at].text.replace(b"CDN-A", b"CDN-X"))
    [found] = [each for each in replay([*tape[:at], forged], POLICIES) if isinstance(each, Differs)]
    assert (found.node, found.line, found.kind) == ("ab12", forged.number, "decision")
    at = next(i for i, line in enumerate(tape) if b'"kind":"sample"' in line.text)
    text = tape[at].text.replace(b'"sample":[', b'"sample":[1')
    changed = [*tape[:at], tape[at]._replace(text=text), *tape[at + 1 : at + 200]]
    kinds = {each.kind for each in replay(changed, POLICIES) if isinstance(each, Differs)}
    assert "snapshot" in kinds


def test_a_replay_begins_at_any_anchor_and_after_a_loss(recorded: Path) -> None:
    tape = list(lines(dataset(str(recorded), "tape")))
    anchors = [i for i, line in enumerate(tape) if b'"kind":"anchor"' in line.text]
    assert len(anchors) > 20, "one for each hour"
    middle = anchors[10]
    found = list(replay(tape[middle : middle + 400], POLICIES))
    assert found and all(isinstance(each, Same) for each in found)
    lost = [*tape[middle - 60 : middle - 30], *tape[middle - 20 : middle + 100]]
    found = list(replay(lost, POLICIES))
    skipped = sum(isinstance(each, Skipped) for each in found)
    assert skipped == 50 and all(isinstance(each, Same) for each in found[skipped:])


def test_chunks_that_cannot_be_written_are_a_loss_and_no_lie() -> None:
    """After it the next snapshot begins with all that is known."""
    away, kept = True, list[Numbered]()

    def write(chunk: bytes, first: str) -> None:
        if away:
            raise Busy("archive_full", "")
        texts = chunk.splitlines()
        kept.extend(Numbered("", int(first) + n, text) for n, text in enumerate(texts))

    clock = ManualClock(BEGUN_S * 1000)
    cells = State([cdn(each) for each in SETTINGS.pathways], BEGUN_S)
    router = build(SETTINGS, clock)
    upkeep = Upkeep(router, cells, clock, tape=Tape(write, cells, BEGUN_S))
    for step in range(6):
        away = step < 3
        cells.sample(Cell("SE"), 0, Sample(1, 90, 0, 5, 5), BEGUN_S + step)
        router.poll("hls", "sid=s", clock.now_ms())
        upkeep.round()
    found = list(replay(kept, POLICIES))
    assert Counter(map(type, found)) == {Skipped: 3, Same: 5}


@pytest.mark.parametrize("text", [b"", b"{}", b'{"kind":"x"}', b'{"kind":"decision"}', b"\xff"])
def test_what_is_no_tape_is_said_so(text: bytes) -> None:
    with pytest.raises(ValueError, match="line 1"):
        list(replay([Numbered("", 1, text)], POLICIES))


async def test_a_service_records_what_it_answers(tmp_path: Path) -> None:
    """router.record, over HTTP, from the first decision to the last before the end."""
    store = FolderStore(tmp_path / "objects")
    settings = Settings(port=0, record=True, policy="headwater")
    running = parts(settings, kept=(store, tmp_path / "journal"))
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Web)
    async with aiohttp.ClientSession() as session:
        body = batch("s1", "localhost:8011", 5, False)
        media = {"Content-Type": "application/cmcd"}
        async with session.post(f"{listener.url}/cmcd", data=body, headers=media) as told:
            assert told.status == 204
        for _ in range(3):
            async with session.get(f"{listener.url}/steer/hls?sid=s1") as answer:
                assert answer.status == 200
    for part in reversed(running):
        await part.drain()
        await part.stop()
    status, counts = replayed(tmp_path / "objects")
    assert status == 0 and counts["decisions"] == 3 and counts["snapshots"] >= 1
    assert dataset(str(tmp_path / "objects")).count_rows() == 3
    assert not list((tmp_path / "journal").iterdir())


def test_lines_of_another_version_are_kept_and_said_so() -> None:
    rows = table([Frame(5, "7", b'{"kind":"look","now_s":1}\n{"kind":"newer"}\n')], "n").to_pylist()
    assert [(row["number"], row["kind"]) for row in rows] == [(7, "look"), (8, "unreadable")]
    assert rows[1]["line"] == b'{"kind":"newer"}'


def test_decisions_between_a_snapshot_and_its_use() -> None:
    """The next snapshot is planned while the last one decides, also where a replay may begin."""
    kept: list[Numbered] = []

    def write(chunk: bytes, first: str) -> None:
        texts = chunk.splitlines()
        kept.extend(Numbered("", int(first) + n, text) for n, text in enumerate(texts))

    clock = ManualClock(BEGUN_S * 1000)
    cells = State([cdn(each) for each in SETTINGS.pathways], BEGUN_S)
    router, tape = build(SETTINGS, clock), Tape(write, cells, BEGUN_S)
    router.record = tape.record
    router.apply(Plan(1, policy="headwater"), clock.now_ms())
    for hour in range(3):
        cells.sample(Cell("SE"), hour, Sample(1, 90, 0, 5, 5), clock.now_ms() / 1000)
        picture = cells.snapshot(clock.now_ms())
        router.poll("hls", "sid=a", clock.now_ms())
        router.administer(NAMES[hour], Admin.DRAINED, clock.now_ms())
        router.poll("hls", "sid=b", clock.now_ms())
        router.use(picture, router.upon(picture))
        router.poll("hls", "sid=c", clock.now_ms())
        clock.advance(3_600)
    tape.flush()
    assert Counter(map(type, replay(kept, POLICIES))) == {Same: 12}
    last = max(i for i, line in enumerate(kept) if b'"kind":"anchor"' in line.text)
    assert Counter(map(type, replay(kept[last:], POLICIES))) == {Same: 2, Skipped: 2}


@pytest.mark.parametrize("name", EARLIER)
def test_what_an_earlier_version_decided_is_decided_by_it_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Numbered] = []
    clock = ManualClock(BEGUN_S * 1000)
    cells = State([cdn(each) for each in SETTINGS.pathways], BEGUN_S)
    with monkeypatch.context() as patched:
        patched.setitem(POLICIES, EARLIER[name].name, EARLIER[name])
        router = build(SETTINGS, clock)
        tape = Tape(lambda chunk, _: kept.extend(numbered(chunk, len(kept))), cells, BEGUN_S)
        router.record = tape.record
        router.apply(Plan(1, policy=EARLIER[name].name), clock.now_ms())
        cells.sample(Cell("SE"), 0, Sample(1, 90, 0, 5, 5), BEGUN_S)
        picture = cells.snapshot(clock.now_ms())
        router.use(picture, router.upon(picture))
        for number in range(20):
            router.poll("hls", f"sid=s{number}", clock.now_ms())
        tape.flush()
    assert Counter(map(type, replay(kept, POLICIES | EARLIER))) == {Same: 21}
    assert Counter(map(type, replay(kept, POLICIES)))[Differs] == 20


def numbered(chunk: bytes, first: int) -> list[Numbered]:
    return [Numbered("", first + at, text) for at, text in enumerate(chunk.splitlines())]


def test_an_anchor_between_messages_of_a_whole() -> None:
    """What was told of it before is told in the anchor: it counts when the last one came."""
    now_s = float(BEGUN_S)
    made = [cdn(each) for each in SETTINGS.pathways]
    peer, own = State(made, now_s), State(made, now_s)
    told, heard = Exchange(peer, "peer"), Exchange(own, "own")
    for number in range(2 * TOLD_ROWS):
        peer.sample(Cell("DE", f"AS{number}"), 0, Sample(1, 70, 0, 9, 9), now_s)
    first, last = told.messages(now_s)
    heard.take(first, now_s)
    text = ENCODER.encode(AnchorLine.of(own))
    again = msgspec.json.decode(text, type=AnchorLine).state()
    for state, exchange in ((own, heard), (again, Exchange(again, ""))):
        exchange.take(last, now_s)
        assert len(state.peers["peer"].sums.rows) == 2 * TOLD_ROWS
    assert ENCODER.encode(AnchorLine.of(again)) == ENCODER.encode(AnchorLine.of(own))


@pytest.mark.parametrize("back_s", [4.0, 60.0, 600.0])
def test_an_anchor_before_a_clock_is_put_back(back_s: float) -> None:
    """Who begins there forgets what the router forgot; tapes that did not tell it are read."""
    now_s = float(BEGUN_S + 1_000)
    own = State([cdn(each) for each in SETTINGS.pathways], now_s)
    own.sample(Cell("DE"), 0, Sample(1, 70, 0, 9, 9), now_s)
    text = ENCODER.encode(AnchorLine.of(own))
    again = msgspec.json.decode(text, type=AnchorLine).state()
    for state in (own, again):
        state.sample(Cell("NO"), 0, Sample(1, 70, 0, 9, 9), now_s - back_s)
    assert ENCODER.encode(AnchorLine.of(again)) == ENCODER.encode(AnchorLine.of(own))
    older = json.loads(text)
    for part in older["parts"]:
        del part["latest_s"], part["lead"]
    assert msgspec.json.decode(json.dumps(older), type=AnchorLine).state().own.sums.rows
