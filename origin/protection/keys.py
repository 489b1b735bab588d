"""Content keys and what they are for (specs/protection.md PR-16, PR-19, PR-40..PR-42)."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from origin.protection.errors import ProtectionError
from origin.protection.secret import KEY_BYTES, Secret
from origin.tracks import Rendition

Scheme = Literal["cenc", "cbcs"]
SCHEMES: tuple[Scheme, ...] = ("cbcs", "cenc")

# PR-40: a video key's role by encoded pixels, inclusive
VIDEO_ROLES: tuple[tuple[int, str], ...] = ((589_824, "sd"), (2_073_600, "hd"))
TOP_ROLE = "uhd"
AUDIO_ROLE = "audio"
SHARED_ROLE = "all"  # of the one key of everything (PR-104, SHARED)
TRANSPORT_ROLE = "transport"  # of AES-128 (PR-145)
TRANSPORT_SCHEME: Scheme = "cbcs"  # as key files file it: AES-CBC, both
ROLES = (*(role for _, role in VIDEO_ROLES), TOP_ROLE, AUDIO_ROLE)
_NAMES = uuid.UUID("9d7c5a52-5d0c-5b3f-8a5b-3c1c2f0d7c11")  # of KIDs that we choose (PR-42)

TRACK_BITS, INPUT_BITS, SAMPLE_BITS = 12, 4, 48  # PR-16: what an IV of cenc names


@dataclass(frozen=True, slots=True)
class ContentKey:
    """One key of one content id, role and crypto period (PR-40)."""

    kid: bytes
    secret: Secret
    scheme: Scheme
    role: str
    content_id: str
    constant_iv: bytes = b""  # cbcs
    period: int = 0
    source: str = "file"

    def __post_init__(self) -> None:
        if len(self.kid) != KEY_BYTES or not any(self.kid):
            raise ProtectionError("bad_key", f"a KID has 16 bytes, not all of them 0 ({self.role})")
        if len(self.constant_iv) != (KEY_BYTES if self.scheme == "cbcs" else 0):
            raise ProtectionError("bad_key", "cbcs has a constant IV of 16 bytes, cenc has none")
        if self.constant_iv == self.secret.reveal():
            raise ProtectionError("iv_equals_key", f"the IV of {self.uuid} is its key (PR-19)")

    @property
    def uuid(self) -> str:
        """The KID as DASH, CPIX and logs write it."""
        return str(uuid.UUID(bytes=self.kid))


def role_of(r: Rendition, shared: bool = False) -> str:
    """PR-40; "" for what stays clear (PR-1). `shared`: one key serves all."""
    if shared and r.kind in ("audio", "video"):
        return SHARED_ROLE
    if r.kind == "audio":
        return AUDIO_ROLE
    if r.kind != "video":
        return ""
    pixels = r.width * r.height
    return next((role for most, role in VIDEO_ROLES if pixels <= most), TOP_ROLE)


def kid_of(content_id: str, scheme: Scheme, role: str, period: int) -> bytes:
    """The KID that every origin and restart gives the same key (PR-42)."""
    return uuid.uuid5(_NAMES, f"{content_id}\0{scheme}\0{role}\0{period}").bytes


def sample_iv(track: int, source: int, sample: int) -> int:
    """The 64-bit IV of a sample under its key in cenc: no two samples have the same (PR-16).

    `track` is the track's number within the key, `source` its input (0 where inputs are equal),
    `sample` its index in the source, or its decode time in ticks. ProtectionError `overflow`.
    """
    if not (
        0 <= track < 1 << TRACK_BITS
        and 0 <= source < 1 << INPUT_BITS
        and 0 <= sample < 1 << SAMPLE_BITS
    ):
        raise ProtectionError("overflow", "the track, input or sample number does not fit the IV")
    return track << INPUT_BITS + SAMPLE_BITS | source << SAMPLE_BITS | sample


def distinct(keys: Iterable[ContentKey]) -> list[ContentKey]:
    """The keys as given, found fit to be used side by side (PR-40, PR-42)."""
    taken: dict[Secret, Scheme] = {}
    kids: dict[bytes, Secret] = {}
    checked = list(keys)
    for key in checked:
        if taken.setdefault(key.secret, key.scheme) != key.scheme:
            raise ProtectionError("bad_key", f"the key of {key.uuid} serves cenc and cbcs (PR-40)")
        if kids.setdefault(key.kid, key.secret) != key.secret:
            raise ProtectionError("bad_key", f"two keys have the KID {key.uuid}")
    return checked
