"""DRM systems, and what players are told of a protected track: no secrets (specs/protection.md)."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Name = Literal["common", "widevine", "playready", "fairplay", "clearkey"]
HdcpLevel = Literal["", "NONE", "TYPE-0", "TYPE-1"]  # HDCP-LEVEL, rising; "": not told
UrlName = Literal[Name, "identity"]
# which tracks have a key of their own: presets of SPEKE v2 (PR-104)
VideoPreset = Literal["V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "SHARED", "UNENCRYPTED"]
AudioPreset = Literal["A1", "A2", "A3", "SHARED", "UNENCRYPTED"]

# the table above section 1
SYSTEM_IDS: dict[Name, UUID] = {
    "common": UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"),
    "widevine": UUID("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"),
    "playready": UUID("9a04f079-9840-4286-ab92-e65be0885f95"),
    "fairplay": UUID("94ce86fb-07ff-4f43-adb8-93d2fa968ca2"),
    "clearkey": UUID("e2719d58-a985-b3c9-781a-b030af78d30e"),
}


@dataclass(frozen=True, slots=True)
class System:
    """One system as it is offered for one key."""

    name: Name
    pssh: bytes = b""  # the whole box
    data: bytes = b""  # what PlayReady calls its object
    licence_url: str = ""  # dashif:Laurl
    key_uri: str = ""  # HLS: skd://, or where ClearKey's 16 bytes are
    descriptor: str = ""  # CPIX ContentProtectionData, checked XML (PR-74)
    media_lines: tuple[str, ...] = ()  # CPIX HLSSignalingData, checked (PR-65)
    main_lines: tuple[str, ...] = ()
    robustness: str = ""  # ContentProtection@robustness
    allowed_cpc: str = ""  # KEYFORMAT:LABEL/LABEL of ALLOWED-CPC
    hdcp_level: HdcpLevel = ""  # of the key, the same for all of its systems
    output_protection: str = ""  # likewise: the OutputProtection of an MPD, checked XML


@dataclass(frozen=True, slots=True)
class Protected:
    """The key of a rendition as players are told of it."""

    scheme: Literal["cenc", "cbcs"]
    role: str
    kid: bytes
    constant_iv: bytes
    systems: tuple[System, ...]

    @property
    def default_kid(self) -> str:
        return str(UUID(bytes=self.kid))
