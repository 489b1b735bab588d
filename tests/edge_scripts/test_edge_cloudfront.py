"""The CloudFront functions as they are uploaded, under njs: size, language, duties."""

import json
import shutil
from pathlib import Path

import pytest

import cat
from cat.text import to_text
from headwater.edge import BuildError, build, lint
from headwater.edge.stand_ins import run

SOURCES = Path(__file__).parents[2] / "edge_scripts"
KEY = {"kid": "demo", "alg": "HS256", "k": to_text(bytes(range(32)))}
NOW = 1_700_000_000
SIGNER = cat.KeySet.from_json([KEY]).signer()
CLAIMS = {"exp": NOW + 600, "iss": "me", "catu": {"path": {"prefix": "/live/"}}}
SETTINGS = {"issuers": ["me"], "name": "hw"}
LIMIT_BYTES = 10_240

needs_njs = pytest.mark.skipif(shutil.which("njs") is None, reason="njs is not installed")


def read(path):
    return (SOURCES / path).read_text()


def bundle(script="viewer-request", claims=None, **settings):
    found = build("cloudfront", read, {**SETTINGS, **settings}, claims)
    return next(one for one in found if one.name == script)


def token(**more):
    return cat.issue({**CLAIMS, **more}, SIGNER)


def case(stores=None, broken=False, response=None, **request):
    asked = {
        "method": "GET", "scheme": "https", "host": "cdn.example", "path": "/live/one/a.m3u8",
        "query": "", "headers": {}, "ip": "192.0.2.1", "now": NOW, **request,
    }  # fmt: skip
    held = {"keys": json.dumps([KEY]), **(stores or {})}
    return {"request": asked, "stores": held, "broken": broken, "response": response}


def answers(*cases, script="viewer-request", claims=None, **settings):
    return run("cloudfront", bundle(script, claims, **settings), cases, SOURCES)


def test_functions_fit():
    """E-1: the exact bytes of the upload, comments and all."""
    for script in ("viewer-request", "viewer-response"):
        manifest = bundle(script).manifest
        assert manifest["bytes"] == len(bundle(script).code) <= LIMIT_BYTES
        assert manifest["left_bytes"] == LIMIT_BYTES - len(bundle(script).code)


def test_two_builds_are_equal():
    """E-58."""
    assert bundle().manifest == bundle().manifest


def test_too_much_is_refused_with_its_size():
    with pytest.raises(BuildError, match="over the limit"):
        bundle(redirects=True)


def test_unknown_settings_are_refused():
    with pytest.raises(BuildError, match="no setting"):
        bundle(colour="red")


@pytest.mark.parametrize(
    "code",
    [
        "a ?? b;", "a?.b;", "f(...a);", "class A {}", "eval('1');", "Promise.all([]);",
        "new Map();", "Math.random();", "console.log(a, b);", "let f = async (a) => a;",
        "let [a] = b;", "let {a} = b;", "x.then(y);", "let r = /(?<=a)b/;",
    ],
)  # fmt: skip
def test_lint_knows_what_the_runtime_lacks(code):
    """E-3, E-4."""
    with pytest.raises(BuildError, match="outside the language"):
        lint.check(code)


@needs_njs
def test_verdicts_and_what_goes_on():
    """E-42, E-43: token and CMCD leave path, query, cookie and header in every mode."""
    good = token()
    ways = [
        case(query=f"b=2&CAT={good}&a=1&CMCD=bl%3D1"),
        case(path=f"/cat:{good}/live/one/a.m3u8", query="b=2&a=1"),
        case(headers={"cta-common-access-token": good, "cmcd-session": "x"}, query="b=2&a=1"),
        case(headers={"cookie": f"CTA-Common-Access-Token={good}; k=v"}, query="b=2&a=1"),
    ]
    for mode in ("enforce", "log", "off"):
        for out in answers(*ways, mode=mode):
            assert out["path"] == "/live/one/a.m3u8"
            assert out["query"] == "b=2&a=1"
            assert good not in json.dumps(out)
            assert not {"cta-common-access-token", "cmcd-session"} & out["headers"].keys()


@needs_njs
def test_refusals():
    """E-51, CAT-110."""
    good = token()
    tries = {
        ("missing", None): case(),
        ("expired", "exp"): case(query=f"CAT={good}", now=NOW + 600),
        ("uri", "catu"): case(query=f"CAT={good}", path="/vod/x"),
        ("signature", None): case(query=f"CAT={good[:-6]}AAAAAA"),
        ("issuer", "iss"): case(query=f"CAT={token(iss='you')}"),
        ("method", "catm"): case(query=f"CAT={token(catm=['HEAD'])}"),
        ("claim_unsupported", "catnip"): case(query=f"CAT={token(catnip=[7])}"),
        ("geo", "catgeoiso3166"): case(query=f"CAT={token(catgeoiso3166=['SE'])}", country="NO-03"),
        ("uri", None): case(query=f"CAT={good}", path="/live/%2Fx"),
        ("revoked", "cti"): case(query=f"CAT={token(cti=b'abc')}", stores={"revoked:616263": "1"}),
        ("revoked", "kid"): case(query=f"CAT={good}", stores={"revoked-kid:demo": "1"}),
        ("store", None): case(query=f"CAT={good}", broken=True),
    }
    for (reason, claim), out in zip(tries, answers(*tries.values()), strict=True):
        assert out["status"] == cat.tables.REASONS[reason].status, reason
        assert json.loads(out["body"]) == {"error": "cat", "reason": reason, "claim": claim}
        assert out["headers"]["cache-control"] == "no-store"
        assert out["headers"]["cat-reason"] == reason


@needs_njs
def test_any_candidate_will_do():
    """CAT-91: an old query token does not mask a fresh cookie."""
    old, fresh = token(exp=NOW - 1), token()
    cookie = {"cookie": f"cta-common-access-token={fresh}"}
    out = answers(case(query=f"CAT={old}", headers=cookie), case(query=f"CAT={old}"))
    assert [one.get("status") for one in out] == [None, 401]


@needs_njs
def test_preflight_and_cors():
    """E-47."""
    out, echoed = answers(
        case(method="OPTIONS"),
        case(headers={"origin": "https://a.example"}),
        cookie_origins=["https://a.example"],
    )
    assert out["status"] == 204
    assert "DPoP" in out["headers"]["access-control-allow-headers"]
    assert out["headers"]["access-control-allow-origin"] == "*"
    assert echoed["headers"]["access-control-allow-origin"] == "https://a.example"
    assert echoed["headers"]["vary"] == "Origin"


@needs_njs
def test_modes_come_from_the_store_and_from_the_path():
    """E-41: the store's word, else the path's policy, else the bundle's."""
    policies = [{"prefix": "/live/free/", "mode": "off"}, {"prefix": "/live/", "mode": "log"}]
    out = answers(
        case(), case(path="/live/free/x"), case(path="/vod/x"),
        case(stores={"mode": "enforce"}), case(path="/vod/x", stores={"mode": "off"}),
        case(path="/vod/x", stores={"mode": "nonsense"}),
        policies=policies,
    )  # fmt: skip
    assert [one.get("status") for one in out] == [None, None, 401, 401, None, 401]


@needs_njs
@pytest.mark.parametrize("mode", ["off", "log", "enforce"])
def test_blackouts_hold_in_every_mode(mode):
    """E-49: in, out, unknown region, over, replaced."""
    held = {"blackout:one": json.dumps({"regions": ["SE"], "from": NOW - 10, "to": NOW + 10})}
    moved = {"blackout:one": json.dumps({"replacement": "/live/slate/a.m3u8"})}
    query = f"CAT={token()}"
    out = answers(
        case(held, query=query, country="SE-AB"), case(held, query=query, country="NO"),
        case(held, query=query), case(held, query=query, country="SE", now=NOW + 10),
        case(moved, query=query), mode=mode,
    )  # fmt: skip
    assert [one.get("status") for one in out] == [451, None, 451, None, None]
    assert out[-1]["path"] == "/live/slate/a.m3u8"


@needs_njs
def test_failover_group():
    """E-54: never on 403 or 451."""
    (out,) = answers(case(query=f"CAT={token()}"), origins=["a", "b"])
    assert out["origins"] == {"ids": ["a", "b"], "statuses": [500, 502, 503, 504]}


@needs_njs
def test_legacy_clients_pass_while_their_entry_lives():
    """E-48; the claims that a legacy deployment needs leave room for its list."""
    legacy = [{"name": "tv", "pattern": "OldTV/[0-9]+", "until": NOW + 10}]
    agent = {"user-agent": "OldTV/7"}
    out = answers(
        case(headers=agent), case(headers=agent, now=NOW + 10),
        case(headers={"user-agent": "x OldTV/7"}), case(path="/vod/x", headers=agent),
        legacy=legacy, policies=[{"prefix": "/live/", "mode": "enforce", "legacy": True}],
        claims=["catv", "nbf", "exp", "iss", "catu", "iat", "cti"],
    )  # fmt: skip
    assert [one.get("status") for one in out] == [None, 401, 401, 401]


RENEWAL = {323: {0: 3, 1: 600, 2: 60}}


@needs_njs
def test_renewal_by_redirect():
    """CAT-54, CAT-55, E-46: the same URL, a token that lives on, the same cti."""
    old = cat.issue({**CLAIMS, **RENEWAL, "exp": NOW + 30}, SIGNER)
    (out, early, header) = answers(
        case(query=f"a=1&CAT={old}&b=2"),
        case(query=f"CAT={old}", now=NOW - 31),
        case(headers={"cta-common-access-token": old}),
        redirects=True, blackout_segment=0,
        claims=["catv", "nbf", "exp", "iss", "catu", "iat", "cti", "catr"],
    )  # fmt: skip
    assert "status" not in early and "status" not in header
    assert out["status"] == 302 and out["headers"]["cache-control"] == "no-store"
    new = out["headers"]["location"].split("CAT=")[1].split("&")[0]
    assert out["headers"]["location"] == f"/live/one/a.m3u8?a=1&CAT={new}&b=2"
    _check_renewed(old, new)


def _check_renewed(old, new):
    keys = cat.KeySet.from_json([KEY])
    context = cat.Context(uri="https://cdn.example/live/one/a.m3u8", now=NOW)
    before, after = (cat.verify(one, context, keys) for one in (old, new))
    assert after.accept, after
    changed = {4: NOW + 600, 6: NOW}
    assert {**before.claims, **changed} == dict(after.claims)


@needs_njs
@pytest.mark.parametrize("way", [1, 2])
def test_renewal_in_the_viewer_response(way):
    """CAT-54: by cookie or by header, behind the cache; CMSD and the CDN's name beside it."""
    old = cat.issue({**CLAIMS, "exp": NOW + 30, 323: {0: way, 1: 600}}, SIGNER)
    reply = {"statusCode": 200, "headers": {"cmsd-dynamic": {"value": '"o";rd=1'}}, "cookies": {}}
    renewed, plain = answers(
        case(query=f"CAT={old}", response=reply),
        case(response=reply),
        script="viewer-response",
    )
    name = "cta-common-access-token"
    assert renewed["headers"]["x-cdn"] == "hw"
    assert renewed["headers"]["cmsd-dynamic"] == '"o";rd=1, "hw"'
    new = renewed["cookies" if way == 1 else "headers"][name]
    _check_renewed(old, new)
    assert name not in plain["headers"] and not plain["cookies"]
