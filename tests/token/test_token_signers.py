"""The CDNs' own tokens (specs/edge.md S-1..S-30): byte-exact known answers, round trips, and that
any changed character refuses.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from cat.errors import SignError
from cat.signers import akamai, cloudfront, fastly, wildcard

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
needs_vectors = pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
URL = "https://d1.cloudfront.net/live/ch1/master.m3u8"
KEY_HEX = "aabbccddeeff00112233445566778899"


def _document(name):
    path = VECTORS / f"{name}.json"
    return json.loads(path.read_bytes()) if path.exists() else {"vectors": []}


AKAMAI, CLOUDFRONT, FASTLY = map(
    _document, ("akamai_edgeauth", "cloudfront_signed", "fastly_token")
)


def _ids(case):
    return case.get("id")


def _secret(params):
    return akamai.Secret.from_hex(
        params["key"],
        params.get("salt"),
        digest=params.get("algorithm", "sha256"),
        escape_early=params.get("escape_early", False),
    )


@pytest.mark.parametrize("case", AKAMAI["vectors"], ids=_ids)
def test_akamai_known_answer(case):
    params, target = case["params"], case["target"]
    acl = [target] if case["kind"] == "acl" and isinstance(target, str) else target
    token = akamai.sign(
        _secret(params),
        acl=acl if case["kind"] == "acl" else (),
        url=target if case["kind"] == "url" else None,
        start=params.get("start_time"),
        end=params["end_time"],
        ip=params.get("ip"),
        session_id=params.get("session_id"),
        payload=params.get("payload"),
    )
    assert token == case["token"]
    path = (target if case["kind"] == "url" else acl[-1]).replace("*", "x.ts")
    judged = akamai.verify(
        _secret(params), token, path=path, now=params["end_time"] - 1, ip=params.get("ip")
    )
    assert judged == "ok"


SECRET = akamai.Secret.from_hex(KEY_HEX)
TOKEN = akamai.sign(SECRET, acl=["/live/*", "/v?d/a.ts"], start=1000, end=2000, ip="192.0.2.1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "ok"),
        ({"path": "/vod/a.ts"}, "ok"),
        ({"path": "/vood/a.ts"}, "uri"),
        ({"now": 999.9}, "not_before"),
        ({"now": 1000}, "ok"),
        ({"now": 1999.9}, "ok"),
        ({"now": 2000}, "expired"),
        ({"ip": "192.0.2.2"}, "network"),
        ({"ip": None}, "network"),
        ({"token": TOKEN.replace("exp=2000", "exp=3000")}, "signature"),
        ({"token": TOKEN.replace("~hmac=", "~hmac=~hmac=")}, "malformed"),
        ({"token": TOKEN.replace("st=1000~", "")}, "signature"),
        ({"token": TOKEN.replace("st=1000~exp=2000", "exp=2000~st=1000")}, "malformed"),
        ({"token": TOKEN.replace("exp=2000", "exp=2000~exp=2000")}, "malformed"),
        ({"token": TOKEN.replace("exp=2000~", "")}, "malformed"),
        ({"token": TOKEN[:-1]}, "malformed"),
        ({"token": TOKEN[:-64] + TOKEN[-64:].upper()}, "malformed"),
        ({"token": ""}, "malformed"),
        ({"token": "~" * 5000}, "malformed"),
        ({"secret": akamai.Secret.from_hex(KEY_HEX, digest="sha1")}, "malformed"),
        ({"secret": akamai.Secret.from_hex(KEY_HEX, "salt")}, "signature"),
    ],
)
def test_akamai_verdicts(changes, reason):
    case = {"secret": SECRET, "token": TOKEN, "path": "/live/a", "now": 1500, "ip": "192.0.2.1"}
    case |= changes
    secret, token = case.pop("secret"), case.pop("token")
    assert akamai.verify(secret, token, **case) == reason


def test_akamai_url_token_opens_one_path():
    token = akamai.sign(SECRET, url="/a.m3u8", end=2000)
    assert "/a.m3u8" not in token
    assert akamai.verify(SECRET, token, path="/a.m3u8", now=0) == "ok"
    assert akamai.verify(SECRET, token, path="/b.m3u8", now=0) == "signature"


@pytest.mark.parametrize(
    "arguments",
    [
        {"end": 10},
        {"end": 10, "acl": ["/"], "url": "/"},
        {"end": 10, "start": 10, "url": "/"},
        {"end": 10, "url": "/", "session_id": "a~exp=9999999999"},
        {"end": 10, "acl": ["/a~acl=/*"]},
        {"end": 10, "url": "/", "payload": "a\nb"},
    ],
)
def test_akamai_refuses_to_sign(arguments):
    with pytest.raises(SignError):
        akamai.sign(SECRET, **arguments)


def test_akamai_expiry():
    assert akamai.expiry(100, start=None, end=None, window_s=5) == 105
    assert akamai.expiry(100, start=200, end=None, window_s=5) == 205
    assert akamai.expiry(100, start=None, end=150, window_s=5) == 150
    for arguments in ({"start": 100, "end": 100}, {"start": None, "end": 99}):
        with pytest.raises(SignError):
            akamai.expiry(100, window_s=None, **arguments)
    with pytest.raises(SignError):
        akamai.expiry(100, start=None, end=None, window_s=None)


def test_no_secret_in_sight():
    assert KEY_HEX not in repr(SECRET) and "\\xaa" not in repr(SECRET)
    with pytest.raises(SignError) as refused:
        akamai.Secret.from_hex("sesame")
    assert "sesame" not in str(refused.value)


@needs_vectors
@pytest.mark.parametrize("case", CLOUDFRONT["vectors"], ids=_ids)
def test_cloudfront_known_answer(case):
    key = _rsa_key()
    args = case["args"]
    signer = cloudfront.Signer(CLOUDFRONT["keyPairId"], key, args.get("algorithm", "SHA1"))
    policy, url = _policy(args), args.get("url")
    public = {signer.key_pair_id: key.public_key()}
    when = policy.end - 1
    if case["fn"] == "getSignedUrl":
        signed = cloudfront.signed_url(url, policy, signer)
        assert signed == case["result"]
        assert cloudfront.verify_url(signed, public, now=when) == "ok"
        assert cloudfront.verify_url(signed, public, now=policy.end) == "expired"
        return
    cookies = cloudfront.signed_cookies(policy, signer, url)
    assert cookies == {name: str(value) for name, value in case["result"].items()}
    asked = url or policy.resource.replace("*", "1.m4s")
    assert cloudfront.verify_cookies(cookies, asked, public, now=when) == "ok"
    assert cloudfront.verify_cookies(cookies, "https://other/", public, now=when) != "ok"


@needs_vectors
def test_cloudfront_ecdsa_of_the_sdk():
    case = CLOUDFRONT["ecdsa"]
    x, y = (int(case["public_key_p256"][f"{name}_hex"], 16) for name in "xy")
    keys = {CLOUDFRONT["keyPairId"]: ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())}
    keys = {name: numbers.public_key() for name, numbers in keys.items()}
    assert cloudfront.verify_url(case["result"], keys, now=0) == "ok"
    forged = case["result"].replace("master", "mister")
    assert cloudfront.verify_url(forged, keys, now=0) == "signature"


@needs_vectors
def test_botocore_texts():
    known = CLOUDFRONT["botocore_kats"]
    assert cloudfront.Policy("foo", 1451606400).text("botocore") == known["canned_policy"]


def _rsa_key():
    return load_der_private_key(base64.b64decode(CLOUDFRONT["private_key_pkcs8_b64"]), None)


def _policy(args):
    if "policy" not in args:
        when = datetime.fromisoformat(args["dateLessThan"])
        return cloudfront.Policy(args["url"], int(when.timestamp()))
    statement = json.loads(args["policy"])["Statement"][0]
    end = statement["Condition"]["DateLessThan"]["AWS:EpochTime"]
    return cloudfront.Policy(statement["Resource"], end)


@needs_vectors
@pytest.mark.parametrize("start", [None, 1000])
@pytest.mark.parametrize("ip", [None, "192.0.2.0/24"])
def test_botocore_signs_the_same(start, ip):
    """S-12, S-13: the whole URL, from AWS's other library."""
    key = _rsa_key()
    theirs = CloudFrontSigner("K1", lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA1()))
    at = lambda seconds: datetime.fromtimestamp(seconds, UTC)  # noqa: E731
    text = theirs.build_policy(URL, at(2000), start and at(start), ip)
    policy = cloudfront.Policy(URL, 2000, start, ip)
    assert policy.text("botocore") == text
    custom = {"policy": text} if start or ip else {"date_less_than": at(2000)}
    ours = cloudfront.signed_url(URL, policy, cloudfront.Signer("K1", key), order="botocore")
    assert ours == theirs.generate_presigned_url(URL, **custom)


EC_KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER = cloudfront.Signer("K1", EC_KEY, "SHA256")
PUBLIC = {"K1": EC_KEY.public_key()}
CUSTOM = cloudfront.Policy("https://d1.cloudfront.net/live/*", 2000, 1000, "192.0.2.7")
SIGNED = cloudfront.signed_url(f"{URL}?a=1&b=2", CUSTOM, SIGNER)


@pytest.mark.parametrize(
    ("url", "context", "reason"),
    [
        (SIGNED, {}, "ok"),
        (SIGNED.replace("/ch1/", "/ch2/"), {}, "ok"),
        (SIGNED.replace("/live/", "/vod/"), {}, "uri"),
        (SIGNED, {"now": 1000}, "not_before"),
        (SIGNED, {"now": 2000}, "expired"),
        (SIGNED, {"ip": "192.0.2.8"}, "network"),
        (SIGNED, {"ip": None}, "network"),
        (SIGNED, {"ip": "nonsense"}, "network"),
        (SIGNED.replace("Key-Pair-Id=K1", "Key-Pair-Id=K2"), {}, "key"),
        (SIGNED.replace("&Hash-Algorithm=SHA256", ""), {}, "signature"),
        (SIGNED.replace("SHA256", "MD5"), {}, "alg"),
        (SIGNED + "&Hash-Algorithm=SHA1", {}, "malformed"),
        (SIGNED + "&Expires=3000", {}, "malformed"),
        (SIGNED.replace("Policy=", "Policy=*"), {}, "malformed"),
        (SIGNED.replace("Signature=", "Signature=="), {}, "malformed"),
        (URL, {}, "missing"),
        (
            SIGNED.replace("?", "?Policy=" + "A" * 5000 + "&").replace("Policy=e", "p=e"),
            {},
            "malformed",
        ),
    ],
)
def test_cloudfront_verdicts(url, context, reason):
    assert (
        cloudfront.verify_url(url, PUBLIC, **{"now": 1500, "ip": "192.0.2.7"} | context) == reason
    )


def test_cloudfront_base64_has_one_spelling():
    """S-11."""
    assert cloudfront.to_text(b"\xfb\xff\xbe>") == "-~--Pg__"
    assert cloudfront.from_text("-~--Pg__") == b"\xfb\xff\xbe>"
    for text in ("Ph__", "Pg", "Pg_", "Pg==", "Pg__\n", "P+A_", "P/A_", "P"):
        with pytest.raises(ValueError):
            cloudfront.from_text(text)


def test_cloudfront_parameters_in_any_order_and_own_query():
    policy = cloudfront.Policy(f"{URL}?a=1&b=2", 2000)
    signed = cloudfront.signed_url(policy.resource, policy, SIGNER)
    base, _, query = signed.partition("?")
    shuffled = f"{base}?{'&'.join(sorted(query.split('&')))}"
    assert "Policy=" not in signed and shuffled != signed
    assert cloudfront.verify_url(shuffled, PUBLIC, now=0) == "ok"
    assert cloudfront.verify_url(signed.replace("a=1", "a=2"), PUBLIC, now=0) == "signature"


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        "{}",
        '{"Statement":[]}',
        '{"Statement":[{"Resource":"*","Condition":{}}]}',
        '{"Statement":[{"Resource":"*","Condition":[]}]}',
        '{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":2e3}}}]}',
        '{"Statement":[{"Resource":1,"Condition":{"DateLessThan":{"AWS:EpochTime":2000}}}]}',
        '{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":2000},'
        '"Referer":{}}}]}',
        "[" * 3000,
    ],
)
def test_cloudfront_signed_nonsense_is_refused(document):
    text = cloudfront.to_text(document.encode())
    url = f"{URL}?Policy={text}&Key-Pair-Id=K1&Signature={SIGNER.sign(document)}"
    assert cloudfront.verify_url(f"{url}&Hash-Algorithm=SHA256", PUBLIC, now=0) == "malformed"


def test_cloudfront_refuses_to_sign():
    for arguments in (
        ("https://h/ a", 10),
        ('https://h/"', 10),
        (URL, 0),
        (URL, 10, 10),
        (URL, 10, None, "192.0.2.1/24"),
    ):
        with pytest.raises(SignError):
            cloudfront.Policy(*arguments)
    with pytest.raises(SignError):
        cloudfront.Signer("K1", EC_KEY, "SHA1")
    with pytest.raises(SignError):
        cloudfront.Signer("K1", ec.generate_private_key(ec.SECP384R1()), "SHA256")
    with pytest.raises(SignError, match="custom"):
        cloudfront.signed_url("https://h/*", cloudfront.Policy("https://h/*", 10), SIGNER)
    with pytest.raises(SignError):
        cloudfront.signed_url(f"{URL}#x", CUSTOM, SIGNER)


@needs_vectors
def test_fastly_known_answers():
    key = fastly.key_from_base64(FASTLY["key_b64"])
    for case in FASTLY["vectors"]:
        assert fastly.sign(key, case["path"], case["exp"]) == case["token"]
        assert fastly.verify(key, case["path"], case["token"], case["exp"] - 1) == "ok"
        assert fastly.verify(key, case["path"], case["token"], case["exp"]) == "expired"
        assert fastly.verify(key, "/foo", case["token"], 0) == "signature"
    known = FASTLY["hmac_sha1_kat"]
    text, digits = known["input"], known["out_hex"]
    assert fastly._seal(known["key"].encode(), text[:-1], text[-1]) == digits


def test_fastly_forms():
    key = b"k" * 20
    for token in ("", "1_", f"01_{'a' * 40}", f"1_{'a' * 41}", f"1_{'A' * 40}", f"1_{'a' * 40}\n"):
        assert fastly.verify(key, "/", token, 0) == "malformed"
    for arguments in (("a", 1), ("/a", 0)):
        with pytest.raises(SignError):
            fastly.sign(key, *arguments)
    for text in ("", "*", "é", "YQBi"):
        with pytest.raises(SignError):
            fastly.key_from_base64(text)


def test_fastly_vcl_judges_expiry_first_in_constant_time_on_a_stripped_url():
    """S-21."""
    marks = ["is_after", 'querystring.filter(req.url, "token")', "secure_is_equal", "hmac_sha1"]
    places = [fastly.VCL.index(mark) for mark in marks]
    assert places == sorted(places)


paths = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map("/{}".format)


@given(path=paths, end=st.integers(1, 2**40), at=st.integers(0, 200), bit=st.integers(0, 6))
def test_a_changed_character_refuses(path, end, at, bit):
    """S-30."""
    if "~" not in path:
        token = akamai.sign(SECRET, url=path, end=end)
        assert akamai.verify(SECRET, token, path=path, now=end - 1) == "ok"
        assert akamai.verify(SECRET, _flip(token, at, bit), path=path, now=0) != "ok"
    token = fastly.sign(b"key", path, end)
    assert fastly.verify(b"key", path, token, end - 1) == "ok"
    assert fastly.verify(b"key", path, _flip(token, at, bit), 0) != "ok"


@settings(max_examples=60)
@given(at=st.integers(0, 1000), bit=st.integers(0, 6))
def test_a_changed_character_of_a_signed_url_refuses(at, bit):
    signed = cloudfront.signed_url(URL, cloudfront.Policy(URL, 2000), SIGNER)
    assert cloudfront.verify_url(_flip(signed, at, bit), PUBLIC, now=0) != "ok"


def _flip(text, at, bit):
    data = bytearray(text.encode())
    data[at % len(data)] ^= 1 << bit
    return data.decode()


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("/a/*", "/a/b/c", True),
        ("/a/*", "/a/", True),
        ("/a/*", "/a", False),
        ("*.ts", "/a.ts", True),
        ("*.ts", "/a.ts2", False),
        ("/?.ts", "/a.ts", True),
        ("/?.ts", "/.ts", False),
        ("/[a]", "/a", False),
        ("", "", True),
        ("**", "", True),
        ("*a*b", "xaxaxb", True),
        ("*a*b", "xaxbx", False),
    ],
)
def test_wildcards(pattern, text, fits):
    assert wildcard.matches(pattern, text) is fits


def test_wildcards_take_no_exponential_time():
    assert not wildcard.matches("*a" * 200 + "b", "a" * 4000)
