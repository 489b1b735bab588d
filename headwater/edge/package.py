"""The package of a Compute service as Fastly takes it: `NAME/fastly.toml` and `NAME/bin/main.wasm`,
tarred and gzipped (Fastly, package structure and fastly.toml reference, read 2026-08). Equal wasm
gives equal bytes.
"""

import gzip
import hashlib
import io
import json
import tarfile
from typing import Final

from headwater.edge.errors import BuildError

LIMIT_BYTES: Final = 100 << 20  # edge.md section 1
GZIP_LEVEL: Final = 1
FILE: Final = "package.tar.gz"
STORES: Final = ("config_stores", "secret_stores", "kv_stores")


def package(name: str, wasm: bytes) -> bytes:
    """BuildError where it is too large. `name` is a folder's: no slash."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in (("fastly.toml", _toml(name).encode()), ("bin/main.wasm", wasm)):
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    packed = gzip.compress(held.getvalue(), GZIP_LEVEL, mtime=0)
    if (over := len(packed) - LIMIT_BYTES) > 0:
        raise BuildError(f"the package is {len(packed)} bytes, {over} over the limit")
    return packed


def manifest(packed: bytes, wasm: bytes) -> dict[str, object]:
    """What the package is and how much of its limit it takes."""
    return {
        "package": FILE,
        "package_sha256": hashlib.sha256(packed).hexdigest(),
        "package_bytes": len(packed),
        "package_limit_bytes": LIMIT_BYTES,
        "package_left_bytes": LIMIT_BYTES - len(packed),
        "wasm_sha256": hashlib.sha256(wasm).hexdigest(),
        "wasm_bytes": len(wasm),
    }


def _toml(name: str) -> str:
    lines = [
        "manifest_version = 3",
        f"name = {json.dumps(name)}",
        'description = "Headwater: Common Access Tokens"',
        "authors = []",
        'language = "other"',
        'service_id = ""',
        "",
        "[setup.backends.origin]",
        'description = "The origin; edge.json names others under origins"',
        *(f'\n[setup.{kind}.headwater]\ndescription = "Settings of Headwater"' for kind in STORES),
    ]
    return "\n".join(lines) + "\n"
