"""`headwater router simulate`, `world` and `report`: policies compared in worlds of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .errors import RequestError

if TYPE_CHECKING:
    from typing import TextIO

    from .simulator.figures import Row
    from .simulator.world import World

Hours = Annotated[float | None, typer.Option("--hours", min=0.1, max=168.0, help="Length.")]


def simulate(
    policy: Annotated[str, typer.Option("--policy", help="A name, several with commas, or all.")],
    world: Annotated[
        str,
        typer.Option("--world", help="A world file, a family, `families`, or an archive's folder."),
    ] = "everyday",
    seed: Annotated[int, typer.Option("--seed", min=0, help="The first seed.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, help="How many seeds.")] = 1,
    hours: Hours = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    plots: Annotated[Path | None, typer.Option(help="A folder for index.html.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """Steer simulated viewers and print QoE, regret, switches, cost, overload and drain times.

    The oracles, the floor and round robin with probes are run along: regret is measured by them.

    Example: headwater router simulate --policy headwater,d-ucb --world dead-cdn --seeds 5
    """
    from .simulator import compare, figures, lineup
    from .simulator import plots as pictures

    try:
        worlds = _worlds(world, hours)
        names = lineup.everyone() if policy == "all" else tuple(policy.split(","))
        for name in names:
            lineup.named(name)
        along = (lineup.FALLBACK, *lineup.REFERENCES)
        chosen = tuple(dict.fromkeys((*names, *along)))
        tasks = [compare.Task(w, seed + n, chosen) for w in worlds for n in range(seeds)]
        with typer.progressbar(compare.outcomes(tasks, jobs), len(tasks), file=_stderr()) as bar:
            found = [outcome for task in bar for outcome in task]
    except RequestError as error:
        typer.echo(f"headwater router simulate: {error}", err=True)
        raise typer.Exit(2) from None
    rows = figures.rows(found)
    if plots is not None:
        plots.mkdir(parents=True, exist_ok=True)
        (plots / "index.html").write_text(pictures.page(found))
    if as_json:
        plain = [row._asdict() for row in rows]
        shape = {"seeds": [seed + n for n in range(seeds)], "rows": plain}
        typer.echo(msgspec.json.encode(shape, enc_hook=str))
        return
    for line in _table(rows):
        typer.echo(line)


def world(
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of worlds.")] = False,
    family: Annotated[str, typer.Option("--family", help="The world of a family.")] = "",
    recorded: Annotated[str, typer.Option(metavar="DIR", help="That of an archive.")] = "",
    hours: Hours = None,
) -> None:
    """Print the schema of worlds, a world of a family or of a recorded day, or the families' names.

    Example: headwater router world --family brown-out > mine.json
    """
    from .simulator import families
    from .simulator.world import schema as describe

    if schema:
        typer.echo(msgspec.json.format(msgspec.json.encode(describe())))
    elif family or recorded:
        try:
            found = _worlds(family, hours) if family else [_recorded(recorded, hours)]
            typer.echo(msgspec.json.format(msgspec.json.encode(found[0])))
        except RequestError as error:
            typer.echo(f"headwater router world: {error}", err=True)
            raise typer.Exit(2) from None
    else:
        for name, make in families.FAMILIES.items():
            story = (make.__doc__ or "").split("\n")[0]
            typer.echo(f"{name:20} {story}")


def report(
    seeds: Annotated[int, typer.Option("--seeds", min=2, max=1000, help="How many seeds.")] = 10,
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=168.0, help="Length.")] = 1.0,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
) -> None:
    """The comparison of docs/router.md in Markdown: all families, those held out from tuning apart.

    Example: headwater router report --seeds 10 --jobs 2 > docs/router.md
    """
    from .simulator import report as paper

    typer.echo(paper.write(seeds, hours, jobs), nl=False)


def _worlds(name: str, hours: float | None) -> "list[World]":
    """The worlds of a file, an archive, a family or all families; RequestError."""
    from .simulator import families
    from .simulator.world import parse

    if name == "families":
        return [make(hours or 3.0) for make in families.FAMILIES.values()]
    if name in families.FAMILIES:
        return [families.FAMILIES[name](hours or 3.0)]
    if "://" in name or Path(name).is_dir():
        return [_recorded(name, hours)]
    try:
        found = parse(Path(name).read_bytes())
    except OSError:
        known = ", ".join(families.FAMILIES)
        raise RequestError("world_unknown", f"{name!r} is no file and none of: {known}") from None
    return [msgspec.structs.replace(found, hours=hours) if hours else found]


def _recorded(root: str, hours: float | None) -> "World":
    """The world of an archive; RequestError."""
    from .simulator.recorded import world as recorded

    found = recorded(root)
    return msgspec.structs.replace(found, hours=min(hours, found.hours)) if hours else found


def _table(rows: "list[Row]") -> list[str]:
    lines = []
    for place in dict.fromkeys(row.world for row in rows):
        lines.append(
            f"{place:20}{'QoE':>15}{'regret':>15}{'gap':>6}{'switches/h':>15}{'$/TB':>14}"
            f"{'overload %':>15}{'drain90 s':>15}{'brown90 s':>15}"
        )
        for row in rows:
            if row.world == place:
                gap = "" if row.closed_gap is None else f"{row.closed_gap:.0%}"
                cells = (row.switches_per_hour, row.usd_per_tb, row.overload_percent)
                drain, brown = (str(s or "") for s in (row.drain90_s, row.brown90_s))
                a, b, c = map(str, cells)
                lines.append(
                    f"  {row.policy:18}{row.qoe!s:>15}{row.regret!s:>15}{gap:>6}{a:>15}{b:>14}"
                    f"{c:>15}{drain:>15}{brown:>15}"
                )
    return lines


def _stderr() -> "TextIO":
    import sys

    return sys.stderr
