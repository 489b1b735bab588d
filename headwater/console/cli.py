"""`headwater console`: sign-ins for operators, who have no account with a password."""

from pathlib import Path
from typing import Annotated

import typer

SCOPES = (
    *("admin", "catalog:write", "epg:import", "rights:write", "entitlement:write"),
    *("session:terminate", "tokens:introspect", "webhook:manage"),
)
READER_SCOPES = ("admin:read", "tokens:introspect")

app = typer.Typer(help="The operators' pages.", no_args_is_help=True)


@app.callback()
def console() -> None:
    """The operators' pages."""


@app.command()
def token(
    read_only: Annotated[bool, typer.Option("--read-only", help="May look, not act.")] = False,
    hours: Annotated[int, typer.Option(min=1, max=24, help="How long it is good.")] = 8,
    name: Annotated[str, typer.Option(help="Who acts, as the audit log will say.")] = "operator",
    config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of defaults.")] = None,
) -> None:
    """Print an access token for the console's sign-in.

    Example: headwater console token --read-only
    """
    import control_api.settings
    from control_api import keys
    from control_api.issuer import Issuer
    from control_api.times import now_ms
    from headwater.services import section
    from headwater.settings import effective
    from runtime.sections import Data

    loaded = effective(config, data)
    settings = section(loaded, "control", control_api.settings.Settings)
    folder = section(loaded, "data", Data).dir / "control"
    folder.mkdir(parents=True, exist_ok=True)
    issuer = Issuer(
        keys.load_or_create(folder / "issuer-keys.json", keys.issuer_keys),
        name=settings.public_url,
        audience=settings.audience,
        life_s=hours * 3_600,
        leeway_s=settings.jwt_leeway_s,
    )
    scopes = frozenset(READER_SCOPES if read_only else SCOPES)
    typer.echo(issuer.issue(name, scopes, now_ms() // 1_000))
