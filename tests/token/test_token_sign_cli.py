"""`headwater sign` as CONTRACT describes it: forms as JSON, secrets from files or the environment
and never in sight, exit codes 0, 2, 3.
"""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from cat.signers import akamai, cloudfront, fastly
from headwater.sign_cli import sign_app

URL = "https://cdn.example/live/ch1/a.m3u8"
KEY_HEX = "aabbccddeeff00112233445566778899"
KEY_BASE64 = "iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24="
TIMES = ("--end", 2000, "--now", 1000)


@pytest.fixture
def run():
    def run(*args, **env):
        return CliRunner().invoke(sign_app, [str(arg) for arg in args], env=env)

    return run


def _pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_akamai(run):
    done = run(
        *("akamai", URL, "--acl", "/live/*", "--key-env", "K", "--salt-env", "S", *TIMES),
        *("--id", "s1", "--ip", "192.0.2.1"),
        K=KEY_HEX,
        S="pepper",
    )
    forms = json.loads(done.stdout)
    assert done.exit_code == 0 and "pepper" not in done.output and KEY_HEX not in done.output
    token = forms["token"]
    secret = akamai.Secret.from_hex(KEY_HEX, "pepper")
    assert akamai.verify(secret, token, path="/live/x", now=1999, ip="192.0.2.1") == "ok"
    assert forms["url"] == f"{URL}?hdnts={token}" and forms["header"] == f"hdnts: {token}"
    assert forms["cookie"] == f"hdnts={token}"


def test_akamai_without_acl_signs_the_path(run, tmp_path):
    (tmp_path / "key").write_text(KEY_HEX + "\n")
    done = run(
        "akamai", f"{URL}?a=1", "--key-file", tmp_path / "key", "--window", 60, "--now", 1000
    )
    forms = json.loads(done.stdout)
    assert forms["url"].startswith(f"{URL}?a=1&hdnts=exp=1060~hmac=")
    secret = akamai.Secret.from_hex(KEY_HEX)
    assert akamai.verify(secret, forms["token"], path="/live/ch1/a.m3u8", now=1059) == "ok"


def test_cloudfront(run, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_text(_pem(key))
    public = {"K1": key.public_key()}
    base = ("cloudfront", URL, "--key-pair-id", "K1", "--key-file", tmp_path / "key.pem", *TIMES)
    canned = json.loads(run(*base).stdout)
    assert "Expires=2000" in canned["url"] and "Policy=" not in canned["url"]
    assert cloudfront.verify_url(canned["url"], public, now=1999) == "ok"
    custom = json.loads(run(*base, "--resource", "https://cdn.example/live/*").stdout)
    assert cloudfront.verify_url(custom["url"].replace("ch1", "ch2"), public, now=1999) == "ok"
    cookies = dict(pair.split("=", 1) for pair in custom["cookies"])
    assert (
        cloudfront.verify_cookies(cookies, "https://cdn.example/live/x", public, now=1999) == "ok"
    )
    assert custom["header"] == f"Cookie: {'; '.join(custom['cookies'])}"


def test_fastly(run):
    done = run("fastly", URL, "--key-env", "K", *TIMES, K=KEY_BASE64)
    forms = json.loads(done.stdout)
    key = fastly.key_from_base64(KEY_BASE64)
    assert fastly.verify(key, "/live/ch1/a.m3u8", forms["token"], 1999) == "ok"
    assert forms["url"] == f"{URL}?token={forms['token']}"
    assert run("fastly", "--vcl").stdout == fastly.VCL


@pytest.mark.parametrize(
    "args",
    [
        ("akamai", URL, "--window", 60),
        ("akamai", URL, "--window", 60, "--key-env", "K", "--key-file", "f"),
        ("akamai", URL, "--key-env", "K"),
        ("akamai", URL, "--key-env", "K", "--start", 50, "--end", 50),
        ("akamai", "/live/a", "--key-env", "K", "--window", 60),
        ("akamai", URL, "--key-env", "K", "--window", 60, "--algorithm", "md4"),
        ("cloudfront", URL, "--key-env", "K", "--window", 60),
        ("fastly", "--key-env", "K", "--window", 60),
    ],
)
def test_usage(run, args):
    assert run(*args, K=KEY_HEX).exit_code == 2


@pytest.mark.parametrize(
    ("command", "secret"),
    [
        (("akamai",), "sesame"),
        (("cloudfront", "--key-pair-id", "K1"), "sesame"),
        (("cloudfront", "--key-pair-id", "K1"), _pem(ed25519.Ed25519PrivateKey.generate())),
        (("cloudfront", "--key-pair-id", "K1"), _pem(ec.generate_private_key(ec.SECP384R1()))),
        (("fastly",), "sesame!"),
        (("fastly",), ""),
    ],
)
def test_a_bad_key_fails_in_one_line_without_quoting_it(run, command, secret):
    done = run(*command, URL, "--key-env", "K", *TIMES, K=secret)
    assert done.exit_code == 3 and done.stdout == "" and done.stderr.count("\n") == 1
    assert not secret or secret not in done.stderr


def test_an_absent_key_file_fails(run, tmp_path):
    assert run("fastly", URL, "--key-file", tmp_path / "none", *TIMES).exit_code == 3


@pytest.mark.parametrize("command", ["akamai", "cloudfront", "fastly"])
def test_help_has_an_example(run, command):
    assert "Example:" in run(command, "--help").stdout
