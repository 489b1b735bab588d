"""How the proxy proves itself to an origin whose delivery port has a door.

A shared header, a Bearer, and G2O version 5: "version, edge-ip, client-ip, epoch, unique-id, nonce"
with HMAC-SHA256 over that text and the path with its query as sent. Source: origin-http O14,
O28..O31.
"""

import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

G2O_VERSION = 5
NOWHERE = "0.0.0.0"  # in place of addresses: the proxy asks for all of its viewers


class Credentials(NamedTuple):
    """Secrets by what carries them; empty ones are not sent."""

    header: str = "x-origin-secret"
    secret: str = ""
    bearer: str = ""
    g2o_nonce: str = ""  # names the key
    g2o_key: bytes = b""

    @property
    def any(self) -> bool:
        return bool(self.secret or self.bearer or self.g2o_key)

    def headers(self, target: str, epoch_s: int, unique: Callable[[], str]) -> dict[str, str]:
        """What goes with a request for `target`, path and query as they are sent."""
        found = {self.header: self.secret} if self.secret else {}
        if self.bearer:
            found["Authorization"] = f"Bearer {self.bearer}"
        if self.g2o_key:
            fields = (G2O_VERSION, NOWHERE, NOWHERE, epoch_s, unique(), self.g2o_nonce)
            data = ", ".join(map(str, fields))
            digest = hmac.digest(self.g2o_key, (data + target).encode("latin-1"), "sha256")
            found["X-Akamai-G2O-Auth-Data"] = data
            found["X-Akamai-G2O-Auth-Sign"] = b64encode(digest).decode()
        return found
