"""Akamai EdgeAuth 2.0 (specs/edge.md S-1..S-4): `st=..~exp=..~acl=..~hmac=..` as query parameter,
cookie or header, usually named `hdnts`, `hdnea` or `__token__`.

Fields stand in the order of `_SHOWN`; the MAC also covers `url=` (of a token without acl) and
`salt=`, which are never shown.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from cat.errors import SignError
from cat.signers import wildcard

TOKEN_NAME: Final = "hdnts"
ACL_DELIMITER: Final = "!"
TOKEN_CHARS: Final = 4096
HEX_DIGITS: Final = {"sha256": 64, "sha1": 40, "md5": 32}
_SHOWN: Final = ("ip", "st", "exp", "acl", "id", "data")  # S-1
_TIME = re.compile(r"0|[1-9][0-9]{0,14}")
_UNSAFE = re.compile(r"[~\x00-\x1f\x7f]")  # would end or forge a field


@dataclass(frozen=True, slots=True)
class Secret:
    """What both sides hold. `digest` is one of `HEX_DIGITS`; `escape_early` is S-2."""

    key: bytes = field(repr=False)
    salt: str | None = field(default=None, repr=False)
    digest: str = "sha256"
    escape_early: bool = False

    def __post_init__(self) -> None:
        if not self.key:
            raise SignError("the key is empty")
        if self.digest not in HEX_DIGITS:
            raise SignError(f"the algorithm is one of {', '.join(HEX_DIGITS)}")

    @classmethod
    def from_hex(
        cls,
        text: str,
        salt: str | None = None,
        *,
        digest: str = "sha256",
        escape_early: bool = False,
    ) -> "Secret":
        """From the hex form in which Akamai hands keys out."""
        try:
            key = bytes.fromhex(text)
        except ValueError:
            raise SignError("an EdgeAuth key is written in hex") from None
        return cls(key, salt, digest, escape_early)

    def escaped(self, text: str) -> str:
        """Form encoding with lower-case escapes (S-2), or the raw text."""
        if not self.escape_early:
            return text
        return re.sub("%..", lambda found: found[0].lower(), quote_plus(text))

    def mac(self, fields: Sequence[str], url: str | None) -> str:
        hidden = [] if url is None else [f"url={self.escaped(url)}"]
        if self.salt is not None:
            hidden.append(f"salt={self.salt}")
        return hmac.new(self.key, "~".join([*fields, *hidden]).encode(), self.digest).hexdigest()


def expiry(now: int, *, start: int | None, end: int | None, window_s: int | None) -> int:
    """exp = end, else (start or now) + window (S-3)."""
    if end is None:
        if window_s is None:
            raise SignError("give an end or a window")
        end = (now if start is None else start) + window_s
    if end <= (now if start is None else start):
        raise SignError("the end must be after the start")
    return end


def sign(
    secret: Secret,
    *,
    end: int,
    acl: Sequence[str] = (),
    url: str | None = None,
    start: int | None = None,
    ip: str | None = None,
    session_id: str | None = None,
    payload: str | None = None,
) -> str:
    """A token for the paths of `acl`, or for the one path `url`. Times are epoch seconds."""
    if bool(acl) == (url is not None):
        raise SignError("give either acl or url")
    if start is not None and end <= start:
        raise SignError("the end must be after the start")
    values: dict[str, str | None] = {
        "ip": ip and secret.escaped(ip),
        "st": None if start is None else str(start),
        "exp": str(end),
        "acl": ACL_DELIMITER.join(acl) or None,
        "id": session_id and secret.escaped(session_id),
        "data": payload and secret.escaped(payload),
    }
    fields = [f"{name}={values[name]}" for name in _SHOWN if values[name]]
    if any(_UNSAFE.search(text) for text in (*fields, url or "")):
        raise SignError("a value holds '~' or a control character")
    return "~".join([*fields, f"hmac={secret.mac(fields, url)}"])


def verify(secret: Secret, token: str, *, path: str, now: float, ip: str | None = None) -> str:
    """Judge a token for the raw request path (S-4): "ok" or a reason code."""
    *fields, seal = token.split("~") if len(token) <= TOKEN_CHARS else ("",)
    values = _fields(fields)
    digits = HEX_DIGITS[secret.digest]
    if values is None or not re.fullmatch(f"hmac=[0-9a-f]{{{digits}}}", seal):
        return "malformed"
    expected = secret.mac(fields, None if "acl" in values else path)
    if not hmac.compare_digest(expected.encode(), seal.removeprefix("hmac=").encode()):
        return "signature"
    if "st" in values and now < int(values["st"]):
        return "not_before"
    if now >= int(values["exp"]):
        return "expired"
    if "ip" in values and (ip is None or values["ip"] != secret.escaped(ip)):
        return "network"
    acls = values["acl"].split(ACL_DELIMITER) if "acl" in values else ["*"]
    return "ok" if any(wildcard.matches(acl, path) for acl in acls) else "uri"


def _fields(fields: Sequence[str]) -> Mapping[str, str] | None:
    """Values by name; None unless they stand once each, in order, and the times are numbers."""
    pairs = [text.partition("=") for text in fields]
    names = [name for name, _, _ in pairs]
    values = {name: value for name, _, value in pairs}
    if "exp" not in values or names != [name for name in _SHOWN if name in values]:
        return None
    times = [values[name] for name in ("st", "exp") if name in values]
    return values if all(_TIME.fullmatch(time) for time in times) else None
