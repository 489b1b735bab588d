"""`headwater bench load`: Locust players with sane defaults, a table and a verdict (CONTRACT)."""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

OK, NO, FAILURE = 0, 1, 3  # CONTRACT: exit codes
ROOT = Path(__file__).resolve().parents[1]
USERS = (
    "LivePlayer", "LowLatencyPlayer", "VodPlayer", "CdnShield", "SteeredPlayer", "ControlClient",
)  # fmt: skip
GRACE_S = 60.0  # Locust's own start and end

# name -> where the figure stands in a player's tally; every one is an upper bound
MEASURES: dict[str, tuple[str, ...]] = {
    "startup_p50_s": ("startup_s", "p50"),
    "startup_p95_s": ("startup_s", "p95"),
    "seek_p95_s": ("seek_s", "p95"),
    "latency_p50_s": ("latency_s", "p50"),
    "latency_p95_s": ("latency_s", "p95"),
    "stall_ratio": ("stall_ratio",),
    "stalls": ("stalls",),
    "error_ratio": ("error_ratio",),
}
DEFAULT_SLO = {"startup_p95_s": 3.0, "stall_ratio": 0.01, "error_ratio": 0.01}
CALLERS = {"steered", "control"}  # they show no pictures: only their errors are judged

bench_app = typer.Typer(no_args_is_help=True, help="Load and measure.")


@bench_app.callback()
def _group() -> None:
    """Keeps `load` a command of its own name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target against one kind of player; a figure that was not measured is missed."""

    player: str
    measure: str
    value: float | None
    limit: float

    @property
    def met(self) -> bool:
        return self.value is not None and self.value <= self.limit


def verdicts(players: Mapping[str, Any], slo: Mapping[str, float]) -> list[Verdict]:
    """Judge every kind of player by every target; no player at all misses everything."""
    judged = []
    for kind in players or {"none": {}}:
        for measure, limit in slo.items():
            if kind in CALLERS and measure != "error_ratio":
                continue
            found: Any = players.get(kind, {})
            for step in MEASURES[measure]:
                found = found.get(step) if isinstance(found, Mapping) else None
            judged.append(Verdict(kind, measure, found, limit))
    return judged


def targets(wanted: Sequence[str]) -> dict[str, float]:
    """KEY=VALUE pairs and TOML or JSON files, the later one wins. Raises BadParameter."""
    said: dict[str, Any] = {}
    for text in wanted:
        name, equals, value = text.partition("=")
        said.update({name: value} if equals else _from_file(Path(text)))
    for name, value in said.items():
        if name not in MEASURES:
            raise typer.BadParameter(f"{name} is not one of {', '.join(MEASURES)}")
        try:
            said[name] = float(value)
        except (TypeError, ValueError):
            raise typer.BadParameter(f"{name} needs a number") from None
    return said or dict(DEFAULT_SLO)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
        read = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError):
        raise typer.BadParameter(f"{path} is no readable TOML or JSON file") from None
    if not isinstance(read, dict):
        raise typer.BadParameter(f"{path} is not a table of targets")
    return read


def _fail(message: str) -> NoReturn:
    typer.echo(f"headwater bench load: {message}", err=True)
    raise typer.Exit(FAILURE)


def _user(names: list[str]) -> list[str]:
    for name in names:
        if name not in USERS:
            raise typer.BadParameter(f"{name} is not one of {', '.join(USERS)}")
    return names


@bench_app.command()
def load(
    users: Annotated[int, typer.Option(min=1, help="Users in all.")] = 10,
    for_s: Annotated[int, typer.Option("--for", min=1, help="Seconds to run.")] = 30,
    host: Annotated[str, typer.Option(help="Delivery port, proxy, CDN, router or control API.")] = (
        "http://localhost:8001"
    ),
    user: Annotated[
        list[str], typer.Option(callback=_user, help=f"Repeatable: {', '.join(USERS)}.")
    ] = ["LivePlayer"],  # noqa: B006
    slo: Annotated[list[str], typer.Option(help="KEY=VALUE or a file of them; repeatable.")] = [],  # noqa: B006
    live: Annotated[list[str], typer.Option(help="Path of a live channel, repeatable.")] = [  # noqa: B006
        "/live/demo/master.m3u8"
    ],
    vod: Annotated[list[str], typer.Option(help="Path of a film, repeatable.")] = [  # noqa: B006
        "/vod/film/master.m3u8"
    ],
    steered: Annotated[str, typer.Option(help="Path on the CDNs, for a SteeredPlayer.")] = (
        "/live/demo/master.m3u8"
    ),
    token: Annotated[str, typer.Option(help="Its content token, where the CDNs want one.")] = "",
    viewers: Annotated[int, typer.Option(min=1, help="Virtual clients of a CdnShield.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Let players play against a host; exit 1 when a target is missed.

    Example: headwater bench load --users 50 --for 60 --user LowLatencyPlayer --slo stall_ratio=0
    """
    wanted = targets(slo)
    options = ["--live", ",".join(live), "--vod", ",".join(vod), "--viewers", str(viewers)]
    options += ["--steered", steered, "--token", token]
    result = run(users, for_s, host, user, options)
    judged = verdicts(result["players"], wanted)
    met = all(verdict.met for verdict in judged)
    if as_json:
        rows = [
            {"player": v.player, "measure": v.measure, "value": v.value, "limit": v.limit,
             "met": v.met}
            for v in judged
        ]  # fmt: skip
        typer.echo(json.dumps(result | {"slo": rows, "met": met}))
    else:
        _show(result, judged)
    raise typer.Exit(OK if met else NO)


def run(
    users: int, for_s: int, host: str, names: Sequence[str], options: Sequence[str]
) -> dict[str, Any]:
    """One headless Locust run in a process of its own; what its report says."""
    script = ROOT / "bench" / "locustfile.py"
    if not script.is_file():
        _fail("bench/locustfile.py is not here: run from a checkout")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        argv = [sys.executable, "-m", "locust", "-f", str(script), "--headless", "--only-summary"]
        argv += ["--host", host, "--users", str(users), "--spawn-rate", str(users)]
        argv += ["--run-time", f"{for_s}s", "--stop-timeout", "2", "--loglevel", "ERROR"]
        argv += [*options, "--report", str(report), *names]
        console = Console(stderr=True)
        try:
            with console.status(f"{users} users for {for_s} s on {host}"):
                done = subprocess.run(
                    argv, cwd=ROOT, capture_output=True, text=True, timeout=for_s + GRACE_S
                )
        except subprocess.TimeoutExpired:
            _fail("Locust did not end in time")
        try:
            read = json.loads(report.read_text())
        except (OSError, ValueError):
            _fail((done.stderr.strip().splitlines() or ["Locust left no report"])[-1])
        assert isinstance(read, dict)
        return read


def _show(result: Mapping[str, Any], judged: Sequence[Verdict]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table("player", "sessions", "startup p50/p95", "latency p50/p95", "stalls", "errors")
    for kind, t in result["players"].items():
        errors = ", ".join(f"{name} {n}" for name, n in t["errors"].items()) or "none"
        stalls = f"{t['stalls']} ({t['stalled_s']:.1f} s)"
        table.add_row(
            kind, str(t["sessions"]), _pair(t["startup_s"]), _pair(t["latency_s"]), stalls, errors
        )
    console.print(table)
    table = Table("request", "count", "failed", "p50 ms", "p95 ms", "p99 ms")
    for name, h in result["http"].items():
        columns = (h["requests"], h["failures"], h["p50_ms"], h["p95_ms"], h["p99_ms"])
        table.add_row(name, *(str(c) for c in columns))
    console.print(table)
    if result["shield"]:
        counts = ", ".join(f"{name} {n}" for name, n in sorted(result["shield"].items()))
        typer.echo(f"shield: {counts}")
    for v in judged:
        value = "not measured" if v.value is None else f"{v.value:g}"
        typer.echo(
            f"{'met   ' if v.met else 'MISSED'} {v.player} {v.measure} {value} <= {v.limit:g}"
        )


def _pair(found: Mapping[str, float | None]) -> str:
    if found["p50"] is None or found["p95"] is None:
        return "-"
    return f"{found['p50']:.2f} / {found['p95']:.2f} s"
