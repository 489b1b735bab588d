"""EXT-X-KEY and EXT-X-SESSION-KEY lines (draft-pantos-hls-rfc8216bis-22, 4.4.4.4 and 4.4.6.4).

Rule ids PR-* are those of specs/protection.md, section 5.
"""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from origin.hls.forms import MAP, Form
from origin.hls.forms import ClearKey as ClearKey
from origin.systems import SYSTEM_IDS, HdcpLevel, Protected, System
from origin.tracks import Rendition

METHOD = {"cbcs": "SAMPLE-AES", "cenc": "SAMPLE-AES-CTR"}  # PR-60
UNPROTECTED = "#EXT-X-KEY:METHOD=NONE"
MEDIA, SESSION = "#EXT-X-KEY:", "#EXT-X-SESSION-KEY:"


def key_lines(protected: Protected, clearkey: ClearKey = "identity") -> list[str]:
    """All KEY lines of one key: they stand together, before MAP (PR-51, PR-62)."""
    lines: list[str] = []
    for system in protected.systems:
        lines += system.media_lines or _line(MEDIA, protected, system, clearkey)
    return lines


def keyed(form: Form, protected: Protected | None, clearkey: ClearKey = "identity") -> Form:
    """The form with KEY lines in front of MAP (PR-51); clear media's is as it was."""
    if protected is None:
        return form
    at, lines = form.head.index(MAP), key_lines(protected, clearkey)
    return replace(form, head=(*form.head[:at], *lines, *form.head[at:]))


def map_line(header: str) -> str:
    return MAP if header == "init.mp4" else f'#EXT-X-MAP:URI="{header}"'


def turning_lines(
    protected: Protected | None, header: str, clearkey: ClearKey = "identity"
) -> list[str]:
    """What stands in front of the first part or segment under other keys (PR-33, PR-51, PR-62)."""
    keys = [UNPROTECTED] if protected is None else key_lines(protected, clearkey)
    return [*keys, map_line(header)]


def session_key_lines(
    renditions: Iterable[Rendition], clearkey: ClearKey = "identity"
) -> list[str]:
    """SESSION-KEY for every key and format of the presentation (PR-63)."""
    lines: dict[str, None] = {}
    for protected in dict.fromkeys(r.protected for r in renditions if r.protected):
        for system in protected.systems:
            given = system.main_lines or _line(SESSION, protected, system, clearkey)
            lines.update(dict.fromkeys(given))
    return list(lines)


def output_rules(played: Iterable[Rendition]) -> list[str]:
    """HDCP-LEVEL and ALLOWED-CPC of what is played together: the strictest level of its keys, and
    what each system allows (4.4.6.2; PR-65).
    """
    systems = [s for r in played if r.protected is not None for s in r.protected.systems]
    level = max((s.hdcp_level for s in systems), key=get_args(HdcpLevel).index, default="")
    allowed = ",".join(dict.fromkeys(s.allowed_cpc for s in systems if s.allowed_cpc))
    told = [f"HDCP-LEVEL={level}"] if level else []
    return told + ([f'ALLOWED-CPC="{allowed}"'] if allowed else [])


def aes128_line(key_uri: str, iv: bytes) -> str:
    """AES-128: the IV is always explicit (PR-145)."""
    return f'{MEDIA}METHOD=AES-128,URI="{key_uri}",IV=0x{iv.hex()}'


def _line(name: str, protected: Protected, system: System, clearkey: ClearKey) -> tuple[str, ...]:
    """One system's line; none for systems that do not speak in HLS."""
    kid = f"KEYID=0x{protected.kid.hex()}"
    version = 'KEYFORMATVERSIONS="1"'
    iv = f"IV=0x{protected.constant_iv.hex()}" if protected.constant_iv else ""
    match system.name:
        case "widevine":
            uri = "data:text/plain;base64," + b64encode(system.pssh).decode()
            form = [f'KEYFORMAT="urn:uuid:{SYSTEM_IDS["widevine"]}"', version, kid]
        case "playready":
            uri = "data:text/plain;charset=UTF-16;base64," + b64encode(system.data).decode()
            form = ['KEYFORMAT="com.microsoft.playready"', version]
        case "fairplay" if protected.scheme == "cbcs":
            uri = system.key_uri
            form = ['KEYFORMAT="com.apple.streamingkeydelivery"', version]
        case "clearkey" if clearkey == "identity" and system.key_uri:
            uri = system.key_uri
            form = ['KEYFORMAT="identity"', version]
        case "clearkey" if clearkey == "w3c":
            uri = "data:text/plain;base64," + b64encode(protected.kid).decode()
            form = ['KEYFORMAT="org.w3.clearkey"', version]
        case _:
            return ()
    attributes = [f"METHOD={METHOD[protected.scheme]}", f'URI="{uri}"', *form]
    return (name + ",".join([*attributes, iv] if iv else attributes),)
