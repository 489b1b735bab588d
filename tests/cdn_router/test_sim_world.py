"""Worlds, weather, runs: files, seeds apart, capacity, drains, oracles (SW-1..SW-9, RM-1..RM-7)."""

import json
import random
from itertools import product
from pathlib import Path

import msgspec
import pytest
from typer import Typer
from typer.testing import CliRunner

from cdn_router.cells.commits import percentile95
from cdn_router.errors import RequestError
from cdn_router.policies.classics import RoundRobin, Static
from cdn_router.policies.ours import Headwater
from cdn_router.simulate_cli import simulate, world
from cdn_router.simulator import weather
from cdn_router.simulator.families import FAMILIES, HELD_OUT, TUNING
from cdn_router.simulator.figures import closed_gap, estimate
from cdn_router.simulator.flow import transport
from cdn_router.simulator.lineup import named
from cdn_router.simulator.run import Outcome, run
from cdn_router.simulator.world import World, parse, schema

ROOT = Path(__file__).parents[2]


def short(family: str, **more: object) -> World:
    made = FAMILIES[family](0.4)
    return msgspec.structs.replace(made, **{"viewers": 300, **more})


def test_families_are_worlds_and_halves_do_not_meet() -> None:
    assert len(FAMILIES) >= 12 and not set(TUNING) & set(HELD_OUT)
    for name, family in FAMILIES.items():
        made = family(1.0)
        assert parse(msgspec.json.encode(made)) == made and made.name == name and family.__doc__


def test_the_schema_of_worlds_is_published() -> None:
    """`headwater router world --schema > docs/world.schema.json`"""
    published = json.loads((ROOT / "docs/world.schema.json").read_bytes())
    assert published == json.loads(msgspec.json.encode(schema()))
    assert set(published["$defs"]["World"]["properties"]) == set(World.__struct_fields__)


@pytest.mark.parametrize(
    "change",
    [
        {"cdns": []},
        {"hours": 0},
        {"viewers": -1},
        {"more": 1},
        {"ttl_s": "20"},
        {"regions": ["R1", "R1"]},
        {"hours": 0.0001},
        {
            "regions": [f"R{n}" for n in range(64)],
            "isps": [f"I{n}" for n in range(64)],
            "devices": ["a", "b"],
        },
        {"events": [{"kind": "quake", "at_s": 1, "for_s": 1}]},
        {"isps": ["I1", "I1"]},
        {"links": {}},
        {"liars": {"share": 0.5, "isp": "I9"}},
        {"hours": 168, "isps": [f"I{n}" for n in range(60)]},
        {"viewers": 1_000_000, "events": [{"kind": "surge", "at_s": 1, "for_s": 1, "share": 9}]},
        {"session_minutes": 0.0001},
    ],
)
def test_bad_worlds_are_refused(change: dict[str, object]) -> None:
    good = json.loads(msgspec.json.encode(FAMILIES["equal"](1.0)))
    with pytest.raises(RequestError):
        parse(json.dumps(good | change).encode())


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"kind": "fault", "factor": 0, "cdn": "CDN-Z"},
            "no cdn of this name: CDN-Z - at `$.events[1]`",
        ),
        ({"kind": "fault", "factor": 0, "region": "R7"}, "no region of this name: R7"),
        ({"kind": "fault", "factor": 0, "isp": "I7"}, "no isp of this name: I7"),
        ({"kind": "fault", "factor": 0, "device": "car"}, "no device of this name: car"),
        ({"kind": "surge", "share": 1, "region": "R7"}, "no region of this name: R7"),
        ({"kind": "fault", "factor": -1}, "`$.events[1].factor`"),
    ],
)
def test_a_bad_event_is_named(event: dict[str, object], said: str) -> None:
    good = json.loads(msgspec.json.encode(FAMILIES["brown-out"](1.0)))
    events = [good["events"][0], {"at_s": 1, "for_s": 1, **event}]
    with pytest.raises(RequestError) as caught:
        parse(json.dumps(good | {"events": events}).encode())
    assert said in str(caught.value)


def test_paths_that_wander_off_stay_numbers() -> None:
    """A drift that forgets nothing, of as much as it may be."""
    paths = weather.make(short("equal", drift=(1.0, 1.0), hours=3.0, viewers=5), 1).paths
    assert all(0.0 < each < 1e12 for row in paths for each in row)


def test_unknown_links_are_refused() -> None:
    with pytest.raises(RequestError):
        weather.make(short("equal", links={"6g": 1.0}), 1)


def test_the_weather_is_the_seeds_and_nobody_elses() -> None:
    """SW-8: the same for all policies; another seed is another weather."""
    one, same, other = (weather.make(short("everyday"), seed) for seed in (1, 1, 2))
    assert (one.arrivals, one.paths) == (same.arrivals, same.paths)
    assert one.arrivals != other.arrivals and one.paths != other.paths
    run(Headwater(), one, 1)
    assert one.paths == same.paths


def test_runs_are_repeatable_and_differ_by_the_policys_seed() -> None:
    made = weather.make(short("everyday"), 1)
    first = run(Headwater(), made, 1)
    run(RoundRobin(), weather.make(short("dead-cdn", viewers=900), 3), 2)
    assert first == run(Headwater(), made, 1), "nothing of another crowd is in this one"
    assert first.qoe != run(Headwater(), made, 2).qoe
    assert len(first.qoe_by_minute) == 24 and all(0 <= q <= 100 for q in first.qoe_by_minute)


def test_herding_on_the_cheapest_overloads_it() -> None:
    """SW-3: demand above capacity scales everyone down."""
    made = weather.make(short("equal"), 1)
    herd, spread = run(Static(), made, 1), run(RoundRobin(), made, 1)
    assert herd.overload_percent > 15 and spread.overload_percent < 5
    assert herd.qoe < spread.qoe - 3 and herd.switches_per_hour == 0


def test_the_dead_are_left_within_thirty_seconds_by_ours_and_never_by_round_robin() -> None:
    """RG-4: TTL 20, players that never fail over by themselves."""
    made = weather.make(short("dead-cdn", viewers=600), 1)
    ours, sticky = run(Headwater(), made, 1), run(RoundRobin(), made, 1)
    assert ours.drain90_s is not None and ours.drain90_s <= 30
    assert sticky.drain90_s is not None and sticky.drain90_s > 120
    assert ours.qoe > sticky.qoe + 1


def test_players_with_failover_leave_by_themselves() -> None:
    made = weather.make(short("dead-cdn", player_failover=True), 1)
    found = run(RoundRobin(), made, 1)
    assert found.drain90_s is not None and found.drain90_s <= 20


def test_references_bound_the_rest() -> None:
    made = weather.make(short("everyday", viewers=600), 3)
    found = {
        n: run(named(n), made, 1)
        for n in ("floor", "oracle", "flow-oracle", "headwater", "round-robin")
    }
    assert found["floor"].qoe > found["oracle"].qoe > found["headwater"].qoe
    assert found["headwater"].qoe > found["round-robin"].qoe
    thrifty = run(named("flow-oracle@2"), made, 1)
    assert thrifty.usd_per_tb < found["flow-oracle"].usd_per_tb
    with pytest.raises(RequestError):
        named("nobody")


def test_late_peers_cost_only_where_a_node_hears_nothing_itself() -> None:
    """RT-15: what a node is told counts at once, and what its peers are told late."""
    drains = [
        run(Headwater(), weather.make(short("dead-cdn", **late), 1), 1).drain90_s
        for late in (
            {"snapshot_delay_s": 0.0},
            {"snapshot_delay_s": 60.0, "nodes": 2},
            {"snapshot_delay_s": 60.0, "nodes": 1000},
        )
    ]
    fresh, mine, others = (drain or 0.0 for drain in drains)
    assert fresh <= 30 and mine <= 40 and others >= fresh + 40


def test_a_brown_out_is_drained_soon() -> None:
    """Paths at a tenth, which answer as if nothing were wrong."""
    made = weather.make(short("brown-out", viewers=1500), 1)
    ours, sticky = run(Headwater(), made, 1), run(RoundRobin(), made, 1)
    assert ours.drain90_s is None and ours.brown90_s is not None and ours.brown90_s <= 75
    assert sticky.brown90_s is not None and sticky.brown90_s > 120


def test_transport_is_the_least_cost() -> None:
    """Against every whole-number assignment."""
    draw = random.Random(7)
    for _ in range(60):
        supply = [draw.randint(0, 3) for _ in range(2)]
        room = [draw.randint(1, 4) for _ in range(3)]
        cost = [[draw.randint(-9, 9) for _ in room] for _ in supply]
        if sum(supply) > sum(room):
            continue
        flow = transport(supply, room, cost)
        for row, amount in zip(flow, supply, strict=True):
            assert sum(row) == pytest.approx(amount)
        for at, most in enumerate(room):
            assert sum(row[at] for row in flow) <= most + 1e-4
        paid = sum(
            f * c for a, b in zip(flow, cost, strict=True) for f, c in zip(a, b, strict=True)
        )
        assert paid == pytest.approx(_least(supply, room, cost), abs=1e-3)
    crowded = transport([10], [2, 3], [[0, 1]])
    assert sum(crowded[0]) == pytest.approx(10), "beyond all capacity everyone is squeezed in"


def _least(supply: list[int], room: list[int], cost: list[list[int]]) -> int:
    splits = [[s for s in product(range(n + 1), repeat=len(room)) if sum(s) == n] for n in supply]
    return min(
        sum(f * c for a, b in zip(rows, cost, strict=True) for f, c in zip(a, b, strict=True))
        for rows in product(*splits)
        if all(sum(row[i] for row in rows) <= room[i] for i in range(len(room)))
    )


def test_figures_by_hand() -> None:
    """RM-2, RM-7; Student's t of two and ten values."""
    assert estimate([1.0]) == (1.0, 0.0)
    assert estimate([1.0, 3.0]).half == pytest.approx(12.71)
    assert estimate(list(range(10))).half == pytest.approx(2.262 * 3.02765 / 10**0.5, rel=1e-4)
    assert closed_gap(83.8, 82.5, 84.4) == pytest.approx(0.684, abs=1e-3)
    assert closed_gap(80, 80, 80.01) is None
    assert percentile95(list(range(1, 101))) == 95 and percentile95([5.0]) == 5.0
    assert percentile95([]) == 0


def test_the_command_line(tmp_path: Path) -> None:
    app = Typer()
    app.command()(simulate)
    app.command()(world)
    runner = CliRunner()
    listed = runner.invoke(app, ["world"])
    assert listed.exit_code == 0 and all(name in listed.stdout for name in FAMILIES)
    assert json.loads(runner.invoke(app, ["world", "--schema"]).stdout)["$defs"]
    printed = runner.invoke(app, ["world", "--family", "equal", "--hours", "0.2"]).stdout
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(json.loads(printed) | {"viewers": 100, "name": "mine"}))
    asked = ["simulate", "--policy", "headwater", "--world", str(mine), "--seeds", "2"]
    shown = runner.invoke(app, [*asked, "--json", "--plots", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout.splitlines()[-1])["rows"]
    assert {"headwater", "oracle", "floor"} <= {row["policy"] for row in rows}
    page = (tmp_path / "index.html").read_text()
    assert page.count("<svg") >= 6 and "headwater" in page and "<script" not in page
    assert "drain90" in runner.invoke(app, asked).stdout
    for bad in (["--policy", "nobody"], ["--policy", "all", "--world", "nowhere"]):
        refused = runner.invoke(app, ["simulate", *bad])
        assert refused.exit_code == 2 and "none of" in refused.stderr
    mine.write_text("{}")
    assert runner.invoke(app, asked).exit_code == 2


def test_outcomes_are_plain() -> None:
    made = weather.make(short("cheap-but-slow"), 1)
    outcome = run(Headwater(), made, 1)
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome
    assert outcome.commit_fill.keys() == {"CDN-A"} and outcome.billed_mbps["CDN-A"] > 0
