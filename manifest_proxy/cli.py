"""`headwater manifest`: one manifest from stdin to stdout, edited as the proxy would."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from .errors import ProxyError, RulesError
from .manifest import Format, compile_manifest
from .policy import Pathway, Policy
from .rulebook import pick
from .rules import Rulebook, read_rules, schema
from .urls import Origin, Url

TOKEN = re.compile(r"[A-Za-z0-9_=.-]*")

manifest_app = typer.Typer(help="Work on single manifests.", no_args_is_help=True)


@manifest_app.callback()
def manifest() -> None:
    """Work on single manifests."""


@manifest_app.command()
def rewrite(
    kind: Annotated[Format, typer.Option("--type", help="hls or dash")],
    base: Annotated[str, typer.Option(help="URL that the manifest was fetched from")],
    rules: Annotated[Path | None, typer.Option(help="TOML or JSON: pathways and rules")] = None,
    cohort: Annotated[str, typer.Option(help="whom rules are chosen for")] = "",
    token: Annotated[str, typer.Option(help="access token for the child URIs")] = "",
    session: Annotated[str, typer.Option(help="session id at the end of steering_url")] = "",
) -> None:
    """Rewrite a manifest from stdin to stdout; without rules and token its bytes stay the same.

    Example: headwater manifest rewrite --type hls --base http://o/live/m.m3u8 --token T < m.m3u8
    """
    if not TOKEN.fullmatch(token) or not TOKEN.fullmatch(session):
        _refuse("token and session hold letters, digits and _ = . - only", 2)
    try:
        url = Url.parse(base)
    except ValueError as error:
        _refuse(f"--base: {error}", 2)
    root = url.root.decode()
    try:
        book = _rulebook(rules, token, root)
        chosen = pick(book.rulesets, url.path.decode("utf-8", "replace"), cohort)
        compiled = compile_manifest(
            kind, sys.stdin.buffer.read(), url, Origin(root), book.policy, chosen
        )
    except RulesError as error:
        _refuse(f"{rules}: {error.detail}", 2)
    except ProxyError as error:
        _refuse(str(error), 1)
    sys.stdout.buffer.write(compiled.render(token.encode(), session.encode()))


@manifest_app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of rule files, for editors and checks.

    Example: headwater manifest schema > rules.schema.json
    """
    typer.echo(json.dumps(schema(), indent=2))


def _rulebook(rules: Path | None, token: str, root: str) -> Rulebook:
    at_home = Policy((Pathway(".", root),)) if token else None
    if rules is None:
        return Rulebook(at_home, ())
    try:
        data = rules.read_bytes()
    except OSError as error:
        raise RulesError("rules_missing", error.strerror or "cannot be read") from None
    book = read_rules(data, toml=rules.suffix == ".toml", tokenised=bool(token))
    return book if book.policy else Rulebook(at_home, book.rulesets)


def _refuse(reason: str, code: int) -> NoReturn:
    typer.echo(f"headwater manifest rewrite: {reason}", err=True)
    raise typer.Exit(code)
