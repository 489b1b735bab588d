"""`headwater edge`: build, test and deploy what real CDNs run (specs/edge.md E-1, E-58).

`deploy` prints the platform's own commands and sends nothing: credentials stay with the tools that
own them.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import cat
from cat.revocation import SnapshotError
from headwater.edge import BuildError, Bundle, build
from headwater.edge.archive import archive
from headwater.edge.deploy import commands, edge_filter, edge_keys
from headwater.edge.package import FILE, manifest, package
from headwater.edge.platforms import PLATFORMS
from headwater.edge.stand_ins import node, run
from headwater.edge.terraform import module
from headwater.edge.translate import wasm_of
from headwater.edge.vcl import FILE as VCL_FILE
from headwater.edge.vcl import vcl

FAILURE = 3  # CONTRACT: exit codes
SOURCES = Path(__file__).parents[1] / "edge_scripts"
TRIAL_S = 60
ZIP = "lambda.zip"
FILES = {"keys": "keys.json", "revoked-filter": "revoked-filter"}
NAME = "headwater"
COMPANIONS = {"cloudfront": ("lambda",)}  # what a function cannot verify, Lambda@Edge can
BUNDLE = {"edgeworker-version": "0.1.0", "description": "Headwater: Common Access Tokens"}

edge_app = typer.Typer(no_args_is_help=True, help="Edge scripts for Akamai, CloudFront, Fastly.")


def _platform(name: str) -> str:
    if name not in PLATFORMS:
        raise typer.BadParameter(f"one of {', '.join(PLATFORMS)}")
    return name


Platform = Annotated[str, typer.Argument(callback=_platform, help=", ".join(PLATFORMS) + ".")]
Settings = Annotated[Path | None, typer.Option(help="edge.json: mode, issuers, policies, ...")]
Claims = Annotated[
    str | None, typer.Option(help="Claims to evaluate, by name and comma; others are refused.")
]
Keys = Annotated[Path | None, typer.Option(help="Key file, for the store item `keys`.")]
Revoked = Annotated[
    Path | None, typer.Option(help="Snapshot of revocations, for the store item `revoked-filter`.")
]
Out = Annotated[Path, typer.Option(help="Folder of the bundles and the manifest.")]


def _fail(message: object) -> NoReturn:
    typer.echo(f"headwater edge: {message}", err=True)
    raise typer.Exit(FAILURE)


def _read(path: str) -> str:
    return (SOURCES / path).read_text()


def _json(path: Path | None, otherwise: Any) -> Any:
    if path is None:
        return otherwise
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        _fail(f"cannot read {path} as JSON")


def _built(platform: str, settings: Path | None, claims: str | None) -> list[Bundle]:
    chosen = None if claims is None else [name.strip() for name in claims.split(",")]
    try:
        return build(platform, _read, _json(settings, {}), chosen)
    except BuildError as error:
        _fail(error)


def _stores(keys: Path | None, revoked: Path | None) -> dict[str, str]:
    """Items of the scripts' store, by name."""
    stores = {} if keys is None else {"keys": json.dumps(edge_keys(_json(keys, [])))}
    try:
        return stores | ({"revoked-filter": edge_filter(revoked.read_bytes())} if revoked else {})
    except (BuildError, SnapshotError, OSError) as error:
        _fail(error)


def _write(
    bundles: list[Bundle], platform: str, out: Path, stores: Mapping[str, str], name: str = NAME
) -> list[dict[str, object]]:
    out.mkdir(parents=True, exist_ok=True)
    for bundle in bundles:
        (out / f"{bundle.name}.js").write_bytes(bundle.code)
    if platform == "akamai":
        (out / "bundle.json").write_text(json.dumps(BUNDLE) + "\n")
    lines = [{"platform": platform, **bundle.manifest} for bundle in bundles]
    if platform == "lambda":
        _write_zip(bundles[0], stores, out / ZIP)
        lines[0]["zip_bytes"] = (out / ZIP).stat().st_size
    else:
        for item, text in stores.items():
            _write_secret(out / FILES[item], text.encode())
    if platform == "fastly":
        lines[0] |= _write_package(bundles[0], name, out / FILE)
    (out / "manifest.json").write_text(json.dumps(lines, indent=1) + "\n")
    return lines


def _write_package(bundle: Bundle, name: str, path: Path) -> dict[str, object]:
    root = SOURCES.parent
    try:
        wasm = wasm_of(bundle.code, node(), root, root / "build" / "compute")
        packed = package(name, wasm)
    except BuildError as error:
        _fail(error)
    path.write_bytes(packed)
    (path.parent / VCL_FILE).write_text(vcl())
    return {**manifest(packed, wasm), "vcl": VCL_FILE}


def _write_secret(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _write_zip(bundle: Bundle, stores: Mapping[str, str], path: Path) -> None:
    try:
        _write_secret(path, archive(bundle, stores))
    except BuildError as error:
        _fail(error)


@edge_app.command("build")
def build_bundles(
    platform: Platform,
    settings: Settings = None,
    claims: Claims = None,
    keys: Keys = None,
    revoked: Revoked = None,
    out: Out = Path("build/edge"),
) -> None:
    """Write the scripts and a manifest: hash, bytes used and left, claims that are in."""
    stores = _stores(keys, revoked)
    for each in (platform, *COMPANIONS.get(platform, ())):
        selected = claims if each == platform else None
        for line in _write(_built(each, settings, selected), each, out / each, stores):
            typer.echo(json.dumps(line))


@edge_app.command("test")
def test_bundles(platform: Platform, settings: Settings = None, claims: Claims = None) -> None:
    """Run the built script on its local stand-in: a good token passes, a forged one does not."""
    policy = _json(settings, {})
    bundle = _built(platform, settings, claims)[0]
    key = cat.generate("HS256", "trial")
    now = int(time.time())
    claims_needed: dict[str | int, Any] = {"exp": now + TRIAL_S}
    for claim, setting in (("iss", "issuers"), ("aud", "audiences")):
        if policy.get(setting):
            claims_needed[claim] = policy[setting][0]
    token = cat.issue(claims_needed, cat.KeySet.from_json([key]).signer())
    wanted = {f"CAT={token}": "ok", "": "missing", f"CAT={token[:-6]}AAAAAA": "signature"}
    cases = [
        {
            "request": {
                "method": "GET", "scheme": "https", "host": "cdn.example", "query": query,
                "path": "/live/trial/a.m3u8", "headers": {}, "ip": "192.0.2.1", "now": now,
            },
            "stores": {"keys": json.dumps([key]), "mode": "enforce"},
        }
        for query in wanted
    ]  # fmt: skip
    try:
        answers = run(platform, bundle, cases, SOURCES)
    except (BuildError, OSError) as error:
        _fail(error)
    found = [answer.get("headers", {}).get("cat-reason", "ok") for answer in answers]
    typer.echo(json.dumps({"platform": platform, "wanted": [*wanted.values()], "found": found}))
    if found != list(wanted.values()):
        raise typer.Exit(1)


@edge_app.command("deploy")
def deploy_bundles(
    platform: Platform,
    name: Annotated[str, typer.Option(help="Name of the function or service.")] = NAME,
    settings: Settings = None,
    claims: Claims = None,
    keys: Keys = None,
    revoked: Revoked = None,
    terraform: Annotated[bool, typer.Option(help="Print a Terraform module instead.")] = False,
    out: Out = Path("build/edge"),
) -> None:
    """Build, and print the commands of the platform's own tools; nothing is sent (dry run)."""
    bundles = _built(platform, settings, claims)
    folder = out / platform
    _write(bundles, platform, folder, _stores(keys, revoked), name)
    if terraform:
        typer.echo(module(platform, name, bundles, str(folder)))
        return
    for command in commands(platform, name, bundles, str(folder)):
        typer.echo(json.dumps(command))
