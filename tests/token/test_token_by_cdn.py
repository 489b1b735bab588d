"""The CDN picks the signer: a session's native credentials (edge section 7)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cat.errors import SignError
from cat.signers import akamai, by_cdn, cloudfront

KEY = "aabbccddeeff00112233445566778899"
BASE, BELOW, END = "https://d1.cloudfront.net", "/live/one/", 2_000


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("path", "now", "reason"),
    [
        ("/live/one/v/1.m4s", 1_999, "ok"),
        ("/live/one/v/1.m4s", 2_000, "expired"),
        ("/live/two/1.m4s", 1_999, "uri"),
    ],
)
def test_akamai(path, now, reason):
    query = by_cdn.native("akamai", KEY).query("https://a.akamaized.net", BELOW, END)
    name, _, token = query.partition("=")
    assert name == "hdnts"
    assert akamai.verify(akamai.Secret.from_hex(KEY), token, path=path, now=now) == reason


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())]
)
def test_cloudfront(key):
    query = by_cdn.native("cloudfront", pem(key), key_pair_id="K1").query(BASE, BELOW, END)

    def judged(path, now=1_999):
        url = f"{BASE}{path}?{query}"
        return cloudfront.verify_url(url, {"K1": key.public_key()}, now=now)

    assert judged("/live/one/v/1.m4s") == "ok"
    assert judged("/live/two/1.m4s") == "uri"
    assert judged("/live/one/v/1.m4s", END) == "expired"


@pytest.mark.parametrize(
    "below", ["/live/*/", "/live/one", "live/", "/a~b!/", "/a b/", "/a%2a/", ""]
)
def test_a_path_brings_no_wildcards(below):
    for native in (by_cdn.native("akamai", KEY),):
        with pytest.raises(SignError):
            native.query(BASE, below, END)


@pytest.mark.parametrize(
    ("kind", "key", "more"),
    [
        ("akamai", "not hex", {}),
        ("akamai", "", {}),
        ("akamai", KEY, {"digest": "sha3"}),
        ("cloudfront", "no PEM", {"key_pair_id": "K1"}),
        ("cloudfront", pem(ec.generate_private_key(ec.SECP256R1())), {}),
        ("cloudfront", pem(ec.generate_private_key(ec.SECP384R1())), {"key_pair_id": "K1"}),
    ],
)
def test_keys_that_do_not_fit(kind, key, more):
    with pytest.raises(SignError) as failed:
        by_cdn.native(kind, key, **more)
    assert not key or key not in str(failed.value)
