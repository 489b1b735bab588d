"""Lambda@Edge with viewer events: what the CloudFront function cannot verify (E-26, E-40..E-56)."""

import json
import shutil
from pathlib import Path

import pytest

import cat
from headwater.edge import build
from headwater.edge.deploy import edge_keys
from headwater.edge.stand_ins import run

SOURCES = Path(__file__).parents[2] / "edge_scripts"
NOW = 1_700_000_000
KEYS = [cat.generate(alg, alg) for alg in ("HS256", "ES256", "PS256")]
SIGNERS = cat.KeySet.from_json(KEYS)
NAME = "cta-common-access-token"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def token(kid, **more):
    claims = {"exp": NOW + 600, "iss": "me", "catu": {"path": {"prefix": "/live/"}}, **more}
    return cat.issue(claims, SIGNERS.signer(kid))


def case(response=None, broken=False, stores=None, **request):
    asked = {
        "method": "GET", "scheme": "https", "host": "cdn.example", "path": "/live/one/a.m3u8",
        "query": "", "headers": {}, "ip": "192.0.2.1", "now": NOW, **request,
    }  # fmt: skip
    held = {"keys": json.dumps(edge_keys(KEYS)), **(stores or {})}
    return {"request": asked, "stores": held, "broken": broken, "response": response}


def answers(*cases, **settings):
    policy = {"name": "hw", "issuers": ["me"], **settings}
    (bundle,) = build("lambda", lambda path: (SOURCES / path).read_text(), policy)
    return run("lambda", bundle, cases, SOURCES)


def test_every_algorithm_is_verified_and_no_forgery_passes():
    """CAT-20..CAT-26: both signatures and the MAC; a bit of each turned."""
    good = {kid: token(kid) for kid in ("HS256", "ES256", "PS256")}
    forged = [text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:] for text in good.values()]
    out = answers(*(case(query=f"a=1&CAT={text}") for text in [*good.values(), *forged]))
    assert [one.get("status") for one in out] == 3 * [None] + 3 * [401]
    assert {one["headers"]["cat-reason"] for one in out[3:]} == {"signature"}
    assert [one["query"] for one in out[:3]] == 3 * ["a=1"]


def test_tokens_and_cmcd_leave_the_request_in_every_mode():
    """E-42, E-43, E-52."""
    text = token("ES256")
    ways = [
        case(path=f"/cat:{text}/live/one/a.m3u8"),
        case(headers={NAME: text, "cmcd-session": "sid"}),
        case(headers={"cookie": f"{NAME}={text}; k=v"}, query="CMCD=bl%3D1"),
    ]
    for mode in ("enforce", "log", "off"):
        for out in answers(*ways, mode=mode):
            assert text not in json.dumps({**out, "response": None})
            assert (out["path"], out["query"]) == ("/live/one/a.m3u8", "")
            assert "cmcd-session" not in out["headers"]
        assert out["headers"]["cookie"] == "k=v"


def test_refusals_and_preflight():
    """E-47, E-49..E-51, E-56: the stores travel in the zip; broken ones close."""
    text = token("ES256", cti=b"abc")
    query = f"CAT={text}"
    dark = {"blackout:one": json.dumps({"from": NOW - 1})}
    tries = [
        (case(), 401, "missing"),
        (case(query=query, stores={"revoked:616263": "1"}), 403, "revoked"),
        (case(query=query, stores=dark), 451, "blackout"),
        (case(query=query, broken=True), 503, "store"),
        (case(query=query, path="/vod/x"), 403, "uri"),
    ]
    for (_, status, reason), out in zip(tries, answers(*(one for one, *_ in tries)), strict=True):
        assert (out["status"], out["headers"]["cat-reason"]) == (status, reason)
        assert out["headers"]["cache-control"] == "no-store"
    (preflight,) = answers(case(method="OPTIONS"))
    assert preflight["status"] == 204
    assert preflight["headers"]["access-control-max-age"] == "86400"


@pytest.mark.parametrize("way", [1, 2, 3])
def test_renewal(way):
    """CAT-52..CAT-54, E-46; no edge holds a private key, so that ES256 tokens stay as they are."""
    short = {"exp": NOW + 30, "catr": {0: way, 1: 600}}
    reply = {"headers": {"cmsd-dynamic": '"o";rd=1'}}
    own, signed = answers(
        *(case(reply, query=f"CAT={token(kid, **short)}") for kid in ("HS256", "ES256"))
    )
    if way == 3:
        assert own["status"] == 302
        new = own["headers"]["location"].partition("CAT=")[2]
    else:
        assert own["response"]["cmsd-dynamic"] == '"o";rd=1, "hw"'
        field = own["response"]["set-cookie" if way == 1 else NAME]
        new = field.removeprefix(f"{NAME}=").partition(";")[0]
    context = cat.Context(uri="https://cdn.example/live/one/a.m3u8", now=NOW + 500)
    assert cat.verify(new, context, SIGNERS, cat.Options(issuers=("me",))).accept
    assert not {"set-cookie", NAME} & signed["response"].keys()
