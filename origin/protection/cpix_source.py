"""Keys from a CPIX document on disk, for channels and for titles (PR-91..PR-97).

The document is read again when it changes. What it gives is kept in the sealed key file too, where
licence servers look.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cryptography import x509

from origin.protection import cpix
from origin.protection.cpix_keys import Recipient
from origin.protection.cpix_rules import Context, choose
from origin.protection.cpix_signals import systems_of
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.keys import AUDIO_ROLE, SHARED_ROLE, TRANSPORT_ROLE, ContentKey, Scheme
from origin.protection.markup import LONGEST
from origin.protection.source import Grant
from origin.settings import Cpix

# what a role is to a usage rule: the largest picture, or the fewest channels, that are usual in it
PICTURES = {
    "sd": (1024, 576), "hd1": (1280, 720), "sd+hd1": (1280, 720), "hd": (1920, 1080),
    "hd2": (1920, 1080), "video": (1920, 1080), SHARED_ROLE: (1920, 1080), "uhd": (3840, 2160),
    "uhd1": (3840, 2160), "uhd2": (7680, 4320),
}  # fmt: skip
SOUNDS = {
    AUDIO_ROLE: 2, "stereo_audio": 2, "multichannel_audio": 6, "multichannel_audio_3_6": 6,
    "multichannel_audio_7": 8,
}  # fmt: skip
CONTEXTS: Mapping[str, Context] = {
    **{role: Context("video", *size) for role, size in PICTURES.items()},
    **{role: Context("audio", channels=channels) for role, channels in SOUNDS.items()},
}


class CpixSource:
    """One document."""

    def __init__(self, path: Path, settings: Cpix, file: KeyFile) -> None:
        self._path = path
        self._settings = settings
        self._file = file
        self._read: tuple[tuple[int, int, str], cpix.Document] | None = None

    async def keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        """As KeySource. A ContentKeyPeriod is met by its times, or by an index that is the period's
        beginning in seconds.
        """
        return await asyncio.to_thread(self._keys, content_id, scheme, period, roles)

    def _keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        contexts = {}
        for role in roles:
            if role not in CONTEXTS:
                raise ProtectionError("no_key", f"CPIX has no rule for {role}")
            context = CONTEXTS[role]
            timed = replace(context, period=period, time_s=float(period))
            contexts[role] = timed if period else context
        found = self.chosen(content_id, scheme, contexts, period)
        self.keep(found.values())
        return found

    def chosen(
        self, content_id: str, scheme: Scheme, contexts: Mapping[str, Context], period: int = 0
    ) -> dict[str, Grant]:
        """The grant of each context, by its name. ProtectionError `no_key` where no rule covers
        one.
        """
        document = self._document(scheme)
        found = {}
        for name, context in contexts.items():
            kid = choose(document.rules, list(document.keys), document.periods, context)
            if kid is None:
                raise ProtectionError("no_key", f"{self._path.name}: no rule covers {name}")
            key = replace(document.keys[kid], content_id=content_id, role=name, period=period)
            found[name] = Grant(key, systems_of(document.systems.get(kid, ()), key))
        return found

    def transport(self, content_id: str, scheme: Scheme) -> ContentKey | None:
        """The document's key of AES-128, kept in the key file."""
        found = self._document(scheme).transport
        if found is None:
            return None
        key = replace(found, content_id=content_id, role=TRANSPORT_ROLE)
        self.keep([Grant(key)])
        return key

    def keep(self, grants: Iterable[Grant]) -> None:
        """Into the key file."""
        with self._file.change() as vault:
            for grant in grants:
                vault.add(grant.key, os.urandom, grant.systems)

    def _document(self, scheme: Scheme) -> cpix.Document:
        try:
            status = self._path.stat()
            seen = status.st_mtime_ns, status.st_size, scheme
            if self._read is None or self._read[0] != seen:
                self._read = seen, document(self._path, scheme, self._settings)
        except OSError as error:
            raise ProtectionError("no_key", f"{self._path.name}: {error.strerror}") from None
        return self._read[1]


def document(path: Path, scheme: Scheme, settings: Cpix) -> cpix.Document:
    """A document on disk, opened and checked as the settings say."""
    try:
        if path.stat().st_size > LONGEST:
            raise ProtectionError("bad_document", f"{path.name} is too long")
        data = path.read_bytes()
        recipient, signers = _parties(settings)
    except OSError as error:
        raise ProtectionError("no_key", f"{path.name}: {error.strerror}") from None
    return cpix.read(data, scheme, recipient, signers=signers, signature=settings.signed)


def _parties(settings: Cpix) -> tuple[Recipient | None, list[x509.Certificate]]:
    key = settings.recipient_key
    recipient = Recipient.parse(Path(key).read_bytes()) if key else None
    try:
        signers = [x509.load_pem_x509_certificate(Path(p).read_bytes()) for p in settings.signers]
    except ValueError:
        raise ProtectionError("bad_document", "a signer's certificate is malformed") from None
    return recipient, signers
