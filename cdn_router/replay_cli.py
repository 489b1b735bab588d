"""`headwater router replay`: decide a day of decisions again."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from .catalog import POLICIES
from .journal import replay as again

MAX_SHOWN = 20


def replay(
    log: Annotated[Path, typer.Argument(help="A decision log (router.decision_log).")],
    json: Annotated[bool, typer.Option("--json", help="Counts as JSON.")] = False,
) -> None:
    """Decide every decision of a log again; 0 when all are the same, byte for byte.

    1 when one differs (the first ones are shown), 2 when the file is no decision log.

    Example: headwater router replay decisions.jsonl
    """
    same = differs = 0
    try:
        with log.open("rb") as lines:
            for outcome in again(lines, POLICIES):
                if outcome is None:
                    same += 1
                    continue
                differs += 1
                if differs <= MAX_SHOWN:
                    was, now = outcome.was.decode(), outcome.now.decode()
                    typer.echo(f"line {outcome.line}\n  was {was}\n  now {now}", err=True)
    except (OSError, ValueError) as error:
        typer.echo(f"headwater router replay: {error}", err=True)
        raise typer.Exit(2) from None
    counts = {"decisions": same + differs, "same": same, "differ": differs}
    words = f"{same + differs} decisions, {same} the same, {differs} differ"
    typer.echo(msgspec.json.encode(counts) if json else words)
    raise typer.Exit(int(differs > 0))
