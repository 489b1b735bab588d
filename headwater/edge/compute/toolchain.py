"""From a Fastly bundle to wasm, and from wasm to machine code, each made once and kept by the hash
of what it came from (E-20, E-21).
"""

import hashlib
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

import wasmtime

from headwater.edge.compute.service import Service
from headwater.edge.errors import BuildError

COMPILER: Final = Path("node_modules/@fastly/js-compute")
TIMEOUT_S: Final = 300


def compiled(code: bytes, node: str, root: Path, cache: Path) -> Service:
    """The service of a bundle. `root` holds node_modules; `cache` keeps both products."""
    engine = wasmtime.Engine(wasmtime.Config())
    wasm = cache / f"{_hash(code, _version(root))}.wasm"
    if not wasm.exists():
        _replace(wasm, translate(code, node, root, cache))
    data = wasm.read_bytes()
    machine = _hash(data, version("wasmtime"), platform.machine(), _cpu())
    native = cache / f"{machine}.cwasm"
    try:
        return Service(engine, wasmtime.Module.deserialize_file(engine, str(native)))
    except wasmtime.WasmtimeError:
        module = wasmtime.Module(engine, data)
        _replace(native, bytes(module.serialize()))
        return Service(engine, module)


def translate(code: bytes, node: str, root: Path, room: Path) -> bytes:
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


def _hash(*parts: bytes | str) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else part.encode())
    return found.hexdigest()[:32]


def _cpu() -> str:
    """What machine code depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), "")


def _replace(path: Path, data: bytes) -> None:
    """All of it or nothing, whoever else writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(path)
