"""`headwater probe`: findings about a presentation on the command line (CONTRACT)."""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from headwater.probe import Evidence, Finding

OK, NO, FAILURE = 0, 1, 3  # CONTRACT: exit codes
LEVELS = ("M", "P", "S")  # MUST, our policy, SHOULD


def _level(name: str) -> str:
    if name not in LEVELS:
        raise typer.BadParameter(f"{name} is not one of {', '.join(LEVELS)}")
    return name


def probe(
    url: Annotated[str, typer.Argument(help="HLS playlist or MPD, http or https.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a finding.")] = False,
    watch_s: Annotated[
        float | None, typer.Option("--for", min=0, help="Seconds to watch a live channel.")
    ] = None,
    token: Annotated[str | None, typer.Option("--token", help="Common Access Token.")] = None,
    twin: Annotated[
        str | None, typer.Option("--twin", help="Another origin, fed alike, that must be equal.")
    ] = None,
    level: Annotated[
        str, typer.Option(callback=_level, help="Least level that fails: M, P (policy) or S.")
    ] = "P",
) -> None:
    """Fetch a presentation like a player and check it against the rules; exit 1 on findings.

    Example: headwater probe http://localhost:8001/live/demo/master.m3u8 --for 30
    """
    from headwater.probe import ProbeError, check, look
    from runtime import redact

    console = Console(stderr=True)
    try:
        with console.status("") if console.is_terminal else nullcontext() as status:

            def tell(at: str) -> None:
                if status is not None:
                    status.update(redact.text(at))

            seen = asyncio.run(look(url, watch_s=watch_s, token=token, twin=twin, tell=tell))
    except ProbeError as error:
        typer.echo(f"headwater probe: {error}", err=True)
        raise typer.Exit(FAILURE) from None
    findings = [replace(f, url=redact.text(f.url)) for f in check(seen)]
    if as_json:
        for finding in findings:
            typer.echo(json.dumps(asdict(finding)))
    else:
        _show(findings, seen)
    failing = LEVELS[: LEVELS.index(level) + 1]
    raise typer.Exit(NO if any(f.level in failing for f in findings) else OK)


def _show(findings: Sequence["Finding"], seen: "Evidence") -> None:
    from headwater.probe import RULES

    if findings:
        table = Table("rule", "level", "where", "what is wrong", "the rule")
        for f in findings:
            where = f"{f.url}:{f.line}" if f.line else f.url
            table.add_row(f.rule, f.level, where, f.wrong, f.text)
        Console(width=None if sys.stdout.isatty() else 200).print(table)
    kinds = len({rule.id for rule in RULES})
    media = sum(len(each.segments) + len(each.parts) for each in seen.tracks)
    typer.echo(
        f"{len(findings)} findings, {kinds} rules; {len(seen.exchanges)} answers, "
        f"{sum(len(looks) for looks in seen.media.values()) + len(seen.mpds)} manifests, "
        f"{media} pieces of media, {len(seen.trials)} questions"
    )
    if seen.cut_short:
        typer.echo(f"cut short: {seen.cut_short}")
