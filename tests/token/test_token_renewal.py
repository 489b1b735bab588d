"""Renewal by each type of catr (CAT-50..CAT-56), and what catif answers (CAT-60, CAT-61)."""

import pytest

import cat
from cat import cbor, cose
from cat.cbor import encode
from cat.tables import LABELS
from cat.text import from_text, to_text

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k"), cat.generate("ES256", "e")])
MINT = cat.Mint(KEYS, "us")
NOW = 1_000_000
URL = "https://cdn.example/live/a.m3u8"


def seal(claims, kid="k"):
    key, payload = KEYS.signer(kid), encode({LABELS.get(n, n): v for n, v in claims.items()})
    number = key.algorithm.number
    protected = encode({1: number})
    tag = 17 if number == 5 else 18
    made = key.algorithm.seal(key.secret, cose.sealed_structure(tag, protected, payload))
    return to_text(cose.build(tag, protected, key.kid.encode(), payload, made))


def judge(token, uri=URL, now=NOW, mint=MINT, **more):
    """The same by reference and standing verifier, each with a source of cti that does not vary."""
    context = {"uri": uri, "now": now, **more}
    mint = mint and cat.Mint(mint.keys, mint.issuer, mint.kid, lambda size: bytes(size))
    verdict = cat.verify(token, cat.Context(**context), KEYS, mint=mint)
    standing = cat.Verifier(KEYS, mint=mint)
    for _ in range(2):
        again = standing.verify(token, cat.Context(**context))
        assert (again.accept, again.reason) == (verdict.accept, verdict.reason)
        assert (again.renew is None) == (verdict.renew is None)
    return verdict


def claims_of(token):
    return cose.parse(from_text(token)).claims


def token_with(rules, **more):
    return seal({"exp": NOW + 30, "cti": b"\1\2", "catr": rules, **more})


@pytest.mark.parametrize(
    ("now", "rules", "due"),
    [
        (NOW, {0: 2, 1: 600}, True),
        (NOW - 30, {0: 2, 1: 600}, True),  # 60 s before exp, the default
        (NOW - 31, {0: 2, 1: 600}, False),
        (NOW, {0: 2, 1: 600, 2: 30}, True),
        (NOW, {0: 2, 1: 600, 2: 29}, False),
        (NOW, {0: 2, 1: 600, 2: 29.5}, False),
        (NOW + 0.5, {0: 2, 1: 600, 2: 29.5}, True),
    ],
)
def test_when_a_token_is_renewed(now, rules, due):
    """CAT-51, CAT-52"""
    verdict = judge(token_with(rules), now=now)
    assert verdict.accept and (verdict.renew is not None) is due


@pytest.mark.parametrize(("now", "due"), [(2 * 10**9 - 1, False), (2 * 10**9, True)])
def test_an_absolute_deadline(now, due):
    """CAT-51"""
    token = seal({"exp": 2 * 10**9 + 100, "catr": {0: 2, 1: 600, 2: 2 * 10**9}})
    assert (judge(token, now=now).renew is not None) is due


def test_who_is_not_renewed():
    """CAT-52"""
    rules = {0: 2, 1: 600}
    assert judge(token_with(rules), now=NOW + 30).renew is None
    assert judge(token_with(rules, catm=["POST"])).renew is None
    assert judge(seal({"catr": rules})).renew is None
    assert judge(seal({"exp": NOW + 30})).renew is None
    assert judge(token_with(rules), mint=None).renew is None


def test_what_a_renewed_token_says():
    """CAT-53: other claims keep their bytes, an integral float among them."""
    old = encode({4: NOW + 30, 323: {0: 2, 1: 600}, 7: b"\1\2"})
    assert old[0] == 0xA3
    payload = b"\xa4" + old[1:] + b"\x19\x03\xe7\xf9\x3c\x00"  # 999: 1.0 as a half
    data = cose.sealed_structure(17, b"\xa1\x01\x05", payload)
    key = KEYS.signer("k")
    token = to_text(
        cose.build(17, b"\xa1\x01\x05", b"k", payload, key.algorithm.seal(key.secret, data))
    )
    new = judge(token, now=NOW + 0.9).renew.token
    envelope = cose.parse(from_text(new))
    items = cbor.items(envelope.payload)
    assert items[encode(999)] == b"\xf9\x3c\x00"
    assert envelope.claims[4] == NOW + 600 and envelope.claims[6] == NOW
    assert envelope.claims[7] == b"\1\2" and list(items) == sorted(items)
    assert judge(new).accept


@pytest.mark.parametrize(("replay", "kept"), [(None, True), (0, True), (1, False), (2, False)])
def test_the_id_of_a_renewed_token(replay, kept):
    """CAT-53: uses are counted by id."""
    more = {} if replay is None else {"catreplay": replay}
    token = token_with({0: 2, 1: 600}, **more)
    options = cat.Options(settled=True)
    verdict = cat.verify(token, cat.Context(URL, NOW), KEYS, options, mint=MINT)
    if verdict.pending:
        verdict = verdict.pending.accepted()
    new = claims_of(verdict.renew.token)
    assert (new[7] == b"\1\2") is kept
    assert kept or len(new[7]) == 16


def test_another_key_renews():
    """CAT-53"""
    verdict = judge(token_with({0: 2, 1: 600}), mint=cat.Mint(KEYS, kid="e"))
    assert cose.parse(from_text(verdict.renew.token)).alg == -7
    assert judge(verdict.renew.token).kid == "e"
    public = cat.KeySet([cat.Key("p", "ES256", KEYS.signer("e").public)])
    assert judge(token_with({0: 2, 1: 600}), mint=cat.Mint(public)).renew is None


def test_delivery_by_header_and_cookie():
    """CAT-54, CAT-56"""
    renew = judge(token_with({0: 2, 1: 600})).renew
    assert renew.fields == (
        ("cta-common-access-token", renew.token),
        ("Access-Control-Expose-Headers", "cta-common-access-token"),
        ("Cache-Control", "private, no-store"),
    )
    renew = judge(token_with({0: 2, 1: 600, 4: "X-Tok", 6: "a=b"})).renew
    assert renew.fields[0] == ("X-Tok", f"{renew.token}; a=b")
    renew = judge(token_with({0: 1, 1: 600})).renew
    assert renew.fields[0] == (
        "Set-Cookie",
        f"cta-common-access-token={renew.token}; Path=/; Secure; HttpOnly; SameSite=None",
    )
    renew = judge(token_with({0: 1, 1: 600, 3: "tok", 5: ["Path=/live", "Secure"]})).renew
    assert renew.cookie == f"tok={renew.token}; Path=/live; Secure"


@pytest.mark.parametrize("form", ["https://h/a?x=1&CAT={}&y", "https://h/cat:{}/a/b?x"])
@pytest.mark.parametrize(("rules", "status"), [({}, 302), ({7: 307}, 307), ({7: 308}, 308)])
def test_delivery_by_redirect(form, rules, status):
    """CAT-54: only the token's bytes change."""
    for kind in (0, 3):
        token = token_with({0: kind, 1: 600} | rules)
        renew = judge(token, form.format(token)).renew
        assert renew.status == status and renew.location == form.format(renew.token)


@pytest.mark.parametrize(
    ("channel", "headers", "delivery"),
    [
        (URL, {"cta-common-access-token": "{}"}, "HEADER"),
        (URL, {"cookie": "a=b; cta-common-access-token={}"}, "COOKIE"),
        (URL + "?cat={}", {}, "REDIRECT"),
        ("https://h/cat:{}/a", {}, "REDIRECT"),
    ],
)
def test_automatic_renewal_goes_the_way_it_came(channel, headers, delivery):
    """CAT-54"""
    token = token_with({0: 0, 1: 600})
    headers = {name: value.format(token) for name, value in headers.items()}
    assert judge(token, channel.format(token), headers=headers).renew.delivery.name == delivery


def test_no_redirect_goes_round():
    """CAT-55"""
    for rules in ({0: 3, 1: 30, 2: 60}, {0: 3, 1: 60}, {0: 3, 1: 600, 2: 1_000_000_001}):
        now = rules.get(2, 0) if rules.get(2, 0) > 10**9 else NOW
        token = seal({"exp": now + 30, "catr": rules})
        verdict = judge(token, f"{URL}?CAT={token}", now=now)
        assert verdict.accept and verdict.renew is None
        with pytest.raises(cat.IssueError):
            cat.issue({"exp": NOW + 30, "catr": rules}, KEYS.signer())
    token = token_with({0: 3, 1: 600})
    assert judge(token, f"{URL}?CAT={token}", method="POST").renew is None
    assert judge(token, headers={"cta-common-access-token": token}).renew is None


def answer(claims, mint=MINT, options=None, **more):
    verdict = cat.verify(
        seal(claims), cat.Context(URL, NOW, **more), KEYS, options or cat.Options(), mint=mint
    )
    return verdict, cat.refusal(verdict)


def test_catif_answers_for_the_failing_claim():
    """CAT-60"""
    rules = {(4, 5): [307, {"Location": "https://login.example/"}, b"k"], 313: [404, {}, b"k"]}
    verdict, said = answer({"exp": NOW, "catif": rules})
    assert (verdict.reason, said.status) == ("expired", 307)
    fields = dict(said.headers)
    assert fields["Location"] == "https://login.example/"
    assert fields["Cache-Control"] == "no-store" and fields["CAT-Reason"] == "expired"
    assert answer({"exp": NOW + 1, "catm": ["POST"], "catif": rules})[1].status == 404
    assert answer({"exp": NOW + 1, "catalpn": [b"h2"], "catif": rules})[1].status == 403


def test_catif_of_a_token_not_believed_is_not_read():
    """CAT-27, CAT-60"""
    rules = {312: [404, {}, b"k"], 4: [404, {}, b"k"]}
    token = seal({"exp": NOW, "catif": rules})
    other = cat.KeySet.from_json([cat.generate("HS256", "k")])
    verdict = cat.verify(token, cat.Context(URL, NOW), other, mint=MINT)
    assert cat.refusal(verdict).status == 401
    assert answer({"exp": NOW + 1, "catu": {}, "catif": rules})[1].status == 401


@pytest.mark.parametrize(
    "parts",
    [
        [200, {}],
        [299, {}],
        [500, {}],
        [302, {"Location": "http://elsewhere.example/"}],
        [302, {"Location": "//elsewhere.example/"}],
        [302, {"Location": "https://"}],
        [302, {"Location": "javascript:alert(1)"}],
        [302, {"Location": "https://a.example/\r\nX-A: b"}],
        [302, {"Set-Cookie": "a=b"}],
        [302, {"X-A": "b\nc"}],
        [302, {"X A": "b"}],
        [302, {"X-A": 1}],
        [302, {"Location": ["https://a/", {1: None}]}],
        [302, {"Location": ["https://a/", {1: None}], "X-A": "b"}, b"nobody"],
        [302, {"Location": ["https://a/", {313: []}]}, b"k"],
    ],
)
def test_catif_that_is_not_allowed_gives_the_default_answer(parts):
    """CAT-60, CAT-61"""
    assert answer({"exp": NOW, "catif": {4: parts}})[1].status == 401


def test_catif_may_go_to_allowed_hosts():
    rules = {4: [302, {"Location": "http://inside.example:81/x"}]}
    options = cat.Options(redirect_hosts=("inside.example",))
    assert answer({"exp": NOW, "catif": rules}, options=options)[1].status == 302


def test_cache_control_of_catif_never_stores():
    """CAT-61, CAT-110"""
    rules = {4: [302, {"cache-control": "max-age=60", "location": "https://a/"}]}
    fields = dict(answer({"exp": NOW, "catif": rules})[1].headers)
    assert fields["Cache-Control"] == "max-age=60, no-store"


def test_catif_mints_a_token():
    """CAT-61"""
    inner = {1: None, 6: None, 2: None, 4: NOW + 5, 322: {4: [302]}, 312: {3: {1: "/x"}}}
    rules = {4: [307, {"Location": ["https://login.example/?CAT=", inner]}, b"e"]}
    _, said = answer({"iss": "you", "exp": NOW, "catif": rules})
    prefix, token = dict(said.headers)["Location"].split("=")
    assert prefix == "https://login.example/?CAT"
    assert claims_of(token) == {1: "us", 6: NOW, 4: NOW + 5, 312: {3: {1: "/x"}}}
    assert judge(token, "https://login.example/x").accept
    assert answer({"exp": NOW, "catif": rules}, mint=None)[1].status == 401
