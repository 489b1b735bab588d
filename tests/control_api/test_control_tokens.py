"""Content tokens over the API: issue, introspect, public keys, audit."""

import json
from typing import Any

from sqlalchemy import select

import cat
from control_api.outbox.tables import outbox

BOTH = frozenset({"tokens:issue", "tokens:introspect"})


async def call(api: Any, path: str, body: Any, scopes: frozenset[str] = BOTH) -> tuple[int, Any]:
    headers = api.bearer(scopes=scopes)
    status, answer = await api.send("POST", path, body, headers=headers)
    return status, answer


async def test_issue_and_introspect(api: Any) -> None:
    claims = {
        "catu": {"path": {"prefix": "/live/"}},
        "catm": ["GET"],
        "cti": {"hex": "0001"},
        "iss": "somebody else",
    }
    status, made = await call(api, "/v1/tokens", {"ttl_s": 60, "claims": claims})
    assert status == 201 and made["cti"] == "0001"
    asked = {"token": made["token"], "uri": "https://h/live/a"}
    status, told = await call(api, "/v1/tokens/introspect", asked)
    assert status == 200 and told["active"] and told["reason"] == "ok"
    assert told["claims"]["iss"] == api.settings.content_token_issuer
    assert told["claims"]["exp"] == made["expires_at"] and told["kid"] == made["kid"]
    query = select(outbox.c.payload).where(outbox.c.topic == "token.issued")
    async with api.database.read() as connection:
        [issued] = (await connection.execute(query)).scalars()
    assert '"cti":"0001"' in issued and made["token"] not in issued
    status, told = await call(api, "/v1/tokens/introspect", asked | {"method": "POST"})
    assert (status, told["active"], told["reason"], told["claim"]) == (200, False, "method", "catm")
    status, told = await call(api, "/v1/tokens/introspect", {"token": "x"})
    assert (status, told["active"], told["claims"]) == (200, False, {})


async def test_scopes_decide(api: Any) -> None:
    for path, scope in (("/v1/tokens", "tokens:introspect"), ("/v1/tokens/introspect", "playback")):
        status, problem = await call(api, path, {"token": "x"}, frozenset({scope}))
        assert (status, problem["code"]) == (403, "forbidden_scope")


REFUSED: list[Any] = [
    {},
    {"ttl_s": 0},
    {"ttl_s": 86_401},
    {"ttl_s": 60, "claims": {"nobody": 1}},
    {"ttl_s": 60, "claims": {"catm": []}},
    {"ttl_s": 60, "claims": {"cti": {"hex": "x"}}},
    {"ttl_s": 60, "claims": {"cti": {"hex": 1}}},
    {"ttl_s": 60, "claims": {"catnip": [{"tag": "x", "value": 1}]}},
    {"ttl_s": 60, "claims": {"catu": {"path": {"prefix": "x" * 4000}}}},
    {"ttl_s": 60, "kid": "nobody"},
    {"ttl_s": 60, "more": 1},
]


async def test_what_makes_no_token(api: Any) -> None:
    for body in REFUSED:
        status, problem = await call(api, "/v1/tokens", body)
        assert (status, problem["code"]) == (400, "invalid"), body


async def test_the_audit_log_has_no_token(api: Any, capfd: Any) -> None:
    from runtime import logs

    logs.setup("control", "info")
    _, made = await call(api, "/v1/tokens", {"ttl_s": 60, "claims": {"sub": "viewer-7"}})
    said = "".join(capfd.readouterr())
    [line] = [line for line in said.splitlines() if "token_issued" in line]
    entry = json.loads(line)
    assert entry["cti"] == made["cti"] and entry["kid"] == made["kid"]
    assert "sub" in entry["claims"]
    assert made["token"] not in said and "viewer-7" not in line


async def test_public_keys_of_content_tokens(api: Any) -> None:
    status, answer = await api.send("GET", "/.well-known/jwks.json")
    assert status == 200 and answer["keys"]
    assert not any({"k", "d"} & key.keys() for key in answer["keys"])
    assert all(
        key["kid"] != cat.KeySet.from_json(api.home / "token-keys.json").signer().kid
        for key in answer["keys"]
    )
