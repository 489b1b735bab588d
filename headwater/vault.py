"""Keys that HashiCorp Vault holds: whole key sets in KV version 2, or a transit engine that signs
and never gives the key away (Vault HTTP API, `secret/kv/kv-v2` and `secret/transit`).

When the signer is away, an `Issuing` goes on with a key of its own for a while: tokens of
`EMERGENCY_S` that outlive a short outage, each told to the audit log as such.
"""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import aiohttp

import cat
from cat import cbor, mint
from cat.mint import Draft
from cat.tables import LABELS
from cat.text import from_text
from runtime import logs

SCHEME: Final = "vault:"
ADDRESS, TOKEN = "VAULT_ADDR", "VAULT_TOKEN"  # as Vault's own command line has them
EMERGENCY_S: Final = 900
TIMEOUT_S: Final = 2.0
MAX_ANSWER_BYTES: Final = 1 << 20
_TRANSIT: Final = {  # alg -> path, what is asked for beside the input, COSE algorithm
    "HS256": ("hmac/{key}/sha2-256", {}, 5),
    "ES256": ("sign/{key}/sha2-256", {"marshaling_algorithm": "jws"}, -7),
    "PS256": ("sign/{key}/sha2-256", {"signature_algorithm": "pss", "salt_length": "hash"}, -37),
}
audit = logs.get("audit")


class VaultError(cat.KeyFileError):
    """Vault is away or refuses; never quotes its answer."""


class Vault:
    """One Vault server and the token that opens it."""

    def __init__(self, client: aiohttp.ClientSession, url: str, token: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}

    async def key_set(self, path: str, mount: str = "secret") -> cat.KeySet:
        """The key set that stands under `keys` in a KV v2 secret, as JSON or as its text."""
        found = (await self._ask("GET", f"{mount}/data/{path}")).get("data")
        keys = found.get("keys") if isinstance(found, dict) else None
        if isinstance(keys, str):
            try:
                keys = json.loads(keys)
            except ValueError:
                keys = None
        if not isinstance(keys, list):
            raise VaultError(f"{mount}/{path} holds no key set")
        return cat.KeySet.from_json(keys)

    async def seal(self, alg: str, key: str, data: bytes, mount: str = "transit") -> bytes:
        """The MAC or signature over `data`, in COSE form."""
        path, asked, _ = _TRANSIT[alg]
        body = {"input": base64.b64encode(data).decode(), **asked}
        answer = await self._ask("POST", f"{mount}/{path.format(key=key)}", body)
        text = answer.get("hmac" if alg == "HS256" else "signature")
        if not isinstance(text, str) or text.count(":") != 2:
            raise VaultError("the transit engine gave no signature")
        value = text.rpartition(":")[2]
        try:
            return from_text(value) if alg == "ES256" else base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            raise VaultError("the transit engine's signature is malformed") from None

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                async with self._client.request(
                    method, f"{self._url}/v1/{path}", json=body, headers=self._headers
                ) as answer:
                    raw = await answer.content.read(MAX_ANSWER_BYTES)
                    status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            raise VaultError("Vault cannot be reached") from None
        if status != 200:
            raise VaultError(f"Vault answers {status}")
        try:
            found = json.loads(raw)["data"]
        except (ValueError, KeyError, TypeError):
            raise VaultError("Vault's answer is not one") from None
        if not isinstance(found, dict):
            raise VaultError("Vault's answer is not one")
        return found


class Signer(Protocol):
    """Makes a token of claims as `cat.issue.payload_of` writes them; CatError when it cannot."""

    async def seal(self, payload: bytes) -> str: ...


class TransitSigner:
    """Seals with a key that never leaves Vault."""

    def __init__(self, vault: Vault, alg: str, key: str, kid: str) -> None:
        self._vault = vault
        self._alg = alg
        self._key = key
        self._kid = kid

    async def seal(self, payload: bytes) -> str:
        draft = Draft(payload, self._kid, _TRANSIT[self._alg][2])
        return draft.sealed(await self._vault.seal(self._alg, self._key, draft.signed_bytes))


class Issuing:
    """A signer, and a key for when it is away."""

    def __init__(
        self, signer: Signer, emergency: cat.Key, clock: Callable[[], float] = time.time
    ) -> None:
        self._signer = signer
        self._emergency = emergency
        self._clock = clock

    async def seal(self, payload: bytes) -> str:
        """A token as asked for, or one of at least `EMERGENCY_S` by the emergency key."""
        try:
            return await self._signer.seal(payload)
        except VaultError as error:
            label = cbor.encode(LABELS["exp"])
            claims = cbor.items(payload)
            until = max(int(self._clock()) + EMERGENCY_S, _number(claims[label]))
            audit.warning("emergency_token", kid=self._emergency.kid, exp=until, error=str(error))
            return mint.seal(cbor.join(claims | {label: cbor.encode(until)}), self._emergency)


def _number(data: bytes) -> float:
    found = cbor.decode(data)
    return found if isinstance(found, int | float) else 0


@asynccontextmanager
async def opened(environment: Mapping[str, str]) -> AsyncIterator[Vault]:
    """The Vault that `ADDRESS` and `TOKEN` name; VaultError without them."""
    address, token = environment.get(ADDRESS), environment.get(TOKEN)
    if not address or not token:
        raise VaultError(f"{ADDRESS} and {TOKEN} name no Vault")
    async with aiohttp.ClientSession() as client:
        yield Vault(client, address, token)


def held_keys(source: str, environment: Mapping[str, str]) -> cat.KeySet:
    """The key set of `vault:MOUNT/PATH`, for commands."""

    async def ask() -> cat.KeySet:
        mount, _, path = source.removeprefix(SCHEME).partition("/")
        async with opened(environment) as vault:
            return await vault.key_set(path, mount)

    return asyncio.run(ask())


def sealed_by_transit(
    payload: bytes, transit: tuple[str, str, str], spare: cat.Key | None, at: Mapping[str, str]
) -> str:
    """A token by (algorithm, transit key, kid) of the Vault that the environment `at` names, or by
    the spare key, for commands.
    """

    async def ask() -> str:
        async with opened(at) as vault:
            signer: Signer = TransitSigner(vault, *transit)
            return await (signer if spare is None else Issuing(signer, spare)).seal(payload)

    return asyncio.run(ask())
