"""The `headwater` command (CONTRACT). Exit codes: 0 ok, 1 a clean "no", 2 usage, 3 failure.

Commands import their rooms when they run, so that `headwater --help` answers at once.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cdn_router.agent_cli import agent
from cdn_router.cli import cmcd_app
from cdn_router.query_cli import query
from cdn_router.replay_cli import replay
from cdn_router.simulate_cli import report, simulate, world
from control_api.cli import epg_app
from control_api.outbox.cli import events_app
from headwater.console.cli import app as console_app
from headwater.edge_cli import edge_app
from headwater.keys_cli import app as keys_app
from headwater.load_cli import bench_app
from headwater.probe_cli import probe
from headwater.protect_cli import protect, register_under
from headwater.sign_cli import sign_app
from headwater.token_cli import token_app
from headwater.verifier_cli import verifier
from manifest_proxy.cli import manifest_app
from runtime.sql import Database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Edge-centric streaming delivery: origin, manifest proxy, tokens, router, control API.",
)


def _database(config: Path | None, data: Path | None) -> Database:
    from headwater import services

    return services.control_database(config, data)


app.add_typer(token_app, name="token")
app.add_typer(sign_app, name="sign")
app.add_typer(manifest_app, name="manifest")
app.add_typer(cmcd_app, name="cmcd")
app.add_typer(epg_app(_database), name="epg")
app.add_typer(bench_app, name="bench")
app.add_typer(edge_app, name="edge")
app.add_typer(keys_app, name="keys")
for command in (probe, protect, verifier):
    app.command()(command)
router_app = typer.Typer(invoke_without_command=True)
for each in (simulate, world, report, replay, query, agent):
    router_app.command()(each)
app.add_typer(router_app, name="router")
control_app = typer.Typer(invoke_without_command=True)
control_app.add_typer(events_app(_database), name="events")
app.add_typer(control_app, name="control")
app.add_typer(console_app, name="console")

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: headwater.toml if there.")
]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded defaults.")]


@app.command()
def up(
    demo: Annotated[bool, typer.Option("--demo", help="Add a live channel and a film.")] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """All services in one supervised process tree.

    Example: headwater up --demo
    """
    from headwater import up as tree

    raise typer.Exit(tree.up(config, data, demo))


Workers = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="Processes that share the ports.")
]


def _service(name: str, config: Path | None, data: Path | None, workers: int = 1) -> None:
    from headwater import services

    if workers > 1:
        from headwater import workers as crew

        raise typer.Exit(crew.run(name, workers, config, data))
    raise typer.Exit(services.run(name, config, data))


@app.command()
def origin(config: Config = None, data: Data = None, workers: Workers = 1) -> None:
    """Take in CMAF, answer HLS and DASH. Example: headwater origin --data /var/lib/headwater"""
    _service("origin", config, data, workers)


@app.command()
def proxy(config: Config = None, data: Data = None, workers: Workers = 1) -> None:
    """Personal manifests in front of the origin. Example: headwater proxy --workers 2"""
    _service("proxy", config, data, workers)


@router_app.callback()
def router(
    context: typer.Context, config: Config = None, data: Data = None, workers: Workers = 1
) -> None:
    """Decide on CDNs and steer sessions. Example: headwater router"""
    if context.invoked_subcommand is None:
        _service("router", config, data, workers)


@control_app.callback()
def control(
    context: typer.Context, config: Config = None, data: Data = None, workers: Workers = 1
) -> None:
    """The control API and the page at :8000. Example: headwater control"""
    if context.invoked_subcommand is None:
        _service("control", config, data, workers)


@app.command("demo-edge", hidden=True)
def demo_edge(name: str, config: Config = None, data: Data = None) -> None:
    """One of the demo's CDNs. Example: headwater demo-edge CDN-A"""
    _service(f"edge:{name}", config, data)


@app.command()
def package(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="MP4 or s3://BUCKET/NAME, several are one ladder; .srt .vtt .ttml beside them."
        ),
    ],
    title: Annotated[str, typer.Option("--title", help="Id of the title in URLs.")],
    thumbnails: Annotated[
        bool, typer.Option(help="Draw small pictures for seek bars with ffmpeg.")
    ] = True,
    drop_misaligned: Annotated[
        bool, typer.Option("--drop-misaligned", help="Leave out rungs that do not fit the first.")
    ] = False,
    protection: Annotated[
        str, typer.Option("--protect", help="Put it under keys: file, speke or cpix:PATH.")
    ] = "",
    config: Config = None,
    data: Data = None,
) -> None:
    """Register films without copying media.

    Example: headwater package film-1080.mp4 film-540.mp4 film.eng.srt --title film
    """
    from headwater import services

    def register() -> int:
        return services.package(
            inputs, title, config, data, thumbnails=thumbnails, drop_misaligned=drop_misaligned
        )

    raise typer.Exit(register_under(title, protection, config, data, register))


@app.command("config")
def show_config(config: Config = None, data: Data = None) -> None:
    """The effective settings and where each comes from, secrets masked.

    Example: headwater config
    """
    from headwater.settings import effective

    loaded = effective(config, data)
    typer.echo(json.dumps({"settings": loaded.masked(), "from": dict(loaded.where)}, indent=2))


def main() -> None:
    """Console entry: errors are one line that says what to do."""
    from runtime.settings import SettingsError

    try:
        app()
    except SettingsError as error:
        print(f"headwater: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
