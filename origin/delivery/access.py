"""Who may ask the delivery port: secret header, Bearer, addresses, G2O (specs/origin-http.md O14).

Everything that is configured is required. Two secrets are valid at once, so that they can be
rotated; comparisons take the same time wherever they fail.
"""

import hmac
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from origin.delivery import g2o

Secrets = Annotated[list[SecretStr], Field(max_length=2)]


class G2O(BaseModel):
    """Akamai's keys by nonce."""

    model_config = ConfigDict(extra="forbid")
    keys: dict[str, SecretStr] = Field(min_length=1)
    versions: list[Annotated[int, Field(ge=1, le=5)]] = [5]
    skew_s: Annotated[float, Field(gt=0, le=600)] = 30.0


class Access(BaseModel):
    """What a request must bring; nothing configured lets everybody in."""

    model_config = ConfigDict(extra="forbid")
    header: str = Field(default="x-origin-secret", pattern=r"^[A-Za-z0-9-]+$")
    secrets: Secrets = []
    bearer: Secrets = []
    allow: list[IPv4Network | IPv6Network] = []
    g2o: G2O | None = None

    @property
    def open(self) -> bool:
        return not (self.secrets or self.bearer or self.allow or self.g2o)


class Door:
    """One Access, ready to judge. `denied` counts refusals by code."""

    def __init__(self, access: Access) -> None:
        self.open = access.open
        self.signed = access.g2o is not None
        self.denied: dict[str, int] = {}
        self._header = access.header.lower()
        self._secrets = [s.get_secret_value().encode() for s in access.secrets]
        self._bearer = [s.get_secret_value().encode() for s in access.bearer]
        self._allow = access.allow
        self._g2o = access.g2o
        self._keys: dict[str, bytes] = {}
        self.replays = g2o.Replays(0)
        if access.g2o is not None:
            self._keys = {n: k.get_secret_value().encode() for n, k in access.g2o.keys.items()}
            self.replays = g2o.Replays(2 * access.g2o.skew_s)

    def refusal(
        self, header: Callable[[str], str | None], peer: str, target: str, now_s: float
    ) -> str | None:
        """Why to answer 403, as a stable code; None lets the request in.

        `header` gives a field by lower-case name, `target` is the path and query as received.
        """
        code = self._judge(header, peer, target, now_s)
        if code is not None:
            self.denied[code] = self.denied.get(code, 0) + 1
        return code

    def _judge(
        self, header: Callable[[str], str | None], peer: str, target: str, now_s: float
    ) -> str | None:
        if self._allow and not self._listed(peer):
            return "address_denied"
        if self._secrets and not _equals_any(header(self._header), self._secrets):
            return "secret_denied"
        if self._bearer and not _equals_any(_bearer(header("authorization")), self._bearer):
            return "bearer_denied"
        if self._g2o is not None:
            return g2o.refusal(
                header(g2o.DATA_HEADER),
                header(g2o.SIGN_HEADER),
                target,
                keys=self._keys,
                versions=self._g2o.versions,
                skew_s=self._g2o.skew_s,
                now_s=now_s,
                replays=self.replays,
            )
        return None

    def _listed(self, peer: str) -> bool:
        try:
            address: IPv4Address | IPv6Address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._allow)


def _bearer(value: str | None) -> str | None:
    scheme, _, token = (value or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _equals_any(value: str | None, secrets: Sequence[bytes]) -> bool:
    given = (value or "").encode("utf-8", "surrogateescape")
    verdicts = [hmac.compare_digest(given, secret) for secret in secrets]
    return value is not None and any(verdicts)
