"""`headwater keys`: the sealed content keys of an origin (specs/protection.md PR-90, PR-91)."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.protect_cli import FAILURE, Scheme, opened

if TYPE_CHECKING:
    from origin.protection.keyfile import KeyFile

app = typer.Typer(help="Content keys: list, seal anew, export.", no_args_is_help=True)
Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded defaults.")]


@app.command("list")
def list_(
    content: Annotated[str, typer.Argument(help="Content id; all when left out.")] = "",
    config: Config = None,
    data: Data = None,
) -> None:
    """List keys by content, role and period: never a key.

    Example: headwater keys list film
    """
    for entry in _file(config, data).vault().entries(content):
        kid = uuid.UUID(entry.kid)
        typer.echo(
            f"{entry.content_id}: {entry.scheme} {entry.role} {kid}"
            f" period={entry.period} source={entry.source} master={entry.master}"
        )


@app.command()
def rotate(config: Config = None, data: Data = None) -> None:
    """Make a new master key and seal all keys with it, while services run.

    Example: headwater keys rotate
    """
    from origin.protection import keyfile

    with opened("keys rotate", config, data) as (settings, folder):
        typer.echo(f"{keyfile.rotate(settings, folder)} keys sealed with a new master key")


@app.command()
def reseal(config: Config = None, data: Data = None) -> None:
    """Seal all keys with the first of several master keys, where they come from settings.

    Example: headwater keys reseal
    """
    from origin.protection import keyfile

    with opened("keys reseal", config, data) as (settings, folder):
        typer.echo(f"{keyfile.reseal(settings, folder)} keys sealed anew")


@app.command()
def export(
    content: Annotated[str, typer.Argument(help="Content id, a title's name.")],
    out: Annotated[Path, typer.Option("--out", help="New file, of mode 0600.")],
    scheme: Annotated[Scheme, typer.Option(help="Whose keys.")] = Scheme.CBCS,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write a content id's keys, in the clear, as CPIX 2.3 for another packager.

    Example: headwater keys export film --out film.cpix.xml
    """
    from origin.protection.contract import contract_with
    from origin.protection.cpix_write import Slot, document
    from origin.protection.keyfile import write_private

    vault = _file(config, data).vault()
    held = {entry.role for entry in vault.entries(content) if entry.scheme == scheme.value}
    rules = contract_with(held).roles
    slots = []
    for entry in vault.entries(content):
        key = vault.by_kid(bytes.fromhex(entry.kid))
        if key is not None and entry.scheme == scheme.value and entry.role in rules:
            rule = rules[entry.role]
            slots.append(Slot(uuid.UUID(entry.kid), rule, key.secret, key.constant_iv))
    if not slots:
        typer.echo(f"headwater keys export: no {scheme.value} keys of {content}", err=True)
        raise typer.Exit(FAILURE)
    try:
        write_private(out, document(content, scheme.value, slots))
    except OSError as error:
        typer.echo(f"headwater keys export: {out.name}: {error.strerror}", err=True)
        raise typer.Exit(FAILURE) from None
    typer.echo(f"{content}: {len(slots)} keys in {out.name}")


def _file(config: Path | None, data: Path | None) -> "KeyFile":
    from origin.protection.keyfile import KeyFile

    with opened("keys", config, data) as (settings, folder):
        return KeyFile.open(settings, folder)
