"""A Fastly bundle as wasm, made once and kept by the hash of what it came from (E-20)."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

from headwater.edge.errors import BuildError

COMPILER: Final = Path("node_modules/@fastly/js-compute")
TIMEOUT_S: Final = 300


def wasm_of(code: bytes, node: str, root: Path, cache: Path) -> bytes:
    """The engine with the script in it. `root` holds node_modules; `cache` keeps the product.
    BuildError where there is no compiler, or it refuses.
    """
    kept = cache / f"{hash_of(code, _version(root))}.wasm"
    if not kept.exists():
        replace(kept, _translate(code, node, root, cache))
    return kept.read_bytes()


def _translate(code: bytes, node: str, root: Path, room: Path) -> bytes:
    """`js-compute-runtime`: the engine with the script in it, as wasm."""
    tool = root / COMPILER / "dist" / "cli" / "js-compute-runtime-cli.js"
    if not tool.exists():
        raise BuildError("npm package @fastly/js-compute is not installed")
    room.mkdir(parents=True, exist_ok=True)
    source, out = room / f".{os.getpid()}.js", room / f".{os.getpid()}.wasm"
    source.write_bytes(code)
    try:
        done = subprocess.run(
            [node, "--no-warnings", str(tool), str(source), str(out)],
            cwd=room,
            env={**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        if done.returncode != 0 or not out.exists():
            raise BuildError(f"js-compute-runtime: {done.stderr[-500:]}{done.stdout[-500:]}")
        return out.read_bytes()
    finally:
        source.unlink(missing_ok=True)
        out.unlink(missing_ok=True)


def _version(root: Path) -> str:
    try:
        return (root / COMPILER / "package.json").read_text()
    except OSError as error:
        raise BuildError("npm package @fastly/js-compute is not installed") from error


def hash_of(*parts: bytes | str) -> str:
    """A short name for what these parts are."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else part.encode())
    return found.hexdigest()[:32]


def replace(path: Path, data: bytes) -> None:
    """All of it or nothing, whoever else writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(path)
