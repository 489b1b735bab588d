"""Where content keys come from: one face for a key file, CPIX documents and SPEKE servers.

Keys are asked for ahead of their time, in the background, never while a viewer waits (PR-53). The
same question always has the same answer (PR-42, PR-101); whoever answers remembers what he must to
give it again after a restart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from origin.protection.keys import ContentKey, Scheme
from origin.systems import System


@dataclass(frozen=True, slots=True)
class Grant:
    """A key, and what its source says of it to DRM systems; a system that it does not name is
    offered as the settings say (offers.py). `valid_until_s`: no period that begins after this
    moment (seconds since 1970) is protected with the key; 0 for no end.
    """

    key: ContentKey
    systems: tuple[System, ...] = ()
    valid_until_s: float = 0.0


class KeySource(Protocol):
    """Keys of one kind of source."""

    async def keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        """The key of each role asked for, by role, in this crypto period.

        `period` is when it begins, in seconds since 1970; 0 for a key that is never changed. Two
        roles may have one key. ProtectionError `no_key` when there is none now: the caller tries
        again later.
        """
