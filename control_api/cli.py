"""`headwater epg`: guides on the command line (CONTRACT; control-api section 4)."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn, cast

import msgspec
import typer

from control_api import ids
from control_api.epg import importer, store
from control_api.epg.errors import EpgError
from control_api.epg.feed import LIMITS
from control_api.epg.instants import zone
from control_api.epg.xmltv import Progress
from control_api.migrations import LOCATION
from control_api.times import now_ms
from runtime.fetch import Fetcher, FetchError
from runtime.sql import Database, SqlError

OK, NO, USAGE, FAILURE = 0, 1, 2, 3  # CONTRACT: exit codes
IDLE_S = 20.0
SPOOL_BYTES = 8 << 20

Opener = Callable[[Path | None, Path | None], Database]


def epg_app(open_database: Opener) -> typer.Typer:
    """The command group; `open_database` makes the database of a settings file and data folder."""
    app = typer.Typer(no_args_is_help=True, help="The programme guide.")

    @app.callback()
    def epg() -> None:
        """The programme guide."""

    @app.command("import")
    def import_guide(
        guide: Annotated[str, typer.Argument(metavar="FILE|URL", help="XMLTV, gzip or not.")],
        source: Annotated[str, typer.Option(help="Who the guide comes from.")] = "src_xmltv",
        channels: Annotated[
            list[str] | None, typer.Option("--map", help="XMLTV_ID=SLUG, kept; repeatable.")
        ] = None,
        priority: Annotated[int, typer.Option(help="Of --map; lower goes first.")] = 0,
        tz: Annotated[str | None, typer.Option(help="Meant by times without zone.")] = None,
        lang: Annotated[str | None, typer.Option(help="Language of default titles.")] = None,
        force: Annotated[bool, typer.Option("--force", help="Apply what would be held.")] = False,
        config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
        data: Annotated[Path | None, typer.Option("--data", help="Folder of defaults.")] = None,
    ) -> None:
        """Import a guide and print the report.

        Example: headwater epg import guide.xml.gz --map bbc1.uk=demo
        """
        given = {"tz": tz, "lang": lang, "url": guide if _is_url(guide) else None}
        values = {name: value for name, value in given.items() if value is not None}
        if not ids.VALID.fullmatch(source):
            _refuse("--source: letters, digits and _ . : - only", USAGE)
        if tz is not None and zone(tz) is None:
            _refuse("--tz: give +HHMM, a name such as CET, or Europe/Paris", USAGE)
        slugs = dict(_pair(each) for each in channels or ())
        database = open_database(config, data)
        try:
            done = asyncio.run(_import(database, guide, source, values, slugs, priority, force))
        except OSError as error:
            _refuse(f"{guide}: {error.strerror}", USAGE)
        except EpgError as error:
            _refuse(str(error), FAILURE if error.code == "download" else NO)
        except SqlError as error:
            _refuse(f"the database cannot be used ({error}); see sql.url", FAILURE)
        report = msgspec.to_builtins(done.report)
        typer.echo(
            json.dumps({"run": done.run_id, "state": done.state, "report": report}, indent=2)
        )
        if done.state == "held":
            _refuse(f"held, not applied: {done.reason}; look, then use --force", NO)
        if done.report.kept == 0:
            _refuse("no programme is of a mapped channel; use --map XMLTV_ID=SLUG", NO)

    return app


async def _import(
    database: Database,
    guide: str,
    source_id: str,
    values: dict[str, str],
    slugs: dict[str, str],
    priority: int,
    force: bool,
) -> importer.Outcome:
    async with _opened(guide) as stream, database:
        await database.upgrade(LOCATION)
        async with database.write() as connection:
            await store.source(connection, source_id, **values)
            await store.map_channels(connection, source_id, slugs, priority)
        with _bar(stream) as progress:
            return await importer.run(
                database, source_id, stream, now_ms, force=force, progress=progress
            )


@asynccontextmanager
async def _opened(guide: str) -> AsyncIterator[BinaryIO]:
    if not _is_url(guide):
        with Path(guide).open("rb") as file:
            yield file
        return
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        await _download(guide, cast(BinaryIO, spool))
        yield cast(BinaryIO, spool)


async def _download(url: str, into: BinaryIO) -> None:
    """The whole file or an error: nothing is parsed before it is here (CTL-61)."""
    try:
        async with (
            Fetcher(None, name="epg") as fetcher,
            fetcher.open(url, idle_timeout_s=IDLE_S, max_bytes=LIMITS.unpacked_bytes) as answer,
        ):
            if answer.status != 200:
                raise EpgError("download", f"status {answer.status}")
            async for chunk in answer.chunks:
                into.write(chunk)
    except FetchError as error:
        raise EpgError("download", str(error)) from None


@contextmanager
def _bar(stream: BinaryIO) -> Iterator[Progress | None]:
    """A progress bar on a terminal, of unpacked bytes."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    size = stream.seek(0, 2)
    packed = stream.seek(0) == 0 and stream.read(2) == b"\x1f\x8b"
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None if packed else size)
        yield lambda count: bar.advance(task, count)


def _is_url(guide: str) -> bool:
    return guide.startswith(("http://", "https://"))


def _pair(text: str) -> tuple[str, str]:
    xmltv_id, _, slug = text.rpartition("=")
    if not xmltv_id or not slug:
        _refuse("--map: XMLTV_ID=SLUG", USAGE)
    return xmltv_id, slug


def _refuse(reason: str, code: int) -> NoReturn:
    typer.echo(f"headwater epg import: {reason}", err=True)
    raise typer.Exit(code)
