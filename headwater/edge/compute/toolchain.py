"""From a bundle's wasm to machine code, made once and kept by the hash of what it came from
(E-21).
"""

import platform
from importlib.metadata import version
from pathlib import Path

import wasmtime

from headwater.edge.compute.service import Service
from headwater.edge.translate import hash_of, replace, wasm_of


def compiled(code: bytes, node: str, root: Path, cache: Path) -> Service:
    """The service of a bundle. `root` holds node_modules; `cache` keeps both products."""
    engine = wasmtime.Engine(wasmtime.Config())
    data = wasm_of(code, node, root, cache)
    machine = hash_of(data, version("wasmtime"), platform.machine(), _cpu())
    native = cache / f"{machine}.cwasm"
    try:
        return Service(engine, wasmtime.Module.deserialize_file(engine, str(native)))
    except wasmtime.WasmtimeError:
        module = wasmtime.Module(engine, data)
        replace(native, bytes(module.serialize()))
        return Service(engine, module)


def _cpu() -> str:
    """What machine code depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), "")
