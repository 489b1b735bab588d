"""The Fastly service as wasm behind real HTTP, with real origins behind it (E-22, E-42..E-57)."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import cat
from cat import cbor
from cat.cose import build as envelope
from cat.cose import sealed_structure
from cat.tables import ALGORITHMS
from cat.text import to_text
from headwater.edge import build
from headwater.edge.compute import Answer, Exchange, compiled
from headwater.edge.compute.exchange import Head
from headwater.edge.compute.stand_in import stores_of
from headwater.edge.stand_ins import node
from origin.delivery.g2o import DATA_HEADER, SIGN_HEADER, Replays, refusal

ROOT = Path(__file__).parents[2]
KEYS = [
    {"kid": "demo", "alg": "HS256", "k": to_text(bytes(range(32)))},
    cat.generate("ES256", "es"),
    cat.generate("PS256", "ps"),
]
SIGNERS = cat.KeySet.from_json(KEYS)
PUBLIC = [
    {name: key[name] for name in ("kid", "alg", "k", "n", "e", "x", "y") if name in key}
    for key in KEYS
]
NAME = "cta-common-access-token"
POLL_S = 0.01


class Listener:
    """An HTTP server of one function: (method, target, headers) -> (status, headers, body)."""

    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                fields = [(name.lower(), value) for name, value in self.headers.items()]
                status, headers, body = answer(self.command, self.path, fields)
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_OPTIONS = do_GET

            def log_message(self, *args):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(POLL_S,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def fetch(port, target, method="GET", headers=()):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=110)
    link.putrequest(method, target, skip_host="host" in dict(headers), skip_accept_encoding=True)
    for name, value in headers:
        link.putheader(name, value)
    link.endheaders()
    reply = link.getresponse()
    fields = [(name.lower(), value) for name, value in reply.getheaders()]
    body = reply.read()
    link.close()
    return reply.status, [one for one in fields if one[0] != "content-length"], body


@pytest.fixture(scope="module")
def service():
    (bundle,) = build("fastly", lambda path: (ROOT / "edge_scripts" / path).read_text())
    return compiled(bundle.code, node(), ROOT, ROOT / "build" / "compute")


class Edge:
    """Two origins, the service, and a listener before it."""

    def __init__(self, service):
        self.asked = []
        self.status = 200
        self.logs = []
        self.items = {"keys": json.dumps(PUBLIC)}
        self.settings = {"name": "hw", "origins": ["a", "b"]}
        self.broken = False
        self.origins = {name: Listener(self._origin(name)) for name in "ab"}
        self.service = service
        self.front = Listener(self._serve)

    def _origin(self, name):
        def answer(method, target, fields):
            self.asked.append((name, method, target, dict(fields)))
            status = self.status if name == "a" else 200
            held = [("cmsd-static", "ot=v"), ("cmsd-dynamic", '"origin";rd=3'), ("etag", '"1"')]
            return status, held, name.encode() * 100_000

        return answer

    def _backend(self, name):
        def send(head, body):
            target = "/" + head.url.split("/", 3)[3]
            try:
                return Answer(*fetch(self.origins[name].port, target, head.method, head.fields))
            except OSError as error:
                raise ConnectionError from error

        return send

    def _serve(self, method, target, fields):
        items = {**self.items, "settings": json.dumps(self.settings)}
        exchange = Exchange(
            Head(fields, method, f"https://cdn.example{target}"),
            time.time(),
            ip="192.0.2.1",
            place={"country_code": "SE"},
            stores=stores_of(items, self.broken),
            backends={name: self._backend(name) for name in "ab"},
        )
        answer = self.service.run(exchange)
        self.logs += exchange.logged
        return answer.status, answer.fields, answer.body

    def get(self, target, method="GET", **headers):
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        status, fields, body = fetch(self.front.port, target, method, named)
        return status, dict(fields), body

    def close(self):
        for listener in (self.front, *self.origins.values()):
            listener.close()


@pytest.fixture
def edge(service):
    made = Edge(service)
    yield made
    made.close()


def token(kid="demo", **claims):
    return cat.issue({"exp": int(time.time()) + 600, **claims}, SIGNERS.signer(kid))


@pytest.mark.parametrize("kid", ["demo", "es", "ps"])
def test_media_comes_through_and_the_token_does_not(edge, kid):
    """E-42, E-43, E-53, E-55: HS256, ES256, and PS256 on BigInt."""
    good = token(kid)
    status, fields, body = edge.get(f"/live/one/a.m4s?x=1&CAT={good}&CMCD=bl%3D9", cmcd_session="s")
    assert (status, body) == (200, b"a" * 100_000)
    ((name, method, target, sent),) = edge.asked
    assert (name, method, target) == ("a", "GET", "/live/one/a.m4s?x=1")
    assert good not in json.dumps(sent) and not any(field.startswith("cmcd") for field in sent)
    assert fields["cmsd-static"] == "ot=v" and fields["x-cdn"] == "hw"
    assert fields["cmsd-dynamic"].startswith('"origin";rd=3, "hw";rd=')
    assert fields["access-control-allow-origin"] == "*" and "X-CDN" in str(fields)
    (line,) = map(json.loads, edge.logs)
    assert (line["reason"], line["origin"], line["kid"]) == ("ok", "a", kid)
    assert good not in edge.logs[0] and len(edge.logs[0]) <= 1024


def test_refusals_reach_no_origin(edge):
    """E-51: told why, never stored; a flipped PS256 seal too."""
    forged = token("ps")
    flipped = forged[:-20] + ("A" if forged[-20] != "A" else "B") + forged[-19:]
    for query, reason in (("", "missing"), (f"CAT={flipped}", "signature"), ("CAT=x", "malformed")):
        status, fields, body = edge.get(f"/live/one/a.m4s?{query}")
        assert (status, fields["cat-reason"]) == (401, reason)
        assert fields["cache-control"] == "no-store" and json.loads(body)["reason"] == reason
    assert edge.get("/x", "OPTIONS", origin="https://a.example")[0] == 204
    assert edge.asked == []


@pytest.mark.parametrize("alg", ["HS256", "ES256", "PS256"])
def test_seals_have_one_length(edge, alg):
    """CAT-25: a byte more behind a good seal, or the last one gone, is no seal."""
    claims, kid = {4: int(time.time()) + 600}, {"HS256": "demo", "ES256": "es", "PS256": "ps"}[alg]
    head, payload = cbor.encode({1: ALGORITHMS[alg]}), cbor.encode(claims)
    tag, key = 17 if alg == "HS256" else 18, SIGNERS.signer(kid)
    seal = key.algorithm.seal(key.secret, sealed_structure(tag, head, payload))
    for form, status in ((seal, 200), (seal + b"\0", 401), (seal[:-1], 401)):
        made = to_text(envelope(tag, head, kid.encode(), payload, form))
        told, fields, _ = edge.get(f"/live/one/a.m4s?CAT={made}")
        assert (told, fields.get("cat-reason")) == (status, None if status == 200 else "signature")


def test_the_second_origin_answers_for_the_first(edge):
    """E-54: on 5xx and on no connection, never on 403; each is told its own secret."""
    edge.items |= {"origin-auth-a": "secret-a", "origin-auth-b": "secret-b"}
    target = f"/live/one/a.m4s?CAT={token()}"
    for status, served in ((503, b"b"), (403, b"a")):
        edge.status = status
        assert edge.get(target, x_origin_auth="forged")[2][:1] == served
    assert [(name, sent["x-origin-auth"]) for name, _, _, sent in edge.asked] == [
        ("a", "secret-a"), ("b", "secret-b"), ("a", "secret-a"),
    ]  # fmt: skip
    edge.origins["a"].close()
    status, fields, body = edge.get(target)
    assert (status, body[:1]) == (200, b"b") and "secret" not in str(fields)
    edge.origins["b"].close()
    status, fields, _ = edge.get(target)
    assert (status, fields["cat-reason"]) == (503, "store")


def test_g2o_is_what_the_origin_verifies(edge):
    """O28..O30: version 5 over the stripped target, by the verifier of our own origin."""
    edge.items["origin-auth-a"] = json.dumps({"nonce": "n1", "key": "swordfish"})
    edge.get(f"/live/one/a.m4s?q=1&CAT={token()}")
    ((_, _, target, sent),) = edge.asked
    keys = {"n1": b"swordfish"}
    told = (sent[DATA_HEADER], sent[SIGN_HEADER])
    checks = {"keys": keys, "versions": {5}, "skew_s": 30, "now_s": time.time()}
    assert refusal(*told, target, **checks, replays=Replays(30)) is None
    assert refusal(*told, target + "x", **checks, replays=Replays(30)) == "g2o_signature"


@pytest.mark.parametrize("way", [0, 1, 2, 3])
def test_renewal(edge, way):
    """CAT-54, CAT-56: by header, cookie or redirect; the new token holds, the answer is private."""
    old = token(exp=int(time.time()) + 30, catr={0: way, 1: 600}, cti=b"id")
    query, headers = (f"?CAT={old}", {}) if way == 3 else ("", {NAME: old})
    status, fields, _ = edge.get(f"/live/one/a.m4s{query}", **headers)
    if way == 3:
        assert status == 302 and edge.asked == []
        new = fields["location"].partition("CAT=")[2]
        assert edge.get(fields["location"])[0] == 200
    elif way == 1:
        new = fields["set-cookie"].removeprefix(f"{NAME}=").partition(";")[0]
        assert edge.get("/live/one/a.m4s", cookie=f"{NAME}={new}")[0] == 200
    else:
        new = fields[NAME]
        assert edge.get("/live/one/a.m4s", **{NAME: new})[0] == 200
    assert new != old and "no-store" in fields["cache-control"]


def test_modes_blackouts_revocation_legacy(edge):
    """E-41, E-48..E-50: from the stores, without a new build."""
    target = f"/live/one/a.m4s?CAT={token(cti=b'abc')}"
    assert edge.get(target)[0] == 200
    edge.items["revoked:616263"] = "1"
    assert edge.get(target)[1]["cat-reason"] == "revoked"
    for mode, status in (("log", 200), ("off", 200), ("enforce", 401)):
        edge.items["mode"] = mode
        assert edge.get("/live/one/a.m4s?CAT=x&q=1")[0] == status
        assert edge.asked[-1][2] in ("/live/one/a.m4s?q=1", "/live/one/a.m4s")
    agent = [{"name": "tv", "pattern": "OldTV/[0-9]+", "until": time.time() + 60}]
    policy = [{"prefix": "/live/", "mode": "enforce", "legacy": True}]
    edge.settings |= {"legacy": agent, "policies": policy}
    assert edge.get("/live/one/a.m4s", user_agent="OldTV/7")[0] == 200
    assert edge.get("/vod/one/a.m4s", user_agent="OldTV/7")[0] == 401
    edge.items |= {"mode": "off", "blackout:one": json.dumps({"regions": ["SE"]})}
    status, fields, _ = edge.get(target)
    assert (status, fields["cache-control"]) == (451, "no-store")
    edge.items["blackout:one"] = json.dumps({"regions": ["NO"]})
    assert edge.get(target)[0] == 200


def test_broken_stores_and_settings_fail_closed(edge):
    """E-56: never open in enforce, never the platform's own error page."""
    edge.broken = True
    status, fields, _ = edge.get(f"/live/one/a.m4s?CAT={token()}")
    assert (status, fields["cat-reason"]) == (503, "store") and edge.asked == []
    edge.broken, edge.settings = False, {"profile": "none"}
    assert edge.get(f"/live/one/a.m4s?CAT={token()}")[0] == 503
    edge.settings = {"policies": 7}
    assert edge.get(f"/live/one/a.m4s?CAT={token()}")[0] == 503
    edge.settings = {"cookie_origins": 7}
    assert edge.get("/live/one/a.m4s")[0] == 503
    assert edge.asked == []
