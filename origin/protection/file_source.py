"""Keys of live channels from the sealed key file (PR-42, PR-90)."""

import asyncio
import os
from collections.abc import Mapping, Sequence

from origin.protection.keyfile import KeyFile
from origin.protection.keys import Scheme, distinct
from origin.protection.source import Grant


class FileSource:
    """Keys that follow from the master key, written to the file for licence servers to find."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file

    async def keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        return await asyncio.to_thread(self._keys, content_id, scheme, period, roles)

    def _keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        vault = self._file.vault()
        found = [vault.find(content_id, scheme, role, period) for role in roles]
        if None in found:
            with self._file.change() as vault:
                found = [*vault.derive(content_id, scheme, roles, os.urandom, period)]
        keys = distinct(key for key in found if key is not None)
        return {role: Grant(key) for role, key in zip(roles, keys, strict=True)}
