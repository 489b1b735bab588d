"""The EdgeWorker on Akamai's own mocks: the same answers as on our stand-in, and no call that their
objects do not know (E-25).
"""

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

import cat
from headwater.edge import build
from headwater.edge.stand_ins import furnish, node, run

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "edge_scripts"
RIG = ROOT / "tests" / "edge_rigs"
PACKAGE = "edgeworkers-jest-mocks@1.0.30"
KEPT = ROOT / ".venv" / "npm"
TABLE = json.loads((Path(__file__).parent / "edge_cases.json").read_bytes())
KEY = cat.generate("HS256", "demo")
SIGNER = cat.KeySet.from_json([KEY]).signer()
MARK = "ANSWER "


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """The package alone: of what it depends on, its mocks use `jest.fn` only."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    archive = KEPT / f"{PACKAGE.replace('@', '-')}.tgz"
    if not archive.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=KEPT) as half:
                fetched = ["npm", "pack", PACKAGE]
                subprocess.run(fetched, cwd=half, check=True, capture_output=True, timeout=90)
                (Path(half) / archive.name).rename(archive)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm cannot fetch {PACKAGE}: {error}")
    folder = tmp_path_factory.mktemp("mocks")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "package" / "__mocks__"


def cases():
    for row in TABLE["cases"]:
        claims = {**TABLE["claims"], **row.get("claims", {})}
        if not all(isinstance(value, (str, int, float)) for value in claims.values()):
            claims = TABLE["claims"]
        token = cat.issue({**claims, "catr": {0: 2, 1: 600, 2: 3600}}, SIGNER)
        asked = {**TABLE["request"], **row.get("request", {})}
        text = json.dumps(asked).replace("TOKEN", token)
        stores = {"keys": json.dumps([KEY]), **row.get("stores", {})}
        held = {n: v if isinstance(v, str) else json.dumps(v) for n, v in stores.items()}
        response = {"headers": {"cmsd-dynamic": '"o";rd=1'}}
        yield {
            "request": json.loads(text), "stores": held, "broken": row.get("broken", False),
            "response": response,
        }  # fmt: skip


def test_mocks_and_stand_in_agree(mocks, tmp_path):
    (bundle,) = build("akamai", lambda path: (SOURCES / path).read_text(), TABLE["settings"])
    furnish("akamai", [bundle], SOURCES, tmp_path)
    shutil.copytree(mocks, tmp_path / "__mocks__")
    shutil.copy(RIG / "mocks_host.js", tmp_path / "host.js")
    shutil.copy(RIG / "mocks_loader.js", tmp_path)
    drawn = list(cases())
    (tmp_path / "cases").write_text("".join(json.dumps(case) + "\n" for case in drawn))
    done = subprocess.run(
        [node(), "driver.js", "cases"], cwd=tmp_path, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    found = [
        json.loads(line.removeprefix(MARK))
        for line in done.stdout.splitlines()
        if line.startswith(MARK)
    ]
    ours = run("akamai", bundle, drawn, SOURCES)
    statuses = {answer.get("status", 200) for answer in ours}
    assert statuses >= {200, 204, 401, 403, 451, 503}
    assert any("cta-common-access-token" in answer.get("response", {}) for answer in ours)
    for mine, theirs, case in zip(ours, found, drawn, strict=True):
        assert {**mine, "cpu_us": 0} == {**theirs, "cpu_us": 0}, case
