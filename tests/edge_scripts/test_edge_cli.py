"""`headwater edge`: what it writes, what it says, and that it sends nothing."""

import base64
import hashlib
import json
import os
import re
import shutil
import zipfile

import pytest
from typer.testing import CliRunner

import cat
from headwater.edge import BuildError, Bundle
from headwater.edge.archive import archive
from headwater.edge.scan import scan
from headwater.edge_cli import edge_app

PLATFORMS = ("cloudfront", "akamai", "lambda", "fastly")
ENGINE = {"cloudfront": "njs", "akamai": "node", "lambda": "node", "fastly": "node"}


def invoke(*args):
    return CliRunner().invoke(edge_app, list(map(str, args)))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_build_writes_what_the_manifest_says(platform, tmp_path):
    """E-58: hash and size of the very files; two builds are equal."""
    assert invoke("build", platform, "--out", tmp_path).exit_code == 0
    folder = tmp_path / platform
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for line in manifest:
        code = (folder / f"{line['name']}.js").read_bytes()
        assert line["sha256"] == hashlib.sha256(code).hexdigest()
        assert line["bytes"] == len(code) <= line["limit_bytes"]
    invoke("build", platform, "--out", tmp_path / "again")
    assert json.loads((tmp_path / "again" / platform / "manifest.json").read_bytes()) == manifest


def test_build_fails_over_the_limit(tmp_path):
    """E-1."""
    settings = tmp_path / "edge.json"
    settings.write_text(json.dumps({"redirects": True}))
    done = invoke("build", "cloudfront", "--settings", settings, "--out", tmp_path)
    assert done.exit_code == 3
    assert "over the limit" in done.output
    assert not (tmp_path / "cloudfront").exists()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_test_runs_the_bundle(platform):
    if shutil.which(ENGINE[platform]) is None:
        pytest.skip(f"{ENGINE[platform]} is not installed")
    done = invoke("test", platform)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["found"] == ["ok", "missing", "signature"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_deploy_prints_commands_and_keeps_private_keys(platform, tmp_path):
    pair = cat.generate("ES256", "es")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps([pair]))
    done = invoke("deploy", platform, "--keys", keys, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    commands = [json.loads(line) for line in done.output.splitlines()]
    assert all(isinstance(word, str) for command in commands for word in command)
    assert pair["d"] not in done.output
    (held,) = _stored_keys(tmp_path / platform)
    assert "d" not in held
    assert base64.urlsafe_b64decode(held["spki"] + "==")[-64:-32] == base64.urlsafe_b64decode(
        pair["x"] + "="
    )


def _stored_keys(folder):
    """What the script will read as `keys`: a store's item, or a member of Lambda@Edge's zip."""
    if not (folder / "lambda.zip").exists():
        return json.loads((folder / "keys.json").read_bytes())
    with zipfile.ZipFile(folder / "lambda.zip") as zipped:
        text = zipped.read("stores.mjs").decode()
    return json.loads(json.loads(re.search(r"= (.*);$", text)[1])["keys"])


def test_building_cloudfront_builds_lambda_too(tmp_path):
    """ES256 and PS256 need it; 1 MB zipped, two builds are byte-equal (E-1, E-58)."""
    for out in ("one", "two"):
        lines = invoke("build", "cloudfront", "--out", tmp_path / out).output.splitlines()
    told = {line["platform"]: line for line in map(json.loads, lines)}
    zips = [(tmp_path / out / "lambda" / "lambda.zip").read_bytes() for out in ("one", "two")]
    assert zips[0] == zips[1]
    assert told["lambda"]["zip_bytes"] == len(zips[0]) <= 1 << 20
    too_much = {"keys": base64.b64encode(os.urandom(1 << 20)).decode()}
    with pytest.raises(BuildError, match="over the limit"):
        archive(Bundle("main", b"", 1 << 20, ()), too_much)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_terraform_is_hcl(platform, tmp_path):
    """Blocks and attributes, each brace closed; the token is in no cache key (E-44)."""
    done = invoke("deploy", platform, "--terraform", "--out", tmp_path)
    assert done.exit_code == 0
    text = done.output
    depth = 0
    line_form = re.compile(
        r'(?:\w+(?: "[\w-]+")* \{|\}|\w+ += .+|)$'  # a block opens, closes; an attribute; nothing
    )
    for line in text.splitlines():
        assert line_form.fullmatch(line.strip()) or line.strip().endswith("= {"), line
        depth += line.count("{") - line.count("}")
        assert depth >= 0
    assert depth == 0
    if platform == "cloudfront":
        assert 'query_string_behavior = "allExcept"' in text
        assert '["CAT", "cat", "CMCD"]' in text


def test_scan_tells_division_from_regexes():
    found = [token.kind for token in scan("a = b / c; d = /[/]x/g.test(e) / 2; (f) / g;")]
    assert found.count("regex") == 1
