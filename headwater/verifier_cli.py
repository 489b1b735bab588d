"""`headwater verifier`: anyone's nginx or Envoy enforces tokens today (headwater.verifier)."""

import time
from pathlib import Path
from typing import Annotated

import typer

FAILURE = 3  # CONTRACT: exit codes


def verifier(
    keys: Annotated[
        Path, typer.Option(help="File: JWK members, JWKS, COSE_KeySet or sealed; or env:NAME.")
    ],
    host: Annotated[str, typer.Option(help="Where the server in front reaches us.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8005,
    issuer: Annotated[list[str] | None, typer.Option(help="Issuer of ours, repeatable.")] = None,
    audience: Annotated[list[str] | None, typer.Option(help="Name of ours, repeatable.")] = None,
    redis: Annotated[str | None, typer.Option(help="Store for uses and revocations.")] = None,
    revoked_within: Annotated[
        float, typer.Option(min=0, help="Seconds until a revocation in the store takes effect.")
    ] = 1.0,
    header_name: Annotated[list[str] | None, typer.Option(help="Header with tokens too.")] = None,
    query_name: Annotated[list[str] | None, typer.Option(help="Parameter with tokens too.")] = None,
    cookie_name: Annotated[list[str] | None, typer.Option(help="Cookie with tokens too.")] = None,
    admin_port: Annotated[int, typer.Option(help="Health and metrics; default port + 100.")] = 0,
) -> None:
    """Answer nginx auth_request at /auth and Envoy ext_authz at /ext_authz.

    Example: headwater verifier --keys keys.json --issuer me --redis redis://127.0.0.1/0
    """
    import cat
    from headwater.verifier import Judge, Keyring, Verifying, accepted
    from native.personal import Porter
    from runtime import logs, service
    from runtime.service import Background, Part
    from runtime.store import RedisStore, StoreError

    logs.setup("verifier", "info")
    carriers = (header_name or (), query_name or (), cookie_name or ())
    try:
        names = cat.Names(*(tuple(map(str.lower, given)) for given in carriers))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    options = cat.Options(
        issuers=tuple(issuer or ()),
        audiences=tuple(audience or ()),
        require=("exp",),
        settled=redis is not None,
        names=names,
    )
    parts: list[Part] = []
    store = None if redis is None else RedisStore(redis)
    if store is not None:
        parts.append(store)

    porter = Porter(accepted, time.time)

    def judge(known: cat.KeySet) -> Judge:
        mint = cat.Mint(known, issuer[0] if issuer else None)
        standing = cat.Verifier(known, options, mint=mint)
        if store is None:
            porter.use(standing)
            return standing.verify_any
        cleared = cat.Cleared(revoked_within)
        porter.use(cat.Verifier(known, options, mint=mint, revoked=cleared))
        return cat.Guard(standing, store, away=StoreError, cleared=cleared).verify_any

    try:
        ring = Keyring(keys, judge)
    except cat.CatError as error:
        typer.echo(f"headwater verifier: {error}", err=True)
        raise typer.Exit(FAILURE) from None
    parts += [
        Verifying(ring, time.time, host=host, port=port, porter=porter, names=names),
        Background("keys", ring.watch),
    ]
    admin = (host, admin_port or (port + 100 if port else 0))
    raise typer.Exit(service.run("verifier", parts, admin=admin))
