"""The verifier endpoint behind a real nginx, and in Envoy's shape."""

import json
import socket
import time
from contextlib import closing

import aiohttp
import pytest
from twins.ports import free_port
from twins.process import needs, running

import cat
from headwater.verifier import Keyring, Verifying
from runtime.store import MemoryStore, StoreError

MEMBERS = [cat.generate("HS256", "k")]
KEYS = cat.KeySet.from_json(MEMBERS)
CONF = """
daemon off; master_process off; pid {home}/pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {home}/b; proxy_temp_path {home}/p;
  fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  upstream cat {{ server 127.0.0.1:{port}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{front};
    location / {{
      auth_request /_cat;
      auth_request_set $renewed $upstream_http_cta_common_access_token;
      auth_request_set $why $upstream_http_cat_reason;
      add_header CTA-Common-Access-Token $renewed always;
      add_header CAT-Reason $why always;
      root {home}/www;
    }}
    location = /_cat {{
      internal;
      proxy_pass http://cat/auth;
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
      proxy_set_header X-Original-Method $request_method;
      proxy_set_header X-Real-IP $remote_addr;
    }}
  }}
}}
"""


def token(**claims):
    path = {"path": {"prefix": "/live/"}}
    return cat.issue({"exp": int(time.time()) + 3600, "catu": path} | claims, KEYS.signer())


async def started(judge):
    part = Verifying(judge, time.time, host="127.0.0.1", port=0)
    await part.start()
    return part


@pytest.fixture
async def desk():
    verifier = cat.Verifier(KEYS, cat.Options(settled=True), mint=cat.Mint(KEYS))
    part = await started(cat.Guard(verifier, MemoryStore(), away=StoreError).verify_any)
    yield part
    await part.stop()


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


def listens(port):
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.twin
async def test_nginx_enforces_tokens(desk, client, tmp_path):
    """auth_request: the viewer's own path, method, address and headers decide."""
    nginx = needs("nginx")
    front = free_port()
    (tmp_path / "www" / "live").mkdir(parents=True)
    (tmp_path / "www" / "live" / "a").write_text("film")
    (tmp_path / "www" / "other").write_text("film")
    (tmp_path / "conf").write_text(CONF.format(home=tmp_path, port=desk.port, front=front))
    log = tmp_path / "log"
    command = [nginx, "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "conf")]
    base = f"http://127.0.0.1:{front}"

    async def ask(path, **headers):
        async with client.get(base + path, headers=headers) as answer:
            return answer.status, answer.headers.get("CAT-Reason"), answer.headers.copy()

    with running(command, lambda: listens(front), log):
        good = token()
        assert (await ask(f"/live/a?CAT={good}"))[:2] == (200, "ok")
        assert (await ask("/live/a", **{"CTA-Common-Access-Token": good}))[0] == 200
        assert (await ask("/live/a", Cookie=f"cta-common-access-token={good}"))[0] == 200
        conditional = {"If-None-Match": "*", "Range": "bytes=0-0"}
        assert (await ask(f"/live/a?CAT={good}", **conditional))[0] in (200, 206, 304)
        assert (await ask("/live/a"))[:2] == (401, "missing")
        assert (await ask(f"/other?CAT={good}"))[:2] == (403, "uri")
        assert (await ask(f"/live/../other?CAT={good}"))[:2] == (403, "uri")
        assert (await ask(f"/live/a?CAT={token(exp=1)}"))[:2] == (401, "expired")
        once = token(catreplay=1)
        assert (await ask(f"/live/a?CAT={once}"))[:2] == (200, "ok")
        assert (await ask(f"/live/a?CAT={once}"))[:2] == (401, "replay")
        near = token(exp=int(time.time()) + 30, catr={0: 2, 1: 600})
        _, _, fields = await ask("/live/a", **{"CTA-Common-Access-Token": near})
        renewed = fields["cta-common-access-token"]
        assert (await ask("/live/a", **{"CTA-Common-Access-Token": renewed}))[0] == 200
        elsewhere = token(catif={312: [307, {"Location": "https://l.example/"}, b"k"]})
        assert (await ask(f"/other?CAT={elsewhere}"))[:2] == (403, "uri")


async def test_envoy_s_shape(desk, client):
    """ext_authz: the whole answer goes to the viewer."""

    async def ask(path, **headers):
        url = f"http://127.0.0.1:{desk.port}/ext_authz{path}"
        headers = {"Host": "cdn.example", "X-Forwarded-Proto": "https"} | headers
        async with client.get(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers

    host = token(catu={"host": {"exact": "cdn.example"}, "scheme": {"exact": "https"}})
    assert (await ask(f"/a?CAT={host}"))[0] == 200
    assert (await ask(f"/a?CAT={host}", Host="other.example"))[0] == 403
    status, headers = await ask("/live/a")
    assert status == 401 and headers["CAT-Reason"] == "missing"
    login = token(catif={312: [307, {"Location": "https://l.example/"}, b"k"]})
    status, headers = await ask(f"/other?CAT={login}")
    assert (status, headers["Location"]) == (307, "https://l.example/")
    near = token(exp=int(time.time()) + 30, catr={0: 3, 1: 600})
    status, headers = await ask(f"/live/a?CAT={near}&x=1")
    assert status == 302 and headers["Location"].startswith("https://cdn.example/live/a?CAT=")
    assert headers["Location"].endswith("&x=1")
    cookie = token(exp=int(time.time()) + 30, catr={0: 1, 1: 600})
    status, headers = await ask(f"/live/a?CAT={cookie}")
    assert status == 200 and headers["Set-Cookie"].startswith("cta-common-access-token=")
    net = token(catnip=[64500, cat.cbor.Tag(52, (24, b"\xc0\0\2"))])
    assert (await ask(f"/live/a?CAT={net}", **{"X-Real-IP": "192.0.2.9"}))[0] == 200
    assert (await ask(f"/live/a?CAT={net}", **{"X-Real-IP": "192.0.3.9"}))[0] == 403
    assert (await ask(f"/live/a?CAT={net}", **{"X-Client-ASN": "64500"}))[0] == 200
    assert (await ask(f"/live/a?CAT={net}", **{"X-Client-ASN": "x" * 99}))[0] == 403


async def test_what_is_no_question(desk, client):
    base = f"http://127.0.0.1:{desk.port}"
    for path, headers, status in (
        ("/", {}, 404),
        ("/auth", {}, 400),
        ("/auth", {"X-Original-URL": "nonsense"}, 401),
        ("/auth", {"X-Original-URL": "http://h/?CAT=" + "A" * 5000}, 401),
        ("/auth", {"X-Original-URL": "http://h/" + "A" * 9000}, 400),
    ):
        async with client.get(base + path, headers=headers, max_field_size=65536) as answer:
            assert answer.status in (status, 431), (path, headers)


def test_keys_are_read_anew(tmp_path):
    """A new key is known and an old one forgotten as soon as the file is looked at."""
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(MEMBERS))
    ring = Keyring(path, lambda known: cat.Verifier(known).verify_any)
    text, asked = token(), cat.Context("https://h/live/", time.time())
    assert ring([text], asked).accept
    path.write_text("[")
    ring.look()
    assert ring([text], asked).accept
    path.write_text(json.dumps([cat.generate("HS256", "new")]))
    ring.look()
    assert ring([text], asked).reason == "key"
    with pytest.raises(cat.KeyFileError):
        Keyring(tmp_path / "none", lambda known: cat.Verifier(known).verify_any)


def test_the_command_runs_and_ends(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(MEMBERS))
    import typer
    from typer.testing import CliRunner

    from headwater.verifier_cli import verifier

    app = typer.Typer()
    app.command()(verifier)
    said = CliRunner().invoke(app, ["--keys", str(tmp_path / "none")])
    assert said.exit_code == 3 and said.stderr.count("\n") == 1
    assert "Example:" in CliRunner().invoke(app, ["--help"]).stdout
