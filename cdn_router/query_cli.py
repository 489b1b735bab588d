"""`headwater router query`: what players told and what was decided, from the archive."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

BINARY = ("line",)  # the tape's own


def query(
    root: Annotated[str, typer.Argument(metavar="DIR", help="An archive: a folder, or s3://...")],
    where: Annotated[str, typer.Option(help="A condition on columns, as in Python.")] = "",
    since: Annotated[
        datetime | None, typer.Option("--from", help="Rows that came then or later, UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="Rows that came before then, UTC.")
    ] = None,
    select: Annotated[str, typer.Option(help="Columns, with commas.")] = "",
    count_by: Annotated[str, typer.Option(help="Count rows by the values of columns.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="So many rows.")] = 100,
    tape: Annotated[bool, typer.Option("--tape", help="Decisions, not events.")] = False,
) -> None:
    """Print rows of an archive as JSON lines, or how many there are.

    1 when there are none, 2 for a question that cannot be asked.

    Example: headwater router query data/objects --where 'e == "rr" and rc >= 500' --count-by cdn
    """
    from .archive import query as asked
    from .archive.reading import dataset

    try:
        found = dataset(root, "tape" if tape else "qoe")
        names = [name for name in found.schema.names if name not in BINARY]
        wanted = asked.between(*(_ms(at) for at in (since, until)))
        if where:
            wanted.append(asked.condition(where, names))
        chosen = (count_by or select).split(",") if count_by or select else names
        if unknown := set(chosen) - set(names):
            raise asked.QueryError(f"no column {', '.join(sorted(unknown))}")
        told = (
            asked.counts(found, wanted, chosen)
            if count_by
            else asked.rows(found, wanted, chosen, limit)
        )
        some = False
        for row in told:
            some = True
            typer.echo(msgspec.json.encode(row))
    except BrokenPipeError:  # whoever reads has enough
        raise
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        typer.echo(f"headwater router query: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(int(not some))


def _ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.replace(tzinfo=UTC).timestamp() * 1000)
