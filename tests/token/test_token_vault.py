"""Vault's KV v2 and transit engines, by a local server that speaks their API."""

import asyncio
import base64
import json
import time

import aiohttp
import pytest
import structlog
from aiohttp import web
from typer.testing import CliRunner

import cat
from cat.algorithms import BY_NAME
from cat.issue import payload_of
from cat.text import to_text
from headwater.token_cli import token_app
from headwater.vault import EMERGENCY_S, Issuing, TransitSigner, Vault, VaultError

TOKEN = "hvs.test"
MEMBERS = [cat.generate(alg, alg.lower()) for alg in BY_NAME]
KEYS = cat.KeySet.from_json(MEMBERS)


class Server:
    """KV v2 and transit as their documentation describes them."""

    def __init__(self):
        self.kv = {"keys": MEMBERS}
        self.broken = None
        self.app = web.Application()
        self.app.router.add_get("/v1/secret/data/{path:.+}", self.read)
        self.app.router.add_post("/v1/transit/{act}/{key}/{hash}", self.sign)

    def refused(self, request):
        if self.broken is not None:
            return self.broken()
        if request.headers.get("X-Vault-Token") != TOKEN:
            return web.json_response({"errors": ["permission denied"]}, status=403)
        return None

    async def read(self, request):
        if request.match_info["path"] != "headwater/keys":
            return web.json_response({"errors": []}, status=404)
        found = {"data": {"data": self.kv, "metadata": {"version": 1}}}
        return self.refused(request) or web.json_response(found)

    async def sign(self, request):
        body, alg = await request.json(), request.match_info["key"]
        assert request.match_info["hash"] == "sha2-256"
        assert (request.match_info["act"] == "hmac") is (alg == "HS256")
        assert body.get("marshaling_algorithm") == ("jws" if alg == "ES256" else None)
        assert body.get("signature_algorithm") == ("pss" if alg == "PS256" else None)
        key = KEYS.signer(alg.lower())
        made = key.algorithm.seal(key.secret, base64.b64decode(body["input"]))
        text = to_text(made) if alg == "ES256" else base64.b64encode(made).decode()
        name = "hmac" if alg == "HS256" else "signature"
        return self.refused(request) or web.json_response({"data": {name: f"vault:v1:{text}"}})


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A Vault that lives is waited for, however slow the machine."""
    monkeypatch.setattr("headwater.vault.TIMEOUT_S", 60.0)


@pytest.fixture
async def server(aiohttp_server):
    made = Server()
    made.url = str((await aiohttp_server(made.app)).make_url("/"))
    return made


@pytest.fixture
async def vault(server):
    async with aiohttp.ClientSession() as client:
        yield Vault(client, server.url, TOKEN)


async def test_a_key_set_of_kv(server, vault):
    assert [key.kid for key in await vault.key_set("headwater/keys")] == ["hs256", "es256", "ps256"]
    server.kv = {"keys": json.dumps(MEMBERS)}
    assert len(await vault.key_set("headwater/keys")) == 3
    for wrong in ({}, {"keys": "["}, {"keys": 7}, {"keys": "7"}):
        server.kv = wrong
        with pytest.raises(VaultError):
            await vault.key_set("headwater/keys")
    with pytest.raises(VaultError, match="404"):
        await vault.key_set("elsewhere")


@pytest.mark.parametrize("alg", list(BY_NAME))
async def test_transit_signs(server, vault, alg):
    signer = TransitSigner(vault, alg, alg, alg.lower())
    token = await signer.seal(payload_of({"exp": 2000, "catm": ["GET"]}))
    verdict = cat.verify(token, cat.Context("https://h/", 1000), KEYS)
    assert verdict.accept and verdict.kid == alg.lower()


async def test_vault_that_refuses(server, vault):
    async with aiohttp.ClientSession() as client:
        with pytest.raises(VaultError, match="403"):
            await Vault(client, server.url, "wrong").key_set("headwater/keys")
        with pytest.raises(VaultError, match="reached"):
            await Vault(client, "http://127.0.0.1:9", TOKEN).key_set("headwater/keys")
    for broken in (
        lambda: web.Response(text="<html>"),
        lambda: web.json_response([]),
        lambda: web.json_response({"data": 7}),
        lambda: web.json_response({"data": {"signature": "vault:v1"}}),
        lambda: web.json_response({"data": {"signature": "vault:v1:***"}}),
    ):
        server.broken = broken
        with pytest.raises(VaultError):
            await vault.seal("ES256", "ES256", b"x")
        with pytest.raises(VaultError):
            await vault.key_set("headwater/keys")


async def test_emergency_tokens_live_longer(server, vault):
    """When the signer is away, players go on with tokens of 15 minutes by another key."""
    spare = cat.KeySet.from_json([cat.generate("HS256", "spare")]).signer()
    issuing = Issuing(TransitSigner(vault, "ES256", "ES256", "es256"), spare)
    now = int(time.time())
    payload = payload_of({"exp": now + 30, "catm": ["GET"]})
    known = cat.KeySet([*KEYS, spare])

    def judge(token, at):
        return cat.verify(token, cat.Context("https://h/", at), known)

    assert judge(await issuing.seal(payload), now).kid == "es256"
    server.broken = lambda: web.Response(status=503)
    token = await issuing.seal(payload)
    assert judge(token, now + EMERGENCY_S - 5).kid == "spare"
    assert judge(token, now + EMERGENCY_S - 5).accept
    assert judge(token, now + EMERGENCY_S + 60).reason == "expired"
    far = await issuing.seal(payload_of({"exp": now + 2 * EMERGENCY_S}))
    assert judge(far, now + 2 * EMERGENCY_S - 5).accept


@pytest.fixture
def headwater(server):
    """The command, beside the server's loop, with Vault's address in its environment."""

    async def run(*arguments, **environment):
        env = {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN, **environment}
        done = await asyncio.to_thread(CliRunner().invoke, token_app, arguments, env=env)
        return done.exit_code, done.stdout, done.stderr

    before = structlog.get_config()
    yield run
    structlog.configure(**before)


async def test_the_command_line_uses_vault(server, headwater, tmp_path):
    """Keys of KV, a seal of transit, and the emergency key when Vault is away."""
    asked = ("--uri", "https://h/live/a", "--keys", "vault:secret/headwater/keys")
    code, token, err = await headwater("issue", "--transit", "ES256", "--kid", "es256")
    assert code == 0, err
    code, said, _ = await headwater("verify", token.strip(), *asked)
    assert code == 0 and json.loads(said)["reason"] == "ok"
    spare = tmp_path / "spare.json"
    spare.write_text(json.dumps([cat.generate("HS256", "spare")]))
    away = {"VAULT_ADDR": "http://127.0.0.1:9"}
    issue = ("issue", "--transit", "ES256", "--ttl", "30")
    code, out, err = await headwater(*issue, "--keys", str(spare), **away)
    token = out.strip()
    verdict = cat.verify(
        token, cat.Context("https://h/", time.time() + 800), cat.KeySet.from_json(spare)
    )
    assert code == 0 and verdict.accept and verdict.kid == "spare"
    assert "emergency_token" in err
    for wrong in (issue, ("issue", "--keys", "vault:secret/headwater/keys")):
        code, out, err = await headwater(*wrong, **away)
        assert code == 3 and "reached" in err and not out
    code, _, err = await headwater("issue", "--keys", "vault:secret/x", VAULT_TOKEN="")
    assert code == 3 and "VAULT_TOKEN" in err
    assert (await headwater("issue"))[0] == 2
