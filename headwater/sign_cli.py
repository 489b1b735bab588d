"""`headwater sign`: the CDNs' own tokens on the command line (CONTRACT; specs/edge.md S-30).

Keys and salts come from a file or an environment variable named by an option, never from an
argument, and are never printed. Each command prints one JSON object with the forms in which its
CDN takes the token.
"""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cat.errors import SignError
from cat.signers import akamai, cloudfront, fastly

FAILURE = 3  # CONTRACT: exit codes
SECRET_FILE_BYTES = 64 << 10

sign_app = typer.Typer(no_args_is_help=True, help="Tokens of the CDNs' own kinds.")

Url = Annotated[str, typer.Argument(help="The viewer's URL, https://host/path.")]
KeyFile = Annotated[Path | None, typer.Option(help="File that holds the key.")]
KeyEnv = Annotated[str | None, typer.Option(help="Environment variable that holds the key.")]
Start = Annotated[int | None, typer.Option(min=1, help="Valid from, epoch seconds.")]
End = Annotated[int | None, typer.Option(min=1, help="Valid until, epoch seconds.")]
Window = Annotated[int | None, typer.Option(min=1, help="Seconds from start to end.")]
Now = Annotated[int | None, typer.Option(min=1, help="Epoch seconds; default the clock.")]


def _fail(message: object) -> NoReturn:
    typer.echo(f"headwater sign: {message}", err=True)
    raise typer.Exit(FAILURE)


def _secret(name: str, file: Path | None, variable: str | None) -> str:
    """The text of a secret, without surrounding white space."""
    if (file is None) == (variable is None):
        raise typer.BadParameter(f"give either --{name}-file or --{name}-env")
    if variable is not None:
        text = os.environ.get(variable, "").strip()
        return text or _fail(f"the environment variable {variable} is not set")
    assert file is not None
    try:
        with file.open("rb") as stream:
            text = stream.read(SECRET_FILE_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError):
        _fail(f"cannot read the {name} file {file}")
    return text or _fail(f"the {name} file {file} is empty")


def _parts(url: str) -> tuple[str, str]:
    """Path and query; BadParameter unless the URL is absolute."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
        raise typer.BadParameter("the URL is absolute, http or https, without a fragment")
    return parts.path or "/", parts.query


def _end(start: int | None, end: int | None, window: int | None, now: int | None) -> int:
    try:
        at = int(time.time()) if now is None else now
        return akamai.expiry(at, start=start, end=end, window_s=window)
    except SignError as error:
        raise typer.BadParameter(str(error)) from None


def _with_parameter(url: str, name: str, value: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{name}={value}"


def _choice(name: str, allowed: Iterable[str]) -> str:
    if name not in allowed:
        raise typer.BadParameter(f"{name} is not one of {', '.join(allowed)}")
    return name


@sign_app.command("akamai")
def sign_akamai(
    url: Url,
    key_file: KeyFile = None,
    key_env: KeyEnv = None,
    acl: Annotated[list[str] | None, typer.Option(help="Path with * and ?, repeatable.")] = None,
    start: Start = None,
    end: End = None,
    window: Window = None,
    ip: Annotated[str | None, typer.Option(help="The viewer's address.")] = None,
    session_id: Annotated[str | None, typer.Option("--id", help="Session id.")] = None,
    payload: Annotated[str | None, typer.Option("--data", help="Data for the edge.")] = None,
    salt_file: Annotated[Path | None, typer.Option(help="File that holds the salt.")] = None,
    salt_env: Annotated[str | None, typer.Option(help="Variable that holds the salt.")] = None,
    algorithm: Annotated[
        str,
        typer.Option(
            callback=lambda name: _choice(name, akamai.HEX_DIGITS),
            help=", ".join(akamai.HEX_DIGITS) + ".",
        ),
    ] = "sha256",
    escape_early: Annotated[bool, typer.Option(help="Escape the values first (S-2).")] = False,
    token_name: Annotated[str, typer.Option(help="Parameter, cookie or header name.")] = "hdnts",
    now: Now = None,
) -> None:
    """EdgeAuth 2.0: a token for --acl paths, else for the URL's own path. The key is hex.

    Example: headwater sign akamai https://cdn.example/live/a.m3u8 --acl '/live/*'
    --key-env AKAMAI_KEY --window 3600
    """
    path, _ = _parts(url)
    salted = salt_file is not None or salt_env is not None
    salt = _secret("salt", salt_file, salt_env) if salted else None
    text = _secret("key", key_file, key_env)
    until = _end(start, end, window, now)
    try:
        secret = akamai.Secret.from_hex(text, salt, digest=algorithm, escape_early=escape_early)
        token = akamai.sign(
            secret,
            end=until,
            acl=acl or (),
            url=None if acl else path,
            start=start,
            ip=ip,
            session_id=session_id,
            payload=payload,
        )
    except SignError as error:
        _fail(error)
    forms = {
        "token": token,
        "url": _with_parameter(url, token_name, token),
        "cookie": f"{token_name}={token}",
        "header": f"{token_name}: {token}",
    }
    typer.echo(json.dumps(forms))


@sign_app.command("cloudfront")
def sign_cloudfront(
    url: Url,
    key_pair_id: Annotated[str, typer.Option(help="Id of the public key at CloudFront.")],
    key_file: KeyFile = None,
    key_env: KeyEnv = None,
    resource: Annotated[
        str | None, typer.Option(help="Custom policy: the URLs it opens, with * and ?.")
    ] = None,
    start: Start = None,
    end: End = None,
    window: Window = None,
    ip: Annotated[str | None, typer.Option(help="Custom policy: address or prefix.")] = None,
    digest: Annotated[
        str | None, typer.Option("--hash", help="SHA1 or SHA256; default SHA1, P-256 keys SHA256.")
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            callback=lambda name: _choice(name, cloudfront.PARAMETERS),
            help="Member order of: " + ", ".join(cloudfront.PARAMETERS) + ".",
        ),
    ] = "sdk",
    now: Now = None,
) -> None:
    """Signed URL and cookies; canned unless --resource, --start or --ip is given. The key is PEM.

    Example: headwater sign cloudfront https://d1.cloudfront.net/live/a.m3u8 --key-pair-id K2JC
    --key-file private.pem --window 3600
    """
    _parts(url)
    key = _private_key(_secret("key", key_file, key_env))
    chosen = digest or ("SHA256" if isinstance(key, ec.EllipticCurvePrivateKey) else "SHA1")
    until = _end(start, end, window, now)
    try:
        signer = cloudfront.Signer(key_pair_id, key, chosen)
        policy = cloudfront.Policy(resource or url, until, start, ip)
        signed = cloudfront.signed_url(url, policy, signer, order=order)
        cookies = cloudfront.signed_cookies(policy, signer, url, order=order)
    except SignError as error:
        _fail(error)
    pairs = [f"{name}={value}" for name, value in cookies.items()]
    forms = {"url": signed, "cookies": pairs, "header": f"Cookie: {'; '.join(pairs)}"}
    typer.echo(json.dumps(forms))


def _private_key(text: str) -> cloudfront.Private:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        _fail("the key is not an unencrypted private key in PEM form")
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key
    _fail("CloudFront takes RSA and P-256 keys")


@sign_app.command("fastly")
def sign_fastly(
    url: Annotated[str, typer.Argument(help="The viewer's URL; may be left out with --vcl.")] = "",
    key_file: KeyFile = None,
    key_env: KeyEnv = None,
    end: End = None,
    window: Window = None,
    now: Now = None,
    vcl: Annotated[bool, typer.Option("--vcl", help="Print the verifying VCL instead.")] = False,
) -> None:
    """Path token in the query. The key is base64.

    Example: headwater sign fastly https://cdn.example/live/a.m3u8 --key-env FASTLY_KEY --window 60
    """
    if vcl:
        typer.echo(fastly.VCL, nl=False)
        return
    path, _ = _parts(url)
    text = _secret("key", key_file, key_env)
    until = _end(None, end, window, now)
    try:
        token = fastly.sign(fastly.key_from_base64(text), path, until)
    except SignError as error:
        _fail(error)
    forms = {"token": token, "url": _with_parameter(url, fastly.PARAMETER, token)}
    typer.echo(json.dumps(forms))
