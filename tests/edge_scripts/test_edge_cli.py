"""`headwater edge`: what it writes, what it says, and that it sends nothing."""

import base64
import hashlib
import json
import re
import shutil

import pytest
from typer.testing import CliRunner

import cat
from headwater.edge.scan import scan
from headwater.edge_cli import edge_app

PLATFORMS = ("cloudfront", "akamai", "fastly")
ENGINE = {"cloudfront": "njs", "akamai": "node", "fastly": "node"}


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
    (held,) = json.loads((tmp_path / platform / "keys.json").read_bytes())
    assert "d" not in held
    assert base64.urlsafe_b64decode(held["spki"] + "==")[-64:-32] == base64.urlsafe_b64decode(
        pair["x"] + "="
    )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_terraform_is_hcl(platform, tmp_path):
    """Blocks and attributes, each brace closed; the token is in no cache key (E-44)."""
    text = invoke("deploy", platform, "--terraform", "--out", tmp_path).output
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
