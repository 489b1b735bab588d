"""`headwater protect`: put a registered film under keys (CONTRACT; specs/protection.md)."""

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from origin.settings import Protection

FAILURE = 1  # CONTRACT: a clean "no"
FILE = "file"


class Scheme(StrEnum):
    """Protection schemes (ISO/IEC 23001-7)."""

    CBCS = "cbcs"
    CENC = "cenc"


def protect(
    title: Annotated[str, typer.Argument(help="Id of a registered title.")],
    scheme: Annotated[
        list[Scheme] | None,
        typer.Option(help="May be given twice; the first is served by default [cbcs]."),
    ] = None,
    shared: Annotated[bool, typer.Option(help="One key for sound and every picture.")] = False,
    source: Annotated[
        str, typer.Option(help="Whose keys: file (made here), cpix:PATH, or speke as in settings.")
    ] = FILE,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded defaults.")] = None,
) -> None:
    """Protect a film as it is served; its keys are made or fetched, and sealed.

    Example: headwater protect film --scheme cbcs --scheme cenc
    """
    put_under(title, scheme or [Scheme.CBCS], source, shared, config, data)


def put_under(
    title: str,
    schemes: list[Scheme],
    source: str,
    shared: bool,
    config: Path | None,
    data: Path | None,
) -> None:
    """Protect a title and say with which keys; typer.Exit when that cannot be."""
    from origin.protection.title_source import protect_from
    from origin.protection.titles import protect as arm

    with opened("protect", config, data) as (settings, folder):
        if source == FILE:
            keys = arm(folder, title, [each.value for each in schemes], settings, shared=shared)
        else:
            keys = [
                key
                for each in schemes
                for key in protect_from(folder, title, each.value, settings, source)
            ]
        for key in keys:
            typer.echo(f"{title}: {key.scheme} {key.role} {key.uuid}")


def register_under(
    title: str,
    source: str,
    config: Path | None,
    data: Path | None,
    register: Callable[[], int],
) -> int:
    """Register a title that is protected before anything of it is served (PR-43); `register`'s exit
    code. A title keeps the schemes that it has, and without a `source` the keys made here.
    """
    from origin.protection.titles import Policy, hold, release, standing

    with opened("package", config, data) as (_, folder):
        before = hold(folder, title) if source else standing(folder, title)
        code = register()
        if code:  # what raises leaves the hold
            if source and before is None:
                release(folder, title)
            return code
    policy = before or Policy(title, [])
    if source or (policy.schemes and not policy.kids):
        schemes = [Scheme(each) for each in policy.schemes] or [Scheme.CBCS]
        try:
            put_under(title, schemes, source or FILE, policy.shared, config, data)
        except typer.Exit:
            if not policy.schemes:
                typer.echo(f"{title} is registered, and not served before it has keys", err=True)
            raise
    elif before is not None:
        typer.echo(f"note: {title} keeps its policy; headwater protect gives keys to new tracks")
    return 0


@contextlib.contextmanager
def opened(
    command: str, config: Path | None, data: Path | None
) -> "Iterator[tuple[Protection, Path]]":
    """The settings of protection and the data folder; errors are told in a line."""
    import origin.settings
    from headwater.services import section
    from headwater.settings import effective
    from origin.errors import OriginError
    from runtime.sections import Data

    loaded = effective(config, data)
    settings = section(loaded, "origin", origin.settings.Settings).protection
    try:
        yield settings, section(loaded, "data", Data).dir
    except OriginError as error:
        typer.echo(f"headwater {command}: {error.detail}", err=True)
        raise typer.Exit(FAILURE) from error
