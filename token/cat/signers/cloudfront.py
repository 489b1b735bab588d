"""CloudFront signed URLs and cookies (specs/edge.md S-10..S-14): a policy in JSON, signed with an
RSA key (PKCS#1 v1.5, SHA-1 or SHA-256) or a P-256 key (DER).

A canned policy (one URL, one end) is not sent: the verifier writes it again from the request. A
custom policy is sent and signed as its own bytes.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from cat.errors import SignError
from cat.signers import wildcard

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}
CONDITIONS: Final = {  # S-12: member order in the text that is signed
    "sdk": ("DateLessThan", "DateGreaterThan", "IpAddress"),
    "botocore": ("DateLessThan", "IpAddress", "DateGreaterThan"),
}
PARAMETERS: Final = {  # S-13: order in a URL
    "sdk": ("Expires", "Policy", "Key-Pair-Id", "Signature", "Hash-Algorithm"),
    "botocore": ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"),
}
COOKIE_PREFIX: Final = "CloudFront-"
POLICY_CHARS: Final = 4096
_TO_URL = str.maketrans("+=/", "-_~")
_FROM_URL = str.maketrans("-_~", "+=/")
_ALPHABET = re.compile(r"[A-Za-z0-9~-]*_{0,2}")
_URL = re.compile(r"[!#-\[\]-~]+")  # printable ASCII that JSON writes as itself
_EPOCH = re.compile(r"[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may fetch what until when; times are epoch seconds, `ip` an address or a prefix."""

    resource: str
    end: int
    start: int | None = None
    ip: str | None = None

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.resource):
            raise SignError("a resource is printable ASCII without space, quote or backslash")
        if self.end < 1 or (self.start is not None and self.end <= self.start):
            raise SignError("the end must be after the start")
        if self.ip is not None:
            try:
                ipaddress.ip_network(self.ip)
            except ValueError:
                raise SignError("ip is an address or a prefix without host bits") from None

    def is_canned_for(self, url: str) -> bool:
        return (self.resource, self.start, self.ip) == (url, None, None)

    def text(self, order: str = "sdk") -> str:
        """The bytes that are signed; canned policies have this form too (S-10)."""
        condition: dict[str, object] = {"DateLessThan": {"AWS:EpochTime": self.end}}
        if self.start is not None:
            condition["DateGreaterThan"] = {"AWS:EpochTime": self.start}
        if self.ip is not None:
            bare_ipv4 = "/" not in self.ip and ":" not in self.ip
            condition["IpAddress"] = {"AWS:SourceIp": self.ip + "/32" * bare_ipv4}
        ordered = {name: condition[name] for name in CONDITIONS[order] if name in condition}
        statement = {"Resource": self.resource, "Condition": ordered}
        return json.dumps({"Statement": [statement]}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Signer:
    """A key pair of ours; P-256 keys always sign SHA-256 (S-11)."""

    key_pair_id: str
    key: Private = field(repr=False)
    digest: str = "SHA1"

    def __post_init__(self) -> None:
        is_ec = isinstance(self.key, ec.EllipticCurvePrivateKey)
        if self.digest not in DIGESTS or (is_ec and self.digest != "SHA256"):
            raise SignError("the hash is SHA1 or SHA256, with a P-256 key SHA256")
        if isinstance(self.key, ec.EllipticCurvePrivateKey) and self.key.curve.name != "secp256r1":
            raise SignError("an elliptic curve key is one of P-256")

    def sign(self, text: str) -> str:
        algorithm = DIGESTS[self.digest]
        if isinstance(self.key, rsa.RSAPrivateKey):
            return to_text(self.key.sign(text.encode(), padding.PKCS1v15(), algorithm))
        return to_text(self.key.sign(text.encode(), ec.ECDSA(algorithm)))


def to_text(data: bytes) -> str:
    """CloudFront's base64 (S-11)."""
    return base64.b64encode(data).decode().translate(_TO_URL)


def from_text(text: str) -> bytes:
    """The inverse, strict; ValueError."""
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not CloudFront's base64")
    data = base64.b64decode(text.translate(_FROM_URL), validate=True)
    if to_text(data) != text:
        raise ValueError("non-zero trailing bits")
    return data


def signed_url(url: str, policy: Policy, signer: Signer, *, order: str = "sdk") -> str:
    """The URL with its signing parameters behind its own query; canned where the policy is."""
    if not _URL.fullmatch(url) or "#" in url:
        raise SignError("the URL is printable ASCII without space, quote, backslash or fragment")
    values = _values(policy, signer, order, canned=policy.is_canned_for(url))
    pairs = [f"{name}={values[name]}" for name in PARAMETERS[order] if name in values]
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(pairs)}"


def signed_cookies(
    policy: Policy, signer: Signer, url: str | None = None, *, order: str = "sdk"
) -> dict[str, str]:
    """Cookies by name (S-13); with the URL of a canned policy they are canned."""
    canned = url is not None and policy.is_canned_for(url)
    values = _values(policy, signer, order, canned=canned)
    return {COOKIE_PREFIX + name: value for name, value in values.items()}


def _values(policy: Policy, signer: Signer, order: str, *, canned: bool) -> dict[str, str]:
    if canned and "*" in policy.resource:
        raise SignError("wildcards need a custom policy")
    text = policy.text(order)
    shown = {"Expires": str(policy.end)} if canned else {"Policy": to_text(text.encode())}
    values = {**shown, "Key-Pair-Id": signer.key_pair_id, "Signature": signer.sign(text)}
    return values if signer.digest == "SHA1" else {**values, "Hash-Algorithm": signer.digest}


def verify_url(url: str, keys: Mapping[str, Public], *, now: float, ip: str | None = None) -> str:
    """Judge a request by its parameters, in any order: "ok" or a reason code."""
    base, _, query = url.partition("?")
    values: dict[str, str] = {}
    kept = []
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        if name not in PARAMETERS["sdk"]:
            kept.append(pair)
        elif name in values:
            return "malformed"
        else:
            values[name] = value
    return _judge(values, base + "?" * bool(kept) + "&".join(kept), keys, now, ip)


def verify_cookies(
    cookies: Mapping[str, str],
    url: str,
    keys: Mapping[str, Public],
    *,
    now: float,
    ip: str | None = None,
) -> str:
    """Judge a request for `url` by its cookies: "ok" or a reason code."""
    values = {
        name.removeprefix(COOKIE_PREFIX): value
        for name, value in cookies.items()
        if name.startswith(COOKIE_PREFIX)
    }
    return _judge(values, url, keys, now, ip)


def _judge(
    values: Mapping[str, str], url: str, keys: Mapping[str, Public], now: float, ip: str | None
) -> str:
    if "Signature" not in values or "Key-Pair-Id" not in values:
        return "missing"
    digest = DIGESTS.get(values.get("Hash-Algorithm", "SHA1"))
    key = keys.get(values["Key-Pair-Id"])
    if digest is None or key is None:
        return "alg" if digest is None else "key"
    try:
        seal, text = from_text(values["Signature"]), _policy_text(values, url)
    except (ValueError, SignError):
        return "malformed"
    if not _holds(key, seal, text, digest):
        return "signature"
    try:
        policy = _parse(json.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, SignError):
        return "malformed"
    if policy.start is not None and now <= policy.start:
        return "not_before"
    if now >= policy.end:
        return "expired"
    if policy.ip is not None and not _inside(ip, policy.ip):
        return "network"
    return "ok" if "Expires" in values or wildcard.matches(policy.resource, url) else "uri"


def _policy_text(values: Mapping[str, str], url: str) -> bytes:
    """What was signed: the policy sent, or the canned one of this URL. ValueError, SignError."""
    if ("Policy" in values) == ("Expires" in values):
        raise ValueError("either Policy or Expires")
    if "Policy" in values:
        if len(values["Policy"]) > POLICY_CHARS:
            raise ValueError("policy too long")
        return from_text(values["Policy"])
    if not _EPOCH.fullmatch(values["Expires"]):
        raise ValueError("Expires is not epoch seconds")
    return Policy(url, int(values["Expires"])).text().encode()


def _holds(key: Public, seal: bytes, text: bytes, digest: hashes.HashAlgorithm) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(seal, text, padding.PKCS1v15(), digest)
        else:
            key.verify(seal, text, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True


def _parse(document: Any) -> Policy:
    """A signed policy; a condition we do not know is refused, never dropped."""
    (statement,) = document["Statement"]
    conditions = statement["Condition"]
    if conditions.keys() - CONDITIONS["sdk"]:
        raise ValueError("unknown condition")
    end, start = (
        conditions[name]["AWS:EpochTime"] if name in conditions else None
        for name in ("DateLessThan", "DateGreaterThan")
    )
    if type(end) is not int or type(start) not in (int, type(None)):
        raise TypeError("times are whole seconds")
    ip = conditions["IpAddress"]["AWS:SourceIp"] if "IpAddress" in conditions else None
    if not isinstance(ip, str | None) or not isinstance(statement["Resource"], str):
        raise TypeError("resource and ip are texts")
    return Policy(statement["Resource"], end, start, ip)


def _inside(ip: str | None, prefix: str) -> bool:
    try:
        return ip is not None and ipaddress.ip_address(ip) in ipaddress.ip_network(prefix)
    except ValueError:
        return False
