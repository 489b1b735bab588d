"""Content tokens for operators: issue, introspect, and the public keys (cat sections 11 and 13).

What is issued is told to the audit log without the token: who asked, which key, which id, which
claims by name, until when.
"""

from typing import Annotated, Any

from msgspec import Meta, field

import cat
from cat import keyfiles, plain
from cat.tables import PROFILES
from control_api import types
from control_api.calls import Call
from control_api.outbox import emit
from control_api.problems import Problem
from control_api.times import utc
from runtime import logs

ISSUE = "tokens:issue"
INTROSPECT = "tokens:introspect"
MAX_LIFE_S = 86_400
CTA = PROFILES["cta"]

audit = logs.get("audit")


class IssueRequest(types.Request):
    """`claims` go by name; bytes are {"hex": ".."}, tags {"tag": 52, "value": ..}."""

    ttl_s: Annotated[int, Meta(ge=1, le=MAX_LIFE_S)]
    claims: dict[str, Any] = field(default_factory=dict)
    kid: types.Line | None = None


class IssueAnswer(types.Answer):
    """`expires_at` is exp, in epoch seconds."""

    token: str
    kid: str
    cti: str
    expires_at: int


class IntrospectRequest(types.Request):
    """A token and the request it would be presented with."""

    token: str
    uri: str = "https://localhost/"
    method: str = "GET"
    ip: str | None = None
    asn: int | None = None
    country: str | None = None
    alpn: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class IntrospectAnswer(types.Answer):
    """`active` as in RFC 7662 section 2.2; the rest is the verdict (CAT-102)."""

    active: bool
    reason: str
    claim: str | None
    kid: str | None
    claims: dict[str, Any]


async def issue(call: Call[IssueRequest]) -> IssueAnswer:
    """Issue a content token."""
    signer, now_s = call.services.token_signer, call.now_ms // 1_000
    if signer is None:
        raise Problem("token_unavailable")
    try:
        wanted = plain.from_plain(call.body.claims)
        key = signer.keys.signer(call.body.kid)
        claims = {
            **wanted,
            "iss": signer.issuer,
            "iat": now_s,
            "exp": now_s + call.body.ttl_s,
        }
        token = cat.issue(claims, key)
    except (cat.CatError, ValueError, TypeError, AttributeError) as error:
        detail = str(error) if isinstance(error, cat.CatError) else "claims are malformed"
        raise Problem("invalid", detail) from None
    said = _read(token, signer.keys, now_s)
    cti = said[7].hex()
    told = {"cti": cti, "expires_at": utc(1_000 * claims["exp"])}
    async with call.services.database.write() as connection:
        await emit(connection, "token.issued", told, call.now_ms)
    audit.info(
        "token_issued",
        caller=call.caller.account_id,
        kid=key.kid,
        cti=cti,
        exp=claims["exp"],
        claims=sorted(plain.to_plain(said, CTA)),
    )
    return IssueAnswer(token, key.kid, cti, claims["exp"])


async def introspect(call: Call[IntrospectRequest]) -> IntrospectAnswer:
    """Judge a content token as an edge would."""
    signer, body = call.services.token_signer, call.body
    if signer is None:
        raise Problem("token_unavailable")
    context = cat.Context(
        body.uri,
        call.now_ms / 1_000,
        body.method,
        ip=body.ip,
        asn=body.asn,
        country=body.country,
        alpn=body.alpn,
        headers={name.lower(): value for name, value in body.headers.items()},
    )
    options = cat.Options(issuers=(signer.issuer,), require=("exp",))
    verdict = cat.verify(body.token, context, signer.keys, options)
    claims = plain.to_plain(verdict.claims, CTA)
    return IntrospectAnswer(verdict.accept, verdict.reason, verdict.claim, verdict.kid, claims)


async def key_set(call: Call[None]) -> types.KeySet:
    """Public keys of the built-in issuer and of content tokens."""
    signer = call.services.token_signer
    ours = [] if signer is None else keyfiles.jwks(signer.keys)["keys"]
    return types.KeySet([*call.services.issuer.public_keys(), *ours])


def _read(token: str, keys: cat.KeySet, now_s: int) -> Any:
    """The claims of a token we just made."""
    return cat.verify(token, cat.Context("https://localhost/", now_s), keys).claims
