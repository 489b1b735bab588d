"""Sign-in and bearer tokens, and what attackers try (CTL-160..162)."""

import base64
import hmac
import json
import re
import stat
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from control_api import keys, seed
from control_api.routes import ROUTES
from control_api.times import now_ms

SIGN_IN = {"grant_type": "password", "username": seed.USERNAME, "password": "headwater-demo"}


async def test_password_gives_a_token_that_works(api: Any) -> None:
    status, answer = await api.send("POST", "/v1/auth/token", SIGN_IN)
    assert status == 200 and answer["token_type"] == "Bearer" and answer["expires_in"] == 900
    status, _ = await api.send(
        "POST",
        "/v1/entitlements/check",
        {"channel_id": "ch_demo", "device": {"id": "x"}},
        headers={"Authorization": f"Bearer {answer['access_token']}"},
    )
    assert status == 200


@pytest.mark.parametrize(
    "wrong", [{"password": "no"}, {"username": "nobody@headwater.example"}], ids=["word", "user"]
)
async def test_wrong_password_and_unknown_user_look_alike(api: Any, wrong: Any) -> None:
    status, problem = await api.send("POST", "/v1/auth/token", SIGN_IN | wrong)
    problem.pop("instance")
    assert status == 401 and problem == {
        "type": "urn:headwater:problem:bad_credentials",
        "title": "Unknown user or wrong password",
        "status": 401,
        "detail": "Unknown user or wrong password",
        "code": "bad_credentials",
    }


async def test_key_set_is_public_parts_only(api: Any) -> None:
    status, answer = await api.send("GET", "/.well-known/jwks.json")
    assert status == 200
    [key] = answer["keys"]
    assert key["crv"] == "P-256" and key["alg"] == "ES256" and "d" not in key
    assert ECKey.import_key(key)


def test_key_files_are_private_and_kept(tmp_path: Any) -> None:
    path = tmp_path / "deep" / "keys.json"
    first = keys.load_or_create(path, keys.content_token_keys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.load_or_create(path, keys.content_token_keys) == first
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]
    path.write_text("{}")
    with pytest.raises(ValueError, match="a JSON list"):
        keys.load_or_create(path, keys.content_token_keys)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def good_claims(api: Any) -> dict[str, Any]:
    now_s = now_ms() // 1_000
    return {
        "iss": api.settings.public_url,
        "aud": api.settings.audience,
        "sub": seed.ACCOUNT,
        "scope": "playback entitlement:check",
        "exp": now_s + 600,
    }


def attacks(api: Any) -> dict[str, str]:
    """One token for each known way to forge or misuse one."""
    now_s = now_ms() // 1_000
    [own] = keys.load_or_create(api.home / "issuer-keys.json", keys.issuer_keys)
    key = ECKey.import_key(own)
    claims = good_claims(api)

    def signed(changed: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        body = {name: value for name, value in (claims | changed).items() if value is not None}
        return jwt.encode(ours | (header or {}), body, key)

    ours = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
    stranger = ECKey.generate_key("P-256")
    pem = key.as_pem(private=False)  # public, so anybody can use it as a MAC secret
    confused = f"{part({'alg': 'HS256', 'kid': key.kid})}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, confused.encode(), "sha256"))
    whole = signed({})
    head, body, tail = whole.split(".")
    return {
        "": whole,
        "none": f"{part({'alg': 'none'})}.{part(claims)}.",
        "none, signature kept": f"{part({'alg': 'none', 'kid': key.kid})}.{body}.{tail}",
        "key confusion": f"{confused}.{mac.rstrip(b'=').decode()}",
        "stranger's key": jwt.encode(ours, claims, stranger),
        "stranger's key in the header": jwt.encode(
            ours | {"jwk": stranger.as_dict(private=False)}, claims, stranger
        ),
        "kid traversal": signed({}, {"kid": "../../../dev/null"}),
        "expired": signed({"exp": now_s - 31}),
        "no end": signed({"exp": None}),
        "not yet": signed({"nbf": now_s + 60}),
        "wrong audience": signed({"aud": "somebody"}),
        "no audience": signed({"aud": None}),
        "wrong issuer": signed({"iss": "http://elsewhere"}),
        "no subject": signed({"sub": None}),
        "subject of another type": signed({"sub": 7}),
        "scope of another type": signed({"scope": ["playback"]}),
        "issued later": signed({"iat": now_s + 60}),
        "end that is no number": signed({"exp": str(now_s + 600)}),
        "another type": signed({}, {"typ": "JWT"}),
        "signature cut": whole[:-2],
        "signature of nothing": f"{head}.{body}.{'A' * 86}",
        "padded": f"{whole}==",
        "fourth part": f"{whole}.{tail}",
        "letters of no alphabet": f"{head}.{body}.{tail[:-4]}+/*é",
        "other payload": f"{head}.{part(claims | {'sub': 'acc_neighbour'})}.{tail}",
        "too long": whole + "A" * 4_096,
        "empty parts": "..",
        "not a token": "hello",
    }


async def test_forged_tokens_are_refused(api: Any) -> None:
    body = {"channel_id": "ch_demo", "device": {"id": "x"}}
    for name, token in attacks(api).items():
        headers = {"Authorization": f"Bearer {token}"}
        status, problem = await api.send("POST", "/v1/entitlements/check", body, headers=headers)
        if not name:
            assert status == 200, "the pattern of them all is good"
            continue
        assert (status, problem["code"]) == (401, "unauthenticated"), name
        assert token[:30] not in json.dumps(problem) or len(token) < 30


async def test_every_scoped_route_refuses_without_it(api: Any) -> None:
    """CTL-162: no token, another scheme, no scope."""
    scoped = [route for route in ROUTES if route.scope]
    assert len(scoped) > 50
    for route in scoped:
        path = re.sub(r"{\w+}", "ses_x", route.path)
        for header, expected in (
            ("", (401, "unauthenticated")),
            ("Basic ZGVtbzpkZW1v", (401, "unauthenticated")),
            (api.bearer(scopes=frozenset({"other"}))["Authorization"], (403, "forbidden_scope")),
        ):
            status, problem = await api.send(
                route.method, path, {} if route.body else None, headers={"Authorization": header}
            )
            assert (status, problem["code"]) == expected


async def test_token_of_a_deleted_account_is_refused(api: Any) -> None:
    status, problem = await api.start(account_id="acc_gone", channel_id="ch_demo")
    assert (status, problem["code"]) == (401, "unauthenticated")
