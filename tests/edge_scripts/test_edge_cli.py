"""`headwater edge`: what it writes, what it says, and that it sends nothing."""

import base64
import hashlib
import json
import os
import re
import shutil
import tarfile
import tomllib
import zipfile

import hcl2
import pytest
from typer.testing import CliRunner

import cat
from headwater.edge import BuildError, Bundle
from headwater.edge.archive import archive
from headwater.edge.package import STORES, package
from headwater.edge.scan import scan
from headwater.edge.vcl import vcl
from headwater.edge_cli import edge_app

PLATFORMS = ("cloudfront", "akamai", "lambda", "fastly")
RESOURCES = {
    "cloudfront": (
        "aws_cloudfront_function", "aws_cloudfront_key_value_store", "aws_cloudfront_cache_policy",
    ),
    "akamai": ("akamai_edgeworker",),
    "lambda": ("aws_lambda_function",),
    "fastly": (
        "fastly_service_compute", "fastly_configstore", "fastly_secretstore", "fastly_kvstore",
    ),
}  # fmt: skip
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
    """By HCL's grammar; every reference has its block, and the token is in no cache key (E-44)."""
    done = invoke("deploy", platform, "--terraform", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    tree = hcl2.loads(done.output)
    (provider,) = _bare(tree["terraform"])[0]["required_providers"]
    assert provider[RESOURCES[platform][0].partition("_")[0]]["source"]
    held = {f"{kind}.{name}": body for kind, name, body in _blocks(tree, "resource")}
    assert {name.partition(".")[0] for name in held} == set(RESOURCES[platform])
    held |= {f"data.{kind}.{name}": body for kind, name, body in _blocks(tree, "data")}
    held |= {
        f"var.{name}": body for one in _bare(tree.get("variable", [])) for name, body in one.items()
    }
    roots = r"\b((?:data\.)?(?:aws|akamai|fastly)_\w+\.\w+|var\.\w+)"
    assert set(re.findall(roots, done.output)) <= held.keys()
    for file in re.findall(r'(?:file|filename|filebase64sha256)(?: += |\()"([^"]+)"', done.output):
        assert os.path.exists(file), file
    if platform == "cloudfront":
        text = json.dumps(held["aws_cloudfront_cache_policy.headwater"])
        assert '"query_string_behavior": "allExcept"' in text
        assert '["CAT", "cat", "CMCD"]' in text


def _blocks(tree, sort):
    for one in _bare(tree.get(sort, [])):
        for kind, named in one.items():
            yield from ((kind, name, body) for name, body in named.items())


def _bare(node):
    """The parser's tree without its quotes and marks."""
    if isinstance(node, dict):
        return {n.strip('"'): _bare(v) for n, v in node.items() if n != "__is_block__"}
    if isinstance(node, list):
        return [_bare(item) for item in node]
    return node.strip('"') if isinstance(node, str) else node


def test_fastly_takes_the_package(tmp_path, monkeypatch):
    """Real wasm under the service's name, described by the manifest; equal wasm, equal bytes."""
    for out in ("one", "two"):
        done = invoke("deploy", "fastly", "--name", "edge-1", "--out", tmp_path / out)
        assert done.exit_code == 0, done.output
    (command,) = map(json.loads, done.output.splitlines())
    path = tmp_path / "two" / "fastly" / "package.tar.gz"
    assert command[:5] == ["fastly", "compute", "deploy", "--package", str(path)]
    packed = path.read_bytes()
    assert packed == (tmp_path / "one" / "fastly" / "package.tar.gz").read_bytes()
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    wasm, toml = files.pop("edge-1/bin/main.wasm"), files.pop("edge-1/fastly.toml")
    assert files == {} and wasm[:8] == b"\0asm\1\0\0\0"
    settings = tomllib.loads(toml.decode())
    assert (settings["manifest_version"], settings["name"]) == (3, "edge-1")
    assert all(settings["setup"][kind]["headwater"] for kind in STORES)
    (line,) = json.loads((path.parent / "manifest.json").read_bytes())
    assert line["package_sha256"] == hashlib.sha256(packed).hexdigest()
    assert (path.parent / line["vcl"]).read_text() == vcl()
    assert line["wasm_sha256"] == hashlib.sha256(wasm).hexdigest()
    assert line["package_bytes"] + line["package_left_bytes"] == 100 << 20
    monkeypatch.setattr("headwater.edge.package.LIMIT_BYTES", len(packed) - 1)
    with pytest.raises(BuildError, match="1 over the limit"):
        package("edge-1", wasm)


def test_scan_tells_division_from_regexes():
    found = [token.kind for token in scan("a = b / c; d = /[/]x/g.test(e) / 2; (f) / g;")]
    assert found.count("regex") == 1
