"""What the DRM systems are told of one key: pssh, headers, URLs (PR-11, PR-12, PR-64, PR-80)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from origin.protection import pssh
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey
from origin.systems import Name, Protected, System, UrlName

IN_MOOV: frozenset[Name] = frozenset(["common", "widevine", "playready"])


def offer(key: ContentKey, systems: Sequence[Name], urls: Mapping[UrlName, str]) -> Protected:
    """The systems of one key. `urls`: licence server by system, "identity" the prefix of key URLs,
    "fairplay" the host of skd:// URIs.
    """
    if "fairplay" in systems and key.scheme != "cbcs":
        raise ProtectionError("bad_scheme", "FairPlay plays cbcs only (PR-170)")
    return Protected(
        key.scheme, key.role, key.kid, key.constant_iv,
        tuple(_system(key, name, urls) for name in systems),
    )  # fmt: skip


def told(shown: Protected, given: Sequence[System]) -> Protected:
    """The offer, with what the key's source says of it in the place of what we would."""
    by_name = {system.name: system for system in given}
    ours = [by_name.pop(system.name, system) for system in shown.systems]
    return replace(shown, systems=(*ours, *by_name.values()))


def moov_boxes(protected: Protected) -> list[bytes]:
    """The pssh of a header (PR-11, PR-12)."""
    return [system.pssh for system in protected.systems if system.name in IN_MOOV or system.pssh]


def _system(key: ContentKey, name: Name, urls: Mapping[UrlName, str]) -> System:
    url = urls.get(name, "")
    match name:
        case "widevine":
            data = pssh.widevine([key.kid], key.scheme)
            return System(name, pssh.pssh(name, (), data), data, url)
        case "playready":
            data = pssh.playready([key], url)
            return System(name, pssh.pssh(name, (), data), data, url)
        case "fairplay":
            return System(name, key_uri=f"skd://{url}/{key.content_id}/{key.uuid}")
        case "clearkey":
            prefix = urls.get("identity", "")
            key_uri = f"{prefix}/{key.kid.hex()}" if prefix else ""
            common = pssh.pssh("common", [key.kid], b"")  # EME looks for it (PR-12)
            return System(name, common, licence_url=url, key_uri=key_uri)
        case "common":
            return System(name, pssh.pssh(name, [key.kid], b""))
