"""Key sets in every form from the command line: in, out, and judged with."""

import json

import pytest
from typer.testing import CliRunner

import cat
from headwater.key_source import key_set
from headwater.token_cli import token_app

MEMBERS = [cat.generate("HS256", "h"), cat.generate("ES256", "e"), cat.generate("PS256", "p")]
SECRET = {"HEADWATER_KEYS_SECRET": "ab" * 32}
URI = "https://cdn.example/live/a"


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(MEMBERS))
    return path


def headwater(*arguments, **environment):
    return CliRunner().invoke(token_app, [str(each) for each in arguments], env=environment)


@pytest.mark.parametrize("form", ["jwks", "cose", "sealed"])
def test_a_set_goes_out_and_comes_in_again(form, keys, tmp_path):
    made = headwater("keys", "--keys", keys, "--to", form, "--private", **SECRET)
    assert made.exit_code == 0, made.stderr
    assert form == "jwks" or MEMBERS[0]["k"].encode() not in made.stdout_bytes
    other = tmp_path / "other"
    other.write_bytes(made.stdout_bytes)
    known = key_set(other, SECRET)
    assert [(key.kid, key.alg) for key in known] == [("h", "HS256"), ("e", "ES256"), ("p", "PS256")]
    for kid in ("h", "e", "p"):
        token = cat.issue({"exp": 2000}, known.signer(kid))
        assert cat.verify(token, cat.Context(URI, 1000), key_set(keys)).accept


def test_what_goes_out_has_no_secrets_unless_told(keys):
    made = headwater("keys", "--keys", keys)
    found = json.loads(made.stdout_bytes)["keys"]
    assert [key["kid"] for key in found] == ["e", "p"] and all("d" not in key for key in found)


def test_keys_from_the_environment_judge(keys):
    token = cat.issue({"exp": 2000}, key_set(keys).signer("h"))
    asked = ("verify", token, "--keys", "env:MY_KEYS", "--uri", URI, "--now", 1000)
    said = headwater(*asked, MY_KEYS=json.dumps(MEMBERS))
    assert said.exit_code == 0 and json.loads(said.stdout_bytes)["accept"] is True
    missing = headwater(*asked)
    assert missing.exit_code == 3 and "MY_KEYS" in missing.stderr


@pytest.mark.parametrize("secret", ["", "cd" * 32, "xx", "ab"])
def test_a_sealed_file_wants_its_secret(secret, keys, tmp_path):
    sealed = tmp_path / "sealed"
    sealed.write_bytes(headwater("keys", "--keys", keys, "--to", "sealed", **SECRET).stdout_bytes)
    with pytest.raises(cat.KeyFileError):
        key_set(sealed, {"HEADWATER_KEYS_SECRET": secret})


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(cat.KeyFileError):
        key_set(tmp_path / "none")
