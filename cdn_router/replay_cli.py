"""`headwater router replay`: a recorded day decided again."""

from typing import Annotated

import msgspec
import typer

from .catalog import EARLIER, POLICIES
from .tape.replay import Differs, Same
from .tape.replay import replay as played

MAX_SHOWN = 20


class Counts(msgspec.Struct):
    """What became of a tape's snapshots and decisions; `skipped` lines had nothing before them."""

    decisions: int = 0
    snapshots: int = 0
    same: int = 0
    differ: int = 0
    skipped: int = 0


def replay(
    root: Annotated[str, typer.Argument(metavar="DIR", help="An archive: a folder, or s3://...")],
    policy: Annotated[str, typer.Option("--policy", help="Decide by this one instead.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Counts as JSON.")] = False,
) -> None:
    """Make every recorded snapshot and decision anew from the evidence; 0 when all are the same,
    byte for byte.

    1 when one differs (the first ones are shown), 2 when there is no tape in DIR. A router records
    with router.record set; DIR is its object store, by default objects/ in its data.

    Example: headwater router replay data/objects --policy d-ucb
    """
    if policy and policy not in POLICIES:
        _fail(f"no such policy: {policy}; one of {', '.join(sorted(POLICIES))}")
    from .archive.reading import dataset
    from .tape.table import lines

    counts = Counts()
    try:
        for outcome in played(lines(dataset(root, "tape")), POLICIES | EARLIER, policy):
            if isinstance(outcome, Same):
                counts.same += 1
            elif isinstance(outcome, Differs):
                counts.differ += 1
                if counts.differ <= MAX_SHOWN:
                    was, now = outcome.was.decode(), outcome.now.decode()
                    where = f"line {outcome.line} of {outcome.node}"
                    typer.echo(f"{where}\n  was {was}\n  now {now}", err=True)
            else:
                counts.skipped += 1
                continue
            counts.decisions += outcome.kind == "decision"
            counts.snapshots += outcome.kind == "snapshot"
    except (OSError, ValueError) as error:
        _fail(str(error))
    words = (
        f"{counts.decisions} decisions on {counts.snapshots} snapshots, {counts.same} the same, "
        f"{counts.differ} differ"
    )
    typer.echo(msgspec.json.encode(counts) if json else words)
    raise typer.Exit(int(counts.differ > 0))


def _fail(why: str) -> None:
    typer.echo(f"headwater router replay: {why}", err=True)
    raise typer.Exit(2)
