"""The native credentials of a session, by CDN (specs/edge.md section 7): what stands in the query
of every URL below one path, until one end.

Fastly's token covers one path only (S-20), so it cannot carry a session; a CAT does there.
"""

import re
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cat.errors import SignError
from cat.signers import akamai, cloudfront

AKAMAI_PARAMETER: Final = "hdnts"
_BELOW = re.compile(r"/(?:[A-Za-z0-9._~-]+/)*")


class Native(Protocol):
    """Signs for one CDN."""

    def query(self, base_url: str, below: str, end_s: int) -> str:
        """The query for everything under `base_url` + `below`, a path that ends in a slash."""


@dataclass(frozen=True, slots=True)
class Akamai:
    """EdgeAuth 2.0 with an access list."""

    secret: akamai.Secret = field(repr=False)

    def query(self, base_url: str, below: str, end_s: int) -> str:
        return (
            f"{AKAMAI_PARAMETER}={akamai.sign(self.secret, end=end_s, acl=[_checked(below) + '*'])}"
        )


@dataclass(frozen=True, slots=True)
class CloudFront:
    """A custom policy with a wildcard resource."""

    signer: cloudfront.Signer = field(repr=False)

    def query(self, base_url: str, below: str, end_s: int) -> str:
        url = base_url + _checked(below)
        signed = cloudfront.signed_url(url, cloudfront.Policy(url + "*", end_s), self.signer)
        return signed.partition("?")[2]


def native(
    kind: Literal["akamai", "cloudfront"], key: str, *, key_pair_id: str = "", digest: str = ""
) -> Native:
    """From how the CDNs hand keys out: Akamai's in hex, CloudFront's as PEM; SignError."""
    if kind == "akamai":
        return Akamai(akamai.Secret.from_hex(key, digest=digest or "sha256"))
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise SignError("a CloudFront key is an unencrypted PEM file") from None
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or not key_pair_id:
        raise SignError("CloudFront wants an RSA or P-256 key and its key pair id")
    return CloudFront(cloudfront.Signer(key_pair_id, private, digest or "SHA256"))


def _checked(below: str) -> str:
    """Neither CDN's wildcards nor separators may come from a path."""
    if not _BELOW.fullmatch(below):
        raise SignError("a session's path holds unreserved characters and ends in a slash")
    return below
