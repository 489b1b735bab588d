"""Sign-ins that last, and tokens of other issuers (CTL-160, CTL-161)."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from control_rigs.recorder import Recorder
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import func, select, update

from control_api import credentials, seed
from control_api.identity.schema import refresh_token
from control_api.identity.settings import Identity, TrustedIssuer
from control_api.identity.trust import Trust
from control_api.issuer import BadToken, Passwords
from control_api.schema import account
from runtime.fetch import Fetcher
from runtime.service import Web

NOW_S = 1_774_656_000
ISSUER = "https://id.example"


@pytest.fixture
async def signed(kept: Any, make_api: Any) -> Any:
    await Recorder(kept).begin()
    await seed.plant(kept, Passwords(), "headwater-demo")
    return await make_api(kept)


async def call(api: Any, path: str, body: Any) -> tuple[int, Any]:
    async with api.client.post(f"{api.url}/v1/auth/{path}", json=body) as answer:
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw else None


async def sign_in(api: Any) -> Any:
    body = {"grant_type": "password", "username": seed.USERNAME, "password": "headwater-demo"}
    status, answer = await call(api, "token", body)
    assert status == 200
    return answer


async def test_a_refresh_token_is_good_once_and_gives_the_next(signed: Any) -> None:
    first = await sign_in(signed)
    status, second = await call(signed, "refresh", {"refresh_token": first["refresh_token"]})
    assert status == 200 and second["refresh_token"] != first["refresh_token"]
    assert second["refresh_expires_in"] == 30 * 86_400
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    async with signed.client.get(f"{signed.url}/v1/quota", headers=headers) as answer:
        assert answer.status == 200
    async with signed.database.read() as connection:
        rows = (await connection.execute(select(refresh_token))).all()
    assert len(rows) == 2 and second["refresh_token"] not in str(rows), "kept as a hash"


async def test_reuse_ends_the_whole_sign_in_and_no_other(signed: Any) -> None:
    """CTL-161: whoever stole it and whoever owns it are both out."""
    first, other = await sign_in(signed), await sign_in(signed)
    _, second = await call(signed, "refresh", {"refresh_token": first["refresh_token"]})
    status, problem = await call(signed, "refresh", {"refresh_token": first["refresh_token"]})
    assert (status, problem["code"]) == (401, "refresh_reused")
    for token in (first, second):
        status, problem = await call(signed, "refresh", {"refresh_token": token["refresh_token"]})
        assert (status, problem["code"]) == (401, "bad_credentials")
    assert (await call(signed, "refresh", {"refresh_token": other["refresh_token"]}))[0] == 200


async def test_revoked_expired_and_deleted_are_refused_alike(signed: Any) -> None:
    first, second = await sign_in(signed), await sign_in(signed)
    for _ in range(2):
        assert (await call(signed, "revoke", {"refresh_token": first["refresh_token"]}))[0] == 204
    refused = [(await call(signed, "refresh", {"refresh_token": first["refresh_token"]}))]
    async with signed.database.write() as connection:
        await connection.execute(update(refresh_token).values(expires_ms=1))
    refused.append(await call(signed, "refresh", {"refresh_token": second["refresh_token"]}))
    third = await sign_in(signed)
    async with signed.database.read() as connection:
        count = select(func.count()).select_from(refresh_token)
        assert (await connection.execute(count)).scalar_one() == 1, "old ones are swept"
    async with signed.database.write() as connection:
        await connection.execute(update(account).values(status="deleted"))
    refused.append(await call(signed, "refresh", {"refresh_token": third["refresh_token"]}))
    expected = (401, credentials.refused().code)
    assert [(status, problem["code"]) for status, problem in refused] == [expected] * 3


class Provider:
    """An OpenID provider with one key of each kind; `served` is its JWK Set."""

    def __init__(self) -> None:
        self.rsa = RSAKey.generate_key(2048, {"kid": "r1"})
        self.ec = ECKey.generate_key("P-256", {"kid": "e1"})
        self.served = [self.rsa.as_dict(private=False), self.ec.as_dict(private=False)]
        self.reads = 0
        self.status = 200

    async def answer(self, _: web.Request) -> web.Response:
        self.reads += 1
        return web.json_response({"keys": self.served}, status=self.status)


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": ISSUER,
        "aud": "headwater",
        "sub": "acc_demo",
        "scope": "playback recording admin",
        "exp": NOW_S + 60,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


@pytest.fixture
async def trusting() -> AsyncIterator[tuple[Provider, Trust, list[float]]]:
    provider, now = Provider(), [float(NOW_S)]
    app = web.Application()
    app.router.add_get("/jwks", provider.answer)
    part = Web("provider", app, host="127.0.0.1", port=0)
    await part.start()
    url = f"{part.url}/jwks"
    settings = Identity(issuers=[TrustedIssuer(issuer=ISSUER, jwks_url=url)])
    async with Fetcher([url]) as fetcher:
        yield provider, Trust(settings, fetcher, lambda: now[0]), now
    await part.stop()


async def test_tokens_of_a_trusted_issuer(trusting: Any) -> None:
    """CTL-160: RS256 and ES256, scopes no wider than the setting's."""
    provider, trust, _ = trusting
    await trust.read()
    for algorithm, key in (("RS256", provider.rsa), ("ES256", provider.ec)):
        header = {"alg": algorithm, "kid": key.kid}
        token = jwt.encode(header, claims(), key, algorithms=[algorithm])
        assert trust.names(token)
        caller = trust.verify(token, NOW_S, 30)
        assert (caller.account_id, caller.scopes) == ("acc_demo", {"playback", "recording"})
    assert not trust.names("hello") and not trust.names("a.b.c")
    own = jwt.encode({"alg": "ES256"}, claims(iss="http://localhost:8000"), provider.ec)
    assert not trust.names(own), "our own issuer's stay our own issuer's"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


async def test_forged_tokens_of_a_trusted_issuer_are_refused(trusting: Any) -> None:
    """CTL-160: each known way."""
    provider, trust, _ = trusting
    await trust.read()
    key, stranger = provider.ec, ECKey.generate_key("P-256", {"kid": "e1"})

    def token(signer: Any = key, header: Any = None, **changed: Any) -> str:
        named = {"alg": "ES256", "kid": "e1"} | (header or {})
        return jwt.encode(named, claims(**changed), signer)

    pem = provider.rsa.as_pem(private=False)
    confused = f"{part({'alg': 'HS256', 'kid': 'r1'})}.{part(claims())}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, confused.encode(), "sha256"))
    attacks = {
        "none": f"{part({'alg': 'none', 'kid': 'e1'})}.{part(claims())}.",
        "public key as a secret": f"{confused}.{mac.rstrip(b'=').decode()}",
        "stranger's key under a known name": token(stranger),
        "stranger's key in the header": token(stranger, {"jwk": stranger.as_dict(private=False)}),
        "kid traversal": token(header={"kid": "../../../dev/null"}),
        "other algorithm of the key": jwt.encode(
            {"alg": "RS512", "kid": "r1"}, claims(), provider.rsa, algorithms=["RS512"]
        ),
        "expired": token(exp=NOW_S - 31),
        "no end": token(exp=None),
        "not yet": token(nbf=NOW_S + 31),
        "wrong audience": token(aud="somebody"),
        "no subject": token(sub=None),
        "subject of another type": token(sub=7),
        "end of another type": token(exp=NOW_S + 60.5),
        "no scope": token(scope=None),
    }
    for name, forged in attacks.items():
        with pytest.raises(BadToken):
            trust.verify(forged, NOW_S, 30)
            raise AssertionError(name)


async def test_keys_rotate_and_outlive_an_outage(trusting: Any) -> None:
    """CTL-160: an unknown key is refused until it was read; the last keys serve a day."""
    provider, trust, now = trusting
    await trust.read()
    new = ECKey.generate_key("P-256", {"kid": "e2"})
    token = jwt.encode({"alg": "ES256", "kid": "e2"}, claims(), new)
    with pytest.raises(BadToken, match="unknown key"):
        trust.verify(token, NOW_S, 30)
    provider.served = [new.as_dict(private=False)]
    await trust.read()
    assert trust.verify(token, NOW_S, 30).account_id == "acc_demo"
    provider.status = 500
    for served in ([], ["x"], [new.as_dict(private=True)]):
        provider.status, provider.served = 200, served
        await trust.read()
        assert trust.verify(token, NOW_S, 30).account_id == "acc_demo", "the last good ones stay"
    now[0] += 86_401
    with pytest.raises(BadToken, match="no keys"):
        trust.verify(token, NOW_S, 30)


def test_keys_come_over_https() -> None:
    with pytest.raises(ValueError, match="https"):
        TrustedIssuer(issuer=ISSUER, jwks_url="http://id.example/jwks")
