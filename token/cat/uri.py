"""The viewer's URI: normal form and components (CAT-41..CAT-43; RFC 3986, 6.2.2 and 6.2.3)."""

import re
from dataclasses import dataclass
from typing import Final

from cat.errors import CatError
from cat.tables import COMPONENTS, Profile

DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(?:\?([^#]*))?")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=-]+)(?::([0-9]{0,5}))?")
_LEGAL = re.compile(
    r"(?:[!$&-;=?-Z_a-z~|\[\]^`{}\"<>]|%[0-9A-Fa-f]{2})*"
)  # no fragment, no backslash
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NEVER_IN_PATH = re.compile(r"%(?:2F|5C)")
_NUL = "%00"


class UriError(CatError):
    """The URI has no safe normal form."""


@dataclass(frozen=True, slots=True)
class Uri:
    """The parts of a normal URI; `path` is what the origin gets."""

    scheme: str
    host: str
    port: str
    path: str
    query: str

    def component(self, number: int, profile: Profile) -> tuple[str, ...]:
        """The text of a component of CAT-41, then others `exact` takes as equal (CAT-43)."""
        parent, _, filename = self.path.rpartition("/")
        stem, dot, extension = filename.rpartition(".")
        if not dot:
            stem, extension = filename, ""
        match _NAMES[number]:
            case "port":
                is_default = DEFAULT_PORTS.get(self.scheme) == self.port
                return (self.port, "") if is_default else (self.port,)
            case "parent_path":
                if profile.parent_slash:
                    return (parent + "/",)
                return (parent,) if parent else ("", "/")
            case "filename":
                return (filename,)
            case "stem":
                return (stem,)
            case "extension":
                return ((dot if profile.extension_dot else "") + extension,)
            case name:
                return (getattr(self, name),)


_NAMES: Final = {number: name for name, number in COMPONENTS.items()}


def parse(uri: str, *, encoded_slash: bool = False) -> Uri:
    """The normal form, or UriError: userinfo, fragment, raw non-ASCII, bad escapes, NUL, backslash
    (CAT-42). `encoded_slash` lets `%2F` and `%5C` stand in the path.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise UriError("not an absolute URI without fragment")
    scheme = parts[1].lower()
    authority = _AUTHORITY.fullmatch(parts[2])
    if authority is None:
        raise UriError("host or port is malformed, or there is userinfo")
    port = authority[2] or DEFAULT_PORTS.get(scheme, "")
    if port:
        port = str(int(port))
    host = authority[1].lower().removesuffix(".")
    path = normal_path(parts[3], encoded_slash=encoded_slash)
    return Uri(scheme, host, port, path, _normal_escapes(parts[4] or ""))


def normal_path(path: str, *, encoded_slash: bool = False) -> str:
    """Escapes first, dot segments second, so that `%2e%2e` climbs too; `//` and `;` stay."""
    path = _normal_escapes(path)
    barred = not encoded_slash and _NEVER_IN_PATH.search(path)
    if barred or (path and not path.startswith("/")):
        raise UriError("encoded slash or backslash, or a relative path")
    return _without_dot_segments(path) or "/"


def _normal_escapes(text: str) -> str:
    if not _LEGAL.fullmatch(text):
        raise UriError("bad escape, raw non-ASCII, control character, backslash or fragment")
    if "%" not in text:
        return text
    text = _ESCAPE.sub(_unescape, text)
    if _NUL in text:
        raise UriError("NUL")
    return text


def _unescape(match: re.Match[str]) -> str:
    octet = int(match[1], 16)
    return chr(octet) if octet in _UNRESERVED else match[0].upper()


def _without_dot_segments(path: str) -> str:
    """RFC 3986, 5.2.4, for an absolute path."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
        if last and segment in (".", ".."):
            kept.append("")
    return "".join("/" + segment for segment in kept)
