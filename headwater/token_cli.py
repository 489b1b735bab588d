"""`headwater token`: keys, tokens and verdicts on the command line (CONTRACT; specs/cat.md)."""

import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import structlog
import typer

import cat
from cat import cose, keyfiles, plain, privacy, words
from cat.algorithms import BY_NAME, CIPHERS
from cat.cbor import Value
from cat.issue import payload_of
from cat.mint import seal
from cat.network import Form
from cat.tables import PROFILES, REASONS
from cat.text import normal_text, token_bytes
from headwater.key_source import SECRET, key_set
from headwater.vault import ADDRESS, sealed_by_transit

OK, NO, USAGE, FAILURE = 0, 1, 2, 3  # CONTRACT: exit codes
FORMS = ("jwks", "cose", "sealed")  # of key sets

token_app = typer.Typer(no_args_is_help=True, help="Common Access Tokens (CTA-5007).")


def _choice(name: str, allowed: Iterable[str]) -> str:
    if name not in allowed:
        raise typer.BadParameter(f"{name} is not one of {', '.join(allowed)}")
    return name


def _profile(name: str) -> str:
    return _choice(name, PROFILES)


def _alg(name: str) -> str:
    return _choice(name, (*BY_NAME, *CIPHERS))


def _form(name: str) -> str:
    return _choice(name, FORMS)


def _fail(message: object) -> NoReturn:
    typer.echo(f"headwater token: {message}", err=True)
    raise typer.Exit(FAILURE)


_KEYS = typer.Option(
    help="File: JWK members, JWKS, COSE_KeySet or sealed; or env:NAME, or vault:MOUNT/PATH."
)
Keys = Annotated[Path, _KEYS]
OptionalKeys = Annotated[Path | None, _KEYS]
CtiForm = Literal["bstr", "text"]
SealName = Literal["HS256", "ES256", "PS256"]
ProfileName = Annotated[
    str, typer.Option(callback=_profile, help=f"Dialect of labels: {', '.join(PROFILES)}.")
]


@token_app.command()
def keygen(
    kid: Annotated[str, typer.Option(help="Key id.")],
    alg: Annotated[
        str, typer.Option(callback=_alg, help=", ".join((*BY_NAME, *CIPHERS)))
    ] = "HS256",
) -> None:
    """Print a new key set with one key, secret included.

    Example: headwater token keygen --kid 2026-11 > keys.json
    """
    typer.echo(json.dumps([cat.generate(alg, kid)], indent=1))


@token_app.command("keys")
def write_keys(
    keys: Keys,
    to: Annotated[
        str, typer.Option(callback=_form, help=f"Form: {', '.join(FORMS)}; sealed by {SECRET}.")
    ] = "jwks",
    private: Annotated[bool, typer.Option(help="With secrets; a sealed file always has.")] = False,
) -> None:
    """Write a key set in another form, without secrets unless told.

    Example: headwater token keys --keys keys.json --to cose --private > keys.cose
    """
    try:
        known = key_set(keys)
        if to == "sealed":
            data = keyfiles.seal(known, bytes.fromhex(os.environ.get(SECRET, "")))
        elif to == "cose":
            data = keyfiles.cose_key_set(known, private=private)
        else:
            data = json.dumps(keyfiles.jwks(known, private=private), indent=1).encode() + b"\n"
    except cat.CatError as error:
        _fail(error)
    except ValueError:
        _fail(f"{SECRET} is not hex")
    sys.stdout.buffer.write(data)


@token_app.command()
def issue(
    keys: OptionalKeys = None,
    kid: Annotated[str | None, typer.Option(help="Sign with this key; default the first.")] = None,
    issuer: Annotated[str | None, typer.Option(help="iss.")] = None,
    ttl: Annotated[int, typer.Option(min=1, help="Seconds until exp.")] = 3600,
    path_prefix: Annotated[str | None, typer.Option(help="catu: the path starts so.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="catm, repeatable.")] = None,
    claims: Annotated[
        str, typer.Option(help='More claims as JSON by name or label; bytes as {"hex": ".."}.')
    ] = "{}",
    now: Annotated[float | None, typer.Option(help="Epoch seconds; default the clock.")] = None,
    profile: ProfileName = "cta",
    catnip_form: Annotated[Form, typer.Option(help="Prefixes; full for node-cat.")] = "trimmed",
    cti: Annotated[CtiForm, typer.Option(help="text: hex, in cloudfront-docs.")] = "bstr",
    transit: Annotated[
        str | None,
        typer.Option(help=f"Key of Vault's transit engine; --keys is for when {ADDRESS} is away."),
    ] = None,
    alg: Annotated[SealName, typer.Option(help="Algorithm of that key.")] = "ES256",
) -> None:
    """Issue a token and print its base64url text.

    Example: headwater token issue --keys keys.json --issuer me --path-prefix /live/ --method GET
    """
    at = int(time.time() if now is None else now)
    wanted: dict[str | int, Any] = {"iat": at, "nbf": at, "exp": at + ttl}
    if issuer is not None:
        wanted["iss"] = issuer
    if path_prefix is not None:
        wanted["catu"] = {"path": {"prefix": path_prefix}}
    if method:
        wanted["catm"] = method
    try:
        more = plain.from_plain(json.loads(claims))
        wanted.update(more)
    except (ValueError, TypeError):
        raise typer.BadParameter("--claims is a JSON object of claims") from None
    if keys is None and transit is None:
        raise typer.BadParameter("--keys or --transit says what to sign with")
    try:
        payload = payload_of(wanted, profile=profile, catnip_form=catnip_form, cti=cti)
        if transit is None:
            text = seal(payload, key_set(keys or "").signer(kid))
        else:
            spare = None if keys is None else key_set(keys).signer()
            structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
            named = (alg, transit, kid or transit)
            text = sealed_by_transit(payload, named, spare, os.environ)
    except cat.CatError as error:
        _fail(error)
    _warn(cose.parse(token_bytes(text)).claims)
    typer.echo(text)


@token_app.command()
def verify(
    token: Annotated[str, typer.Argument(help="base64url, base64 or hex; - reads one a line.")],
    keys: Keys,
    uri: Annotated[str, typer.Option(help="The viewer's URL.")],
    method: Annotated[str, typer.Option(help="Request method.")] = "GET",
    ip: Annotated[str | None, typer.Option(help="Client address.")] = None,
    asn: Annotated[int | None, typer.Option(help="Client's autonomous system.")] = None,
    country: Annotated[str | None, typer.Option(help="CC or CC-SUB.")] = None,
    lat: Annotated[float | None, typer.Option(min=-90, max=90, help="Degrees north.")] = None,
    lon: Annotated[float | None, typer.Option(min=-180, max=180, help="Degrees east.")] = None,
    alt: Annotated[float | None, typer.Option(help="Metres above the ellipsoid.")] = None,
    alpn: Annotated[str | None, typer.Option(help="Negotiated protocol, e.g. h2.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="'Name: value', repeatable.")] = None,
    issuer: Annotated[list[str] | None, typer.Option(help="Issuer of ours, repeatable.")] = None,
    audience: Annotated[list[str] | None, typer.Option(help="Name of ours, repeatable.")] = None,
    now: Annotated[float | None, typer.Option(help="Epoch seconds; default the clock.")] = None,
    profile: ProfileName = "cta",
) -> None:
    """Judge a token; exit 0 accepted, 1 refused, 3 when the keys cannot be read.

    Example: headwater token verify 2D3R... --keys keys.json --uri https://cdn.example/live/a.m3u8
    """
    try:
        known = key_set(keys)
    except cat.CatError as error:
        _fail(error)
    context = cat.Context(
        uri=uri,
        now=time.time() if now is None else now,
        method=method,
        ip=ip,
        asn=asn,
        country=country,
        lat=lat,
        lon=lon,
        alpn=alpn,
        headers=_headers(header or []),
        alt=alt,
    )
    options = cat.Options(profile=profile, issuers=issuer or (), audiences=audience or ())
    mint = cat.Mint(known, issuer[0] if issuer else None)
    refused = False
    for text in sys.stdin if token == "-" else [token]:
        if not text.strip():
            continue
        verdict = cat.verify(normal_text(text), context, known, options, mint=mint)
        refused = refused or not verdict.accept
        typer.echo(json.dumps(_as_json(verdict, profile)))
    raise typer.Exit(NO if refused else OK)


@token_app.command()
def inspect(
    token: Annotated[str, typer.Argument(help="base64url, base64 or hex.")],
    keys: Annotated[Path | None, typer.Option(help="Judge it with these keys, as verify.")] = None,
    uri: Annotated[str, typer.Option(help="The viewer's URL.")] = "https://localhost/",
    method: Annotated[str, typer.Option(help="Request method.")] = "GET",
    ip: Annotated[str | None, typer.Option(help="Client address.")] = None,
    now: Annotated[float | None, typer.Option(help="Epoch seconds; default the clock.")] = None,
    profile: ProfileName = "cta",
) -> None:
    """Print what a token says, in words; with keys also the verdict and why.

    Example: headwater token inspect 2D3RhEOhAQWhBE... --keys keys.json --uri https://cdn.example/a
    """
    if keys is not None:
        try:
            known = key_set(keys)
        except cat.CatError as error:
            _fail(error)
        at = time.time() if now is None else now
        context = cat.Context(uri=uri, now=at, method=method, ip=ip)
        options = cat.Options(profile=profile)
        verdict = cat.verify(normal_text(token), context, known, options, mint=cat.Mint(known))
        for line in words.explain(verdict):
            typer.echo(line)
    try:
        envelope = cose.parse(token_bytes(normal_text(token)))
    except cat.Refused as refused:
        typer.echo(f"{refused.reason}: {REASONS[refused.reason].meaning}")
        raise typer.Exit(NO) from None
    names = [name for name, known in BY_NAME.items() if known.number == envelope.alg]
    alg = names[0] if names else "not ours"
    kid = "none" if envelope.kid is None else envelope.kid.decode("utf-8", "backslashreplace")
    checked = "" if keys is not None else ", unchecked"
    if envelope.tag == cose.ENCRYPT0:
        typer.echo(f"encrypted, key id {kid}, {len(envelope.payload)} bytes")
        return
    typer.echo(f"algorithm {alg}, key id {kid}, {len(envelope.payload)} bytes of claims{checked}")
    for name, value in plain.to_plain(envelope.claims, PROFILES[profile]).items():
        typer.echo(f"{name}: {json.dumps(value, ensure_ascii=False)}")
    _warn(envelope.claims)


def _warn(claims: Mapping[Value, Value]) -> None:
    """CAT-85, on stderr."""
    for finding in privacy.findings(claims):
        typer.echo(
            f"warning: {finding.claim} {finding.why} in a token that is not encrypted", err=True
        )


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name:
            raise typer.BadParameter(f"--header takes 'Name: value', not {line!r}")
        headers[name] = ", ".join(filter(None, (headers.get(name), value.strip())))
    return headers


def _as_json(verdict: cat.Verdict, profile: str) -> dict[str, object]:
    """The object of CONTRACT, `headwater token verify` (CAT-102)."""
    respond = None
    if not verdict.accept:
        answer = cat.refusal(verdict)
        body = json.loads(answer.body)
        respond = {"status": answer.status, "headers": dict(answer.headers), "body": body}
    return {
        "accept": verdict.accept,
        "reason": verdict.reason,
        "claim": verdict.claim,
        "claims": plain.to_plain(verdict.claims, PROFILES[profile]),
        "renew": None if verdict.renew is None else verdict.renew.plain(),
        "respond": respond,
    }
