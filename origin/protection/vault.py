"""A file of content keys, sealed with a master key (specs/protection.md PR-90).

Each entry is AES-256-GCM over one key, with content id, KID and role as associated data and the id
of the master key that sealed it, so that a file can be sealed anew entry by entry while it is read.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey, Scheme, kid_of
from origin.protection.secret import KEY_BYTES, Secret
from origin.systems import HdcpLevel, Name, System

MASTER_BYTES = 32
NONCE_BYTES = 12
Random = Callable[[int], bytes]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a source says of a key to one DRM system (systems.System); no secret."""

    name: Name
    pssh: bytes = b""
    data: bytes = b""
    key_uri: str = ""
    descriptor: str = ""
    media_lines: tuple[str, ...] = ()
    main_lines: tuple[str, ...] = ()
    robustness: str = ""
    allowed_cpc: str = ""
    hdcp_level: HdcpLevel = ""
    output_protection: str = ""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key as it stands in the file."""

    content_id: str
    scheme: Scheme
    role: str
    period: int
    kid: str
    iv: str
    master: str
    nonce: str
    sealed: str
    systems: tuple[Told, ...] = ()
    source: str = "file"


class Sheet(msgspec.Struct):
    """The file."""

    version: int = 1
    entries: list[Entry] = []


@dataclass(frozen=True, slots=True)
class Masters:
    """Master keys by their id; the first seals, all open. Never shown."""

    _keys: tuple[bytes, ...]

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> "Masters":
        found = tuple(keys)
        if not found or any(len(key) != MASTER_BYTES for key in found):
            raise ProtectionError("sealed", f"a master key has {MASTER_BYTES} bytes")
        return cls(found)

    @classmethod
    def parse(cls, text: str) -> "Masters":
        """Hexadecimal, one a line, the one in use first."""
        try:
            return cls.of(bytes.fromhex(line) for line in text.split())
        except ValueError:
            raise ProtectionError("sealed", "a master key is 64 hexadecimal digits") from None

    def __repr__(self) -> str:
        return f"Masters({len(self._keys)})"

    def seal(self, data: bytes, bound: bytes, random: Random) -> tuple[str, str, str]:
        """Master key's id, nonce and sealed text."""
        nonce = random(NONCE_BYTES)
        sealed = AESGCM(self._keys[0]).encrypt(nonce, data, bound)
        return _id(self._keys[0]), _b64(nonce), _b64(sealed)

    def derive(self, label: bytes) -> bytes:
        """A secret of 32 bytes that every origin with this master key agrees on."""
        return hmac.digest(self._keys[0], b"headwater derived\0" + label, "sha256")

    def current(self, entry: Entry) -> bool:
        return entry.master == _id(self._keys[0])

    def open(self, entry: Entry) -> bytes:
        """ProtectionError `sealed`, whatever is wrong."""
        key = next((key for key in self._keys if _id(key) == entry.master), None)
        try:
            if key is None:
                raise ValueError
            nonce, sealed = base64.b64decode(entry.nonce), base64.b64decode(entry.sealed)
            return AESGCM(key).decrypt(
                nonce, sealed, _bound(entry.content_id, entry.kid, entry.role)
            )
        except (InvalidTag, ValueError, binascii.Error):
            raise ProtectionError("sealed", f"the key {entry.kid} cannot be opened") from None


class Vault:
    """The keys of a file: bytes in, bytes out."""

    def __init__(self, data: bytes, masters: Masters) -> None:
        self._masters = masters
        try:
            self._sheet = msgspec.json.decode(data, type=Sheet) if data else Sheet(entries=[])
        except ValueError:
            raise ProtectionError("sealed", "the key file cannot be read") from None
        self._opened: dict[tuple[str, str], ContentKey] = {}
        self._by_kid: dict[str, Entry] = {}
        self._by_name: dict[tuple[str, Scheme, str, int], Entry] = {}
        for entry in self._sheet.entries:
            self._index(entry)

    def _index(self, entry: Entry) -> None:
        self._by_kid[entry.kid] = entry
        self._by_name[entry.content_id, entry.scheme, entry.role, entry.period] = entry

    def dump(self) -> bytes:
        return msgspec.json.encode(self._sheet)

    def by_kid(self, kid: bytes) -> ContentKey | None:
        entry = self._by_kid.get(kid.hex())
        return self._key(entry) if entry is not None else None

    def find(
        self, content_id: str, scheme: Scheme, role: str, period: int = 0
    ) -> ContentKey | None:
        entry = self._by_name.get((content_id, scheme, role, period))
        return self._key(entry) if entry is not None else None

    def told(self, key: ContentKey) -> tuple[System, ...]:
        """What its source says of a key to DRM systems."""
        entry = self._by_kid.get(key.kid.hex())
        said = entry.systems if entry is not None else ()
        return tuple(System(**msgspec.structs.asdict(each)) for each in said)

    def _key(self, entry: Entry) -> ContentKey:
        name = entry.kid, entry.role
        if name not in self._opened:
            self._opened[name] = self._open(entry)
        return self._opened[name]

    def entries(self, content_id: str = "") -> list[Entry]:
        """What is in the file, of one content id or all; keys are sealed in it."""
        found = self._sheet.entries
        return [each for each in found if not content_id or each.content_id == content_id]

    def next_period(self, key: ContentKey) -> int | None:
        """When the period behind the key's begins, as far as keys are known."""
        later = (
            entry.period
            for entry in self._sheet.entries
            if entry.content_id == key.content_id and entry.period > key.period
        )
        return min(later, default=None)

    def add(self, key: ContentKey, random: Random, systems: Sequence[System] = ()) -> None:
        """Store a key; the same KID with another key is refused. One key may have several roles;
        of a role's keys the last one counts, the others are still found by their KIDs.
        """
        held = self.by_kid(key.kid)
        if held is not None and held.secret != key.secret:
            raise ProtectionError("bad_key", f"another key has the KID {key.uuid}")
        kid = key.kid.hex()
        named = self._by_name.get((key.content_id, key.scheme, key.role, key.period))
        if named is not None and named.kid == kid:
            return
        bound = _bound(key.content_id, kid, key.role)
        sealed = self._masters.seal(key.secret.reveal(), bound, random)
        entry = Entry(
            key.content_id, key.scheme, key.role, key.period, kid, key.constant_iv.hex(), *sealed,
            tuple(_told(system) for system in systems), key.source,
        )  # fmt: skip
        self._sheet.entries.append(entry)
        self._index(entry)

    def ensure(
        self, content_id: str, scheme: Scheme, roles: Sequence[str], random: Random, period: int = 0
    ) -> list[ContentKey]:
        """The keys of these roles, made where there are none."""
        keys = []
        for role in roles:
            key = self.find(content_id, scheme, role, period)
            if key is None:
                iv = random(KEY_BYTES) if scheme == "cbcs" else b""
                kid = kid_of(content_id, scheme, role, period)
                secret = Secret(random(KEY_BYTES))
                key = ContentKey(kid, secret, scheme, role, content_id, iv, period)
                self.add(key, random)
            keys.append(key)
        return keys

    def derive(
        self, content_id: str, scheme: Scheme, roles: Sequence[str], random: Random, period: int
    ) -> list[ContentKey]:
        """The keys of these roles; where there are none, they follow from the master key in use, so
        that origins which share nothing else agree (PR-42, PR-160).
        """
        keys = []
        for role in roles:
            key = self.find(content_id, scheme, role, period)
            if key is None:
                kid = kid_of(content_id, scheme, role, period)
                secret = self._masters.derive(b"key\0" + kid)[:KEY_BYTES]
                iv = self._masters.derive(b"iv\0" + kid)[:KEY_BYTES] if scheme == "cbcs" else b""
                key = ContentKey(kid, Secret(secret), scheme, role, content_id, iv, period)
                self.add(key, random)
            keys.append(key)
        return keys

    def reseal(self, random: Random) -> int:
        """Seal what an older master key sealed with the one in use; how many entries changed."""
        changed = 0
        for at, entry in enumerate(self._sheet.entries):
            if self._masters.current(entry):
                continue
            bound = _bound(entry.content_id, entry.kid, entry.role)
            master, nonce, sealed = self._masters.seal(self._masters.open(entry), bound, random)
            fresh = msgspec.structs.replace(entry, master=master, nonce=nonce, sealed=sealed)
            self._sheet.entries[at] = fresh
            self._index(fresh)
            changed += 1
        return changed

    def _open(self, entry: Entry) -> ContentKey:
        try:
            kid, iv = bytes.fromhex(entry.kid), bytes.fromhex(entry.iv)
            secret = Secret(self._masters.open(entry))
        except ValueError:
            raise ProtectionError("sealed", "the key file cannot be read") from None
        return ContentKey(
            kid, secret, entry.scheme, entry.role, entry.content_id, iv, entry.period, entry.source
        )


def _told(system: System) -> Told:
    return Told(
        system.name, system.pssh, system.data, system.key_uri, system.descriptor,
        system.media_lines, system.main_lines, system.robustness, system.allowed_cpc,
        system.hdcp_level, system.output_protection,
    )  # fmt: skip


def _id(master: bytes) -> str:
    return hashlib.sha256(b"headwater master key id\0" + master).hexdigest()[:16]


def _bound(content_id: str, kid: str, role: str) -> bytes:
    return content_id.encode() + bytes.fromhex(kid) + role.encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
