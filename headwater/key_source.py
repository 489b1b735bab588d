"""Token keys from wherever `--keys` says: a file of JWK members, a JWK Set, a COSE_KeySet, a sealed
file (its 32-byte secret stands in hex in HEADWATER_KEYS_SECRET), `env:NAME`, or
`vault:MOUNT/PATH` of a KV v2 engine (headwater.vault).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import cat
from cat import keyfiles
from headwater import vault

SECRET: Final = "HEADWATER_KEYS_SECRET"
ENVIRONMENT: Final = "env:"
_CBOR_ARRAY: Final = 4  # major type, RFC 8949, 3.1


def key_set(source: str | Path, environment: Mapping[str, str] = os.environ) -> cat.KeySet:
    """The keys; KeyFileError says what is wrong, never what stands there."""
    name = str(source)
    if name.startswith(ENVIRONMENT):
        return keyfiles.from_environment(environment, name.removeprefix(ENVIRONMENT))
    if name.startswith(vault.SCHEME):
        return vault.held_keys(name, environment)
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise cat.KeyFileError(f"cannot read the key file: {error.strerror}") from None
    if data.startswith(keyfiles.MAGIC):
        try:
            secret = bytes.fromhex(environment.get(SECRET, ""))
        except ValueError:
            raise cat.KeyFileError(f"{SECRET} is not hex") from None
        return keyfiles.unseal(data, secret)
    if data[:1] and data[0] >> 5 == _CBOR_ARRAY:
        return keyfiles.from_cose_key_set(data)
    return cat.KeySet.from_json(Path(name))
