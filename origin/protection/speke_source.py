"""Keys from a SPEKE v2 server, kept in the sealed key file (PR-42, PR-101, PR-102)."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cryptography import x509

from origin.protection import speke
from origin.protection.contract import Contract
from origin.protection.cpix_keys import Recipient, certificate_text
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.keys import (
    SHARED_ROLE,
    TRANSPORT_ROLE,
    TRANSPORT_SCHEME,
    ContentKey,
    Scheme,
)
from origin.protection.source import Grant
from origin.protection.speke_auth import authorization, tls
from origin.settings import Speke
from origin.systems import Name
from runtime import logs
from runtime.fetch import Fetched, Fetcher, FetchError

TRIES = 3
PAUSE_S = 0.5  # before the second try, doubled before the third, with jitter
LONGEST_BYTES = 4 << 20  # PR-98
LATER = frozenset({429})

log = logs.get("keys")


class SpekeSource:
    """One server. `systems` are what it is asked about; `rotations` how long the periods of a
    content id are, in seconds; `pause` waits between tries.
    """

    def __init__(
        self,
        settings: Speke,
        file: KeyFile,
        systems: Sequence[Name],
        rotations: Mapping[str, int] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._file = file
        self._systems = tuple(settings.systems or systems)
        self._rotations = rotations or {}
        self._pause = pause
        self._contract = Contract(settings.video, settings.audio)
        self._recipient, self._certificate = _recipient(settings)

    async def keys(
        self, content_id: str, scheme: Scheme, period: int, roles: Sequence[str]
    ) -> Mapping[str, Grant]:
        """As KeySource; roles may be track types of the contract in lower case too."""
        shared = SHARED_ROLE in roles
        contract = Contract("SHARED", "SHARED") if shared else self._contract
        lasts = self._rotations.get(content_id, 0) if period else 0
        request = speke.Request(
            content_id,
            scheme,
            period,
            contract,
            self._systems,
            self._certificate,
            self._settings.version,
            period + lasts if lasts else 0,
        )
        grants = await asyncio.to_thread(self._held, request)
        if grants is None:
            grants = await self._asked(request)
            await asyncio.to_thread(self._keep, grants.values())
        return speke.by_roles(grants, contract, roles)

    async def transport(self, content_id: str) -> ContentKey | None:
        """The key of a film's MPEG-TS; None where the server is not to be asked for it."""
        if not self._settings.aes128:
            return None
        vault = await asyncio.to_thread(self._file.vault)
        held = vault.find(content_id, TRANSPORT_SCHEME, TRANSPORT_ROLE)
        if held is not None and held.source == "speke":
            return held
        request = speke.of_packets(content_id, self._certificate, self._settings.version)
        key = speke.read_packets(request, *await self._answer(request), self._recipient)
        await asyncio.to_thread(self._keep, [Grant(key)])
        return key

    def _held(self, request: speke.Request) -> dict[str, Grant] | None:
        """What an earlier answer gave, if all of it is there."""
        vault, found = self._file.vault(), {}
        for rule in request.rules:
            role = rule.track_type.lower()
            key = vault.find(request.content_id, request.scheme, role, request.period)
            if key is None or key.source != "speke":
                return None
            found[rule.track_type] = Grant(key, vault.told(key))
        return found

    def _keep(self, grants: Iterable[Grant]) -> None:
        with self._file.change() as vault:
            for grant in grants:
                vault.add(grant.key, os.urandom, grant.systems)

    async def _asked(self, request: speke.Request) -> dict[str, Grant]:
        return speke.read(request, *await self._answer(request), self._recipient)

    async def _answer(self, request: speke.Request) -> tuple[bytes, Mapping[str, str]]:
        """The document that the server has filled, and the answer's headers."""
        body = request.body()
        async with Fetcher(
            [self._settings.url],
            name="speke",
            timeout_s=self._settings.answer_s,
            connect_timeout_s=self._settings.connect_s,
            max_bytes=LONGEST_BYTES,
            tls=tls(self._settings),
        ) as fetcher:
            answer = await self._tried(fetcher, body, request.headers)
        if answer.status != 200:
            raise ProtectionError(
                "key_server", f"status {answer.status}: {speke.reason(answer.body)}"
            )
        return answer.body, answer.headers

    async def _tried(self, fetcher: Fetcher, body: bytes, headers: Mapping[str, str]) -> Fetched:
        """An answer that another try would not change, or ProtectionError `unreachable`."""
        detail = ""
        for attempt in range(TRIES):
            if attempt:
                await self._pause(PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
            signed = {**headers, **authorization(self._settings, body, headers)}
            try:
                answer = await fetcher.post(self._settings.url, body, signed)
            except FetchError as error:
                if error.code in ("bad_url", "not_allowed", "too_large"):
                    raise ProtectionError("key_server", error.code) from None
                detail = error.code
            else:
                if answer.status < 500 and answer.status not in LATER:
                    return answer
                detail = f"status {answer.status}"
            log.warning("speke_tried", attempt=attempt + 1, detail=detail)
        raise ProtectionError("unreachable", f"the key server gave no keys: {detail}")


def _recipient(settings: Speke) -> tuple[Recipient | None, str]:
    """Who opens encrypted keys, and the certificate that asks for them (RSA 2,048; PR-103)."""
    if not settings.recipient_certificate:
        return None, ""
    try:
        recipient = Recipient.parse(Path(settings.recipient_key).read_bytes())
        pem = Path(settings.recipient_certificate).read_bytes()
        return recipient, certificate_text(x509.load_pem_x509_certificate(pem))
    except (OSError, ValueError) as error:
        what = f"the recipient's certificate or key: {type(error).__name__}"
        raise ProtectionError("bad_document", what) from None
