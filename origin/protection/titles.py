"""Films that are protected as they are served (PR-16, PR-42, PR-43, PR-162).

A title's policy stands beside its record. It names the schemes, and gives every track of every file
that ever was in the title a number of its own: the IVs of cenc name samples by it, so that a film
that is registered anew never meets its old key with another plaintext.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import msgspec

from origin.errors import OriginError
from origin.protection.aes128 import Lock
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.keys import (
    TRANSPORT_ROLE,
    TRANSPORT_SCHEME,
    ContentKey,
    Scheme,
    distinct,
    role_of,
)
from origin.protection.offers import moov_boxes, offer, told
from origin.protection.sealer import LAYOUT, Sealer
from origin.protection.secret import Secret
from origin.protection.vault import Vault
from origin.settings import Protection
from origin.systems import Protected
from origin.tracks import Rendition
from origin.vod.catalog import POLICY, RECORD, folder, load_record
from origin.vod.index import Index, TrackIndex, load, save


class Policy(msgspec.Struct):
    """How a title is protected; no secrets. The first scheme is the default; a title without one
    is on hold.
    """

    content_id: str
    schemes: list[Scheme]
    numbers: dict[str, int] = {}
    shared: bool = False  # one key for all tracks; hls.js reads no second ClearKey of a title
    kids: dict[Scheme, dict[str, str]] = {}  # by track, of keys from outside; "" for a clear track
    transport: dict[Scheme, str] = {}  # likewise the KID of AES-128; "" for none


def protect(
    data_dir: Path,
    title: str,
    schemes: Sequence[Scheme],
    settings: Protection,
    *,
    shared: bool = False,
) -> list[ContentKey]:
    """Protect a registered title, or extend its policy; the keys of its tracks. OriginError when it
    cannot be.
    """
    home = folder(data_dir, title)
    policy, by_tag = opened(home, title)
    tracks = list(by_tag.values())
    policy.schemes = list(dict.fromkeys(schemes))
    policy.shared, policy.kids, policy.transport = shared, {}, {}
    roles = list(dict.fromkeys(role for t in tracks if (role := role_of(t.rendition, shared))))
    for track in tracks:  # refuse what cannot be served, before anything is written
        if role := role_of(track.rendition, shared):
            for scheme in policy.schemes:
                Sealer(track.init, _trial(scheme, role))
    keys: list[ContentKey] = []
    with KeyFile.open(settings, data_dir, create=True).change() as vault:
        for scheme in policy.schemes:
            keys += vault.ensure(policy.content_id, scheme, roles, os.urandom)
        vault.ensure(policy.content_id, TRANSPORT_SCHEME, [TRANSPORT_ROLE], os.urandom)
    settle(home, policy)
    return distinct(keys)


def opened(home: Path, title: str) -> tuple[Policy, dict[str, TrackIndex]]:
    """A title's policy with a number for each of its tracks, and the tracks."""
    policy = _policy(home) or Policy(title, [])
    tracks = {_tag(index, track): track for index in _indexes(home) for track in index.tracks}
    for name in sorted(tracks):
        policy.numbers.setdefault(name, len(policy.numbers))
    return policy, tracks


def hold(data_dir: Path, title: str) -> Policy | None:
    """Before a title is registered that is to be protected: nothing of it is served until a policy
    with keys is settled (PR-43). The policy that it has already, which stands.
    """
    home = folder(data_dir, title)
    found = _policy(home)
    if found is None:
        home.mkdir(parents=True, exist_ok=True)
        save(home / POLICY, msgspec.json.encode(Policy(title, [])))
    return found


def standing(data_dir: Path, title: str) -> Policy | None:
    """A title's policy; None for a title that is not protected."""
    return _policy(folder(data_dir, title))


def release(data_dir: Path, title: str) -> None:
    """Take back a hold, for nothing was registered."""
    home = folder(data_dir, title)
    (home / POLICY).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a title of before lives there
        home.rmdir()


def settle(home: Path, policy: Policy) -> None:
    """Write a policy; whoever has the title open opens it again."""
    save(home / POLICY, msgspec.json.encode(policy))
    os.utime(home / RECORD)


class Guards:
    """Guards of titles by name; None for a title that is not protected."""

    def __init__(self, data_dir: Path, settings: Protection) -> None:
        self._data_dir = data_dir
        self._settings = settings
        self._keys: KeyFile | None = None

    def get(self, title: str, scheme: str) -> "TitleGuard | None":
        """ProtectionError `no_key` for a protected title whose keys are not at hand; KeyError for a
        scheme that it does not have. "" is its default.
        """
        home = folder(self._data_dir, title)
        policy = _policy(home)
        if policy is None:
            if scheme:
                raise KeyError(scheme)
            return None
        if not policy.schemes:
            raise ProtectionError("no_key", f"{title} waits for its keys: run headwater protect")
        if self._keys is None:
            self._keys = KeyFile.open(self._settings, self._data_dir)
        wanted = policy.schemes[0] if not scheme else _one(policy.schemes, scheme)
        return TitleGuard(policy, wanted, _indexes(home), self._keys, self._settings)


class TitleGuard:
    """One title under one scheme."""

    def __init__(
        self,
        policy: Policy,
        scheme: Scheme,
        indexes: Sequence[Index],
        keys: KeyFile,
        settings: Protection,
    ) -> None:
        self._protected: dict[str, Protected] = {}
        self._sealers: dict[str, Sealer] = {}
        self._clear: set[str] = set()  # by contract
        kids = blake2b(digest_size=6)
        vault = keys.vault()
        for index in indexes:
            for track in index.tracks:
                if not (role := role_of(track.rendition, policy.shared)):
                    continue
                name, given = track.rendition.name, policy.kids.get(scheme)
                kid = given.get(_tag(index, track)) if given is not None else None
                if kid == "":
                    self._clear.add(name)
                    continue
                if given is None:
                    key = vault.find(policy.content_id, scheme, role)
                else:
                    key = vault.by_kid(bytes.fromhex(kid)) if kid is not None else None
                number = policy.numbers.get(_tag(index, track))
                if key is None or number is None:
                    raise ProtectionError(
                        "no_key", f"{policy.content_id} needs to be protected anew"
                    )
                shown = told(offer(key, settings.systems, settings.urls), vault.told(key))
                self._protected[name] = shown
                self._sealers[name] = Sealer(
                    track.init, key, number=number, boxes=moov_boxes(shown)
                )
                kids.update(key.kid)
        self.lock: Lock | None = None
        prefix = settings.urls.get("identity") if "clearkey" in settings.systems else None
        packets = _packets(policy, scheme, vault)
        if prefix and packets is not None:
            numbers = {
                t.rendition.name: policy.numbers[_tag(index, t)]
                for index in indexes
                for t in index.tracks
            }
            self.lock = Lock(packets, f"{prefix}/{packets.kid.hex()}", numbers)
            kids.update(packets.kid)
        self.tag = f"{scheme}{LAYOUT}{kids.hexdigest()}"

    def shown(self, rendition: Rendition) -> Rendition:
        """The rendition as players are told of it."""
        return replace(rendition, protected=self._protected.get(rendition.name))

    def init(self, track: str, data: bytes) -> bytes:
        return data if track in self._clear else self._sealers[track].init()

    def seal(self, track: str, data: bytes, first_sample: int) -> Sequence[bytes]:
        if track in self._clear:
            return [data]
        return self._sealers[track].seal(data, first_sample)

    def seal_fresh(
        self, track: str, head: bytes, sizes: bytes, media: bytes, first_sample: int
    ) -> Sequence[bytes]:
        if track in self._clear:
            return [head, media]
        return self._sealers[track].seal_fresh(head, sizes, media, first_sample)


def _packets(policy: Policy, scheme: Scheme, vault: Vault) -> ContentKey | None:
    """The key of a title's transport streams, from where its other keys are (PR-145)."""
    if scheme not in policy.kids:
        return vault.find(policy.content_id, TRANSPORT_SCHEME, TRANSPORT_ROLE)
    kid = policy.transport.get(scheme)
    return vault.by_kid(bytes.fromhex(kid)) if kid else None


def _policy(home: Path) -> Policy | None:
    try:
        return msgspec.json.decode((home / POLICY).read_bytes(), type=Policy)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ProtectionError("no_key", f"{home.name}: {POLICY} cannot be read") from error


def _indexes(home: Path) -> list[Index]:
    record = load_record(home)
    if record is None:
        raise OriginError(f"there is no title {home.name}", code="unknown_title", status=404)
    return [load(home / name) for name in record.indexes]


def _tag(index: Index, track: TrackIndex) -> str:
    return f"{track.rendition.name}@{index.digest}"


def _one(schemes: Sequence[Scheme], scheme: str) -> Scheme:
    for known in schemes:
        if known == scheme:
            return known
    raise KeyError(scheme)


def _trial(scheme: Scheme, role: str) -> ContentKey:
    """A key that is thrown away, to see whether a track can be protected."""
    iv = os.urandom(16) if scheme == "cbcs" else b""
    return ContentKey(os.urandom(16), Secret(os.urandom(16)), scheme, role, "trial", iv)
