"""`headwater protect`: put a registered film under keys (CONTRACT; specs/protection.md)."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

FAILURE = 1  # CONTRACT: a clean "no"


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
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the embedded defaults.")] = None,
) -> None:
    """Protect a film as it is served; its keys are made and sealed.

    Example: headwater protect film --scheme cbcs --scheme cenc
    """
    import origin.settings
    from headwater.services import section
    from headwater.settings import effective
    from origin.errors import OriginError
    from origin.protection.titles import protect as arm
    from runtime.sections import Data

    loaded = effective(config, data)
    settings = section(loaded, "origin", origin.settings.Settings).protection
    folder = section(loaded, "data", Data).dir
    try:
        keys = arm(
            folder, title, [s.value for s in scheme or [Scheme.CBCS]], settings, shared=shared
        )
    except OriginError as error:
        typer.echo(f"headwater protect: {error.detail}", err=True)
        raise typer.Exit(FAILURE) from error
    for key in keys:
        typer.echo(f"{title}: {key.scheme} {key.role} {key.uuid}")
