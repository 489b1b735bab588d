"""Claims one by one: order, forms, composition, contested labels, transport, refusal, issuing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cat
from cat import cbor, cose
from cat.cbor import Tag
from cat.errors import IssueError, KeyFileError
from cat.judges import JUDGES
from cat.shapes import SHAPES
from cat.tables import CLAIMS, LABELS, PROFILES, REASONS
from cat.text import from_text, to_text

MEMBERS = {"kid": "k", "alg": "HS256", "k": to_text(bytes(range(32)))}
KEYS = cat.KeySet.from_json([MEMBERS])
KEY = KEYS.signer()


def seal(claims):
    """A token around any claims, well-formed or not."""
    protected, payload = cbor.encode({1: 5}), cbor.encode(claims)
    mac = KEY.algorithm.seal(KEY.secret, cose.sealed_structure(17, protected, payload))
    return to_text(cose.build(17, protected, b"k", payload, mac))


def judge(claims, *, options=None, **context):
    context = {"uri": "https://cdn.example/live/a.m3u8", "now": 1000, **context}
    options = cat.Options(**(options or {}))
    verdict = cat.verify(seal(claims), cat.Context(**context), KEYS, options)
    return verdict.reason, verdict.claim


OK = ("ok", None)
SE = {"country": "SE"}
CASES = [  # claims, options, context, answer
    ({}, {}, {}, OK),
    ({}, {"require": ["exp"]}, {}, ("missing", "exp")),
    ({4: 1000}, {}, {}, ("expired", "exp")),
    ({4: 1000.5}, {}, {}, OK),
    ({4: 1000.5}, {}, {"now": 1001}, ("expired", "exp")),
    ({4: 900}, {"skew_s": 101}, {}, OK),
    ({5: 1001}, {}, {}, ("not_before", "nbf")),
    ({5: 1001}, {"skew_s": 1}, {}, OK),
    ({4: Tag(1, 2000)}, {}, {}, ("claim_malformed", "exp")),
    ({4: "2000"}, {}, {}, ("claim_malformed", "exp")),
    ({4: True}, {}, {}, ("claim_malformed", "exp")),
    ({4: 2**53 + 1}, {}, {}, ("claim_malformed", "exp")),
    ({6: 10**9}, {}, {}, OK),  # iat never refuses
    ({310: 2}, {}, {}, ("version", "catv")),
    ({310: 2, 4: 1}, {}, {}, ("version", "catv")),
    ({5: 2000, 4: 1}, {}, {}, ("not_before", "nbf")),
    ({1: "x"}, {"issuers": ["me"]}, {}, ("issuer", "iss")),
    ({}, {"issuers": ["me"]}, {}, ("issuer", "iss")),
    ({1: "x"}, {}, {}, OK),
    ({3: "a"}, {}, {}, ("audience", "aud")),
    ({2: "bob"}, {"subject": "alice"}, {}, ("subject", "sub")),
    ({313: ("GET",)}, {}, {"method": "HEAD"}, ("method", "catm")),
    ({313: ("get",)}, {}, {}, ("method", "catm")),
    ({313: ()}, {}, {}, ("claim_malformed", "catm")),
    ({313: ("GET",) * 51}, {}, {}, ("claim_malformed", "catm")),
    ({312: {}}, {}, {}, ("claim_malformed", "catu")),
    ({312: {3: {}}}, {}, {}, ("claim_malformed", "catu")),
    ({312: {3: {1: ""}}}, {}, {}, ("claim_malformed", "catu")),
    ({312: {3: {9: "x"}}}, {}, {}, ("claim_malformed", "catu")),
    ({312: {9: {0: "x"}}}, {}, {}, ("claim_malformed", "catu")),
    ({312: {3: {4: ("(?i)x",)}}}, {}, {}, ("claim_malformed", "catu")),
    ({312: {3: {4: ("(live)", "live")}}}, {}, {}, ("ok", None)),
    ({312: {3: {4: ("(vod)", "vod")}}}, {}, {}, ("uri", "catu")),
    ({312: {3: {1: "/live/", 2: ".ts"}}}, {}, {}, ("uri", "catu")),  # ANDed
    ({312: {1: {0: "CDN.Example"}}}, {}, {}, OK),
    ({312: {5: {0: "/"}}}, {}, {"uri": "https://h/f.ts"}, OK),
    ({312: {3: {1: "/live/"}}}, {}, {"uri": "https://h/live/%2e%2e/x"}, ("uri", "catu")),
    ({314: (b"h2",)}, {}, {}, ("claim_unsupported", "catalpn")),
    ({314: (b"h2",)}, {}, {"uri": "http://h/"}, ("alpn", "catalpn")),
    ({315: {"X-A": {0: "1"}}}, {}, {"headers": {"x-a": " 1 "}}, OK),
    ({315: {"X-A": {0: "1"}}}, {}, {}, ("header", "cath")),
    ({315: {}}, {}, {}, ("claim_malformed", "cath")),
    ({311: ()}, {}, {}, ("claim_malformed", "catnip")),
    ({311: (7,)}, {}, {}, ("network", "catnip")),
    ({311: (Tag(52, bytes(4)),)}, {}, {}, ("claim_unsupported", "catnip")),
    ({311: (Tag(52, bytes(4)), 7)}, {}, {"asn": 7}, OK),
    ({282: "u6sc3"}, {}, {"lat": 59.3, "lon": 18.0}, OK),
    ({282: ("9q", "u6xxx")}, {}, {"lat": 59.3, "lon": 18.0}, ("geo", "geohash")),
    ({282: "u6"}, {}, {}, ("claim_unsupported", "geohash")),
    ({316: ("se",)}, {}, SE, OK),
    ({316: ("SE-AB",)}, {}, SE, ("geo", "catgeoiso3166")),
    ({317: ((59.0, 18.0, 40_000),)}, {}, {"lat": 59.3, "lon": 18.0}, OK),
    ({317: (59.0, 18.0, 30_000)}, {}, {"lat": 59.3, "lon": 18.0}, ("geo", "catgeocoord")),
    ({317: Tag(279, 0)}, {}, {"lat": 59.3, "lon": 18.0}, ("claim_unsupported", "catgeocoord")),
    ({318: (1, 2)}, {}, {}, ("claim_unsupported", "catgeoalt")),
    ({319: b"x"}, {}, {}, ("claim_unsupported", "cattpk")),
    ({319: b"x"}, {}, {"client_spki": b"y"}, ("tls", "cattpk")),
    ({8: {323: bytes(32)}}, {}, {}, ("dpop", "cnf")),
    ({8: {323: bytes(32)}}, {}, {"headers": {"dpop": "x"}}, ("dpop", "cnf")),
    ({8: {3: b"x"}}, {}, {}, ("claim_unsupported", "cnf")),
    ({8: {323: b"x"}}, {}, {}, ("claim_malformed", "cnf")),
    ({321: {0: 60}}, {}, {}, ("claim_malformed", "catdpop")),
    ({309: (0, 1)}, {}, {}, OK),
    ({309: (1, b"id")}, {}, {}, ("por", "catpor")),
    ({309: (0.5, 1)}, {}, {}, ("claim_unsupported", "catpor")),
    ({309: ("0.5", 1)}, {}, {}, ("claim_malformed", "catpor")),
    ({309: (50, 1)}, {}, {}, ("claim_malformed", "catpor")),
    ({308: 0}, {}, {}, OK),
    ({308: 1}, {}, {}, ("claim_unsupported", "catreplay")),
    ({308: 3}, {}, {}, ("claim_malformed", "catreplay")),
    ({7: "id"}, {}, {}, ("claim_malformed", "cti")),
    ({323: {0: 2, 1: 60}}, {}, {}, OK),
    ({323: {0: 1, 1: 60, 5: "a\r\nb"}}, {}, {}, ("claim_malformed", "catr")),
    ({322: {4: (302, {}, "k")}}, {}, {}, OK),
    ({322: {4: (302, {}, "k")}, 4: 1}, {}, {}, ("expired", "exp")),
    ({41: ({},)}, {}, {}, ("claim_contested", "41")),
    ({404: 1, 41: 1}, {}, {}, ("claim_contested", "41")),
    ({41: 1}, {"contested": "ignore"}, {}, OK),
    ({999: {}, "text": 1}, {}, {}, OK),
]


@pytest.mark.parametrize(("claims", "options", "context", "answer"), CASES)
def test_claims(claims, options, context, answer):
    assert judge(claims, options=options, **context) == answer


TRUE, FALSE, UNKNOWN = {4: 2000}, {4: 1}, {319: b"x"}
COMPOSED = [
    ({41: (FALSE, TRUE)}, OK),
    ({41: (FALSE, FALSE)}, ("composite", "or")),
    ({41: (UNKNOWN, TRUE)}, OK),
    ({41: (UNKNOWN, FALSE)}, ("claim_unsupported", "or")),
    ({43: (TRUE, TRUE)}, OK),
    ({43: (TRUE, FALSE)}, ("composite", "and")),
    ({43: (UNKNOWN, FALSE)}, ("composite", "and")),
    ({43: (UNKNOWN, TRUE)}, ("claim_unsupported", "and")),
    ({42: (FALSE, FALSE)}, OK),
    ({42: (FALSE, TRUE)}, ("composite", "nor")),
    ({42: (UNKNOWN, TRUE)}, ("composite", "nor")),
    ({42: (UNKNOWN, FALSE)}, ("claim_unsupported", "nor")),
    ({42: ({1: "x"},)}, ("composite", "nor")),  # CAT-66
    ({41: ()}, ("claim_malformed", "or")),
    ({41: ({},)}, ("claim_malformed", "or")),
    ({41: (TRUE, {4: "x"})}, ("claim_malformed", "or")),
    ({41: (TRUE, {308: 0})}, ("claim_malformed", "or")),
    ({41: (TRUE, {324: 1})}, ("claim_contested", "324")),
    ({43: ({41: (FALSE, {324: 1})},)}, ("claim_contested", "324")),
    ({41: (TRUE,) * 33}, ("claim_malformed", "or")),
    ({45: (4,), 4: 2000}, OK),
    ({45: (4,)}, ("crit", "crit")),
    ({45: (999,), 999: 1}, ("crit", "crit")),
    ({45: ()}, ("claim_malformed", "crit")),
    ({45: (4,), 4: 1}, ("expired", "exp")),
    ({44: b"x"}, ("claim_unsupported", "enc")),
]


@pytest.mark.parametrize(("claims", "answer"), COMPOSED)
def test_composition(claims, answer):
    """CAT-64..CAT-66, in Akamai's labels."""
    assert judge(claims, options={"profile": "akamai"}) == answer


@pytest.mark.parametrize(("depth", "answer"), [(4, "ok"), (7, "ok"), (9, "malformed")])
def test_depth_of_composition(depth, answer):
    """CAT-67; CBOR's own depth ends beyond 7."""
    claims = TRUE
    for _ in range(depth):
        claims = {43: (claims,)}
    assert judge(claims, options={"profile": "akamai"})[0] == answer


def test_text_labels_of_the_cloudfront_profile():
    """CAT-62."""
    options = {"profile": "cloudfront-docs"}
    assert judge({"4": 1}, options=options) == ("expired", "exp")
    assert judge({"4": 2000, 4: 2000}, options=options) == ("malformed", None)
    assert judge({"4": 1}) == OK  # elsewhere a text label is foreign


def test_the_table_is_sound():
    """CAT-32: one row a label, every name resolves, every refusal has a status."""
    assert len(LABELS) == len(CLAIMS) == len({claim.label for claim in CLAIMS})
    for profile in PROFILES.values():
        for claim in profile.claims.values():
            assert claim.shape in SHAPES
            assert claim.judge is None or (claim.judge in JUDGES and claim.reason in REASONS)
        steps = [claim.step for claim in profile.claims.values()]
        assert steps == sorted(steps)


def test_the_candidate_that_got_furthest_answers():
    """CAT-91."""
    expired, good = seal({4: 1}), seal({4: 2000})
    context = cat.Context(uri="https://h/", now=1000)
    assert cat.verify_any([expired, good], context, KEYS).accept
    assert cat.verify_any(["x", expired, "y"], context, KEYS).reason == "expired"
    assert cat.verify_any([], context, KEYS).reason == "missing"


def test_every_place_a_token_travels():
    """CAT-90, CAT-92, CAT-94."""
    found = cat.candidates(
        "/cat:PATH/live/a.ts",
        "a=1&CAT=QUERY&b=2&cat=OTHER&Cat=QUERY",
        {
            "cta-common-access-token": "HEAD1;x=1, HEAD2",
            "cookie": "s=1; CTA-Common-Access-Token=COOKIE; t=2",
            "range": "bytes=0-",
        },
    )
    assert found.tokens == ("HEAD1", "HEAD2", "QUERY", "OTHER", "PATH", "COOKIE")
    assert (found.path, found.query) == ("/live/a.ts", "a=1&b=2")
    assert found.headers == {"cookie": "s=1; t=2", "range": "bytes=0-"}
    assert "PATH" not in repr(found)


PATH_FORMS = [
    ("/cat:T/a", ("T",), "/a"),
    ("/cat%3AT/a", ("T",), "/a"),
    ("/cat:T", ("T",), "/"),
    ("/catalog/a", (), "/catalog/a"),
    ("/live/cat:T/a", (), "/live/cat:T/a"),
    (f"/{seal({4: 2000})}/a", (seal({4: 2000}),), "/a"),
    (f"/{'a' * 60}/a", (), f"/{'a' * 60}/a"),
]


@pytest.mark.parametrize(("path", "tokens", "rest"), PATH_FORMS)
def test_path_forms(path, tokens, rest):
    """CAT-93."""
    found = cat.candidates(path, "", {})
    assert (found.tokens, found.path) == (tokens, rest)


@given(st.text(st.sampled_from("ab&=;CAT"), max_size=30))
def test_queries_without_a_token_are_untouched(query):
    found = cat.candidates("/a", query, {})
    if not any(pair.partition("=")[0].lower() == "cat" for pair in query.split("&")):
        assert found.query == query


def test_the_token_is_no_part_of_the_judged_uri():
    """CAT-42."""
    exact = {312: {3: {0: "/live/a.m3u8"}, 4: {0: "q=1"}}}
    text = seal(exact)
    for uri in (f"https://h/live/a.m3u8?CAT={text}&q=1", f"https://h/cat:{text}/live/a.m3u8?q=1"):
        assert judge(exact, uri=uri) == OK


@pytest.mark.parametrize("code", REASONS)
def test_refusals(code):
    """CAT-110."""
    answer = cat.refusal(cat.Verdict(False, code, "exp"))
    headers = dict(answer.headers)
    assert answer.status == REASONS[code].status
    assert headers["Cache-Control"] == "no-store"
    assert headers["CAT-Reason"] == code
    assert ("WWW-Authenticate" in headers) == (answer.status == 401)
    assert ("Retry-After" in headers) == (answer.status == 503)
    assert json.loads(answer.body) == {"error": "cat", "reason": code, "claim": "exp"}


def test_issued_tokens():
    """CAT-121."""
    text = cat.issue({"exp": 2000}, KEY, entropy=bytes)
    data = from_text(text)
    envelope = cose.parse(data)
    assert text.startswith("2D3R")
    assert envelope.claims == {4: 2000, 7: bytes(16), 310: 1}
    assert envelope.protected == bytes.fromhex("a10105") and envelope.kid == b"k"
    assert cat.issue({"exp": 2000}, KEY) != cat.issue({"exp": 2000}, KEY)


@pytest.mark.parametrize("alg", ["HS256", "ES256", "PS256"])
def test_issue_then_verify(alg):
    keys = cat.KeySet.from_json([cat.generate(alg, "k")])
    text = cat.issue({"exp": 2000, "catu": {"path": {"prefix": "/live/"}}}, keys.signer())
    context = cat.Context(uri="https://h/live/x", now=1000)
    assert cat.verify(text, context, keys).accept
    assert cat.verify(text[:-4] + "AAAA", context, keys).reason in ("signature", "malformed")
    other = cat.KeySet.from_json([cat.generate(alg, "k")])
    assert cat.verify(text, context, other).reason == "signature"


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": "soon"},
        {"exp": 1, "nonsense": 1},
        {"exp": 1, "catm": []},
        {"exp": 1, "catu": {"path": {"prefix": ""}}},
        {"exp": 1, "catu": {"road": {"prefix": "x"}}},
        {"exp": 1, 999: object()},
        {"exp": 1, 999: "x" * 3000},
        {"exp": float("nan")},
    ],
)
def test_what_is_not_issued(claims):
    with pytest.raises(IssueError):
        cat.issue(claims, KEY)


def test_who_may_not_issue():
    short = cat.KeySet.from_json([{**MEMBERS, "k": "dGVzdEtleQ"}])
    with pytest.raises(IssueError):
        cat.issue({"exp": 1}, short.signer())
    public = {name: v for name, v in cat.generate("ES256", "k").items() if name != "d"}
    with pytest.raises(KeyFileError):
        cat.KeySet.from_json([public]).signer()


@pytest.mark.parametrize(
    "members",
    [
        "keys",
        [1],
        [{}],
        [{**MEMBERS, "alg": "none"}],
        [{**MEMBERS, "alg": "HS512"}],
        [{**MEMBERS, "k": ""}],
        [{**MEMBERS, "k": "not base64!"}],
        [{**MEMBERS, "x": "AA"}],
        [{**MEMBERS, "exp": "soon"}],
        [{"kid": "k", "alg": "ES256", "x": "AA", "y": "AA"}],
        [{"kid": "k", "alg": "PS256", "n": to_text(b"\xff" * 128), "e": "AQAB"}],
    ],
)
def test_bad_key_files(members, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(members))
    with pytest.raises(KeyFileError) as caught:
        cat.KeySet.from_json(path)
    assert MEMBERS["k"] not in str(caught.value)


def test_secrets_are_not_printed():
    for alg in ("HS256", "ES256", "PS256"):
        members = cat.generate(alg, "k")
        text = repr(list(cat.KeySet.from_json([members])))
        assert not any(str(v) in text for n, v in members.items() if n not in ("kid", "alg"))
