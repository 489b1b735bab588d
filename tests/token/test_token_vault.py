"""Vault's KV v2 and transit engines, by a local server that speaks their API."""

import base64
import json
import time

import aiohttp
import pytest
from aiohttp import web

import cat
from cat.algorithms import BY_NAME
from cat.text import to_text
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
    token = await signer.issue({"exp": 2000, "catm": ["GET"]})
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
    claims = {"exp": now + 30, "catm": ["GET"]}
    known = cat.KeySet([*KEYS, spare])

    def judge(token, at):
        return cat.verify(token, cat.Context("https://h/", at), known)

    assert judge(await issuing.issue(claims), now).kid == "es256"
    server.broken = lambda: web.Response(status=503)
    token = await issuing.issue(claims)
    assert judge(token, now + EMERGENCY_S - 5).kid == "spare"
    assert judge(token, now + EMERGENCY_S - 5).accept
    assert judge(token, now + EMERGENCY_S + 60).reason == "expired"
    with pytest.raises(cat.IssueError):
        await issuing.issue({"exp": now, "catm": []})
