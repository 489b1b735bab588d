"""ContentProtection and OutputProtection of an AdaptationSet (ISO/IEC 23009-1, 5.8.4.1, 5.8.4.12).

Rule ids PR-* are those of specs/protection.md, section 6.
"""

from base64 import b64encode

from origin.dash.text import element, tag
from origin.systems import SYSTEM_IDS, Protected, System

MP4PROTECTION = "urn:mpeg:dash:mp4protection:2011"
CENC = ("xmlns:cenc", "urn:mpeg:cenc:2013")
MSPR = ("xmlns:mspr", "urn:microsoft:playready")
DASHIF = ("xmlns:dashif", "https://dashif.org/CPS")  # PR-72: players match prefix and namespace
VALUE = {"playready": "MSPR 2.0", "clearkey": "ClearKey1.0"}


def content_protection(protected: Protected | None) -> str:
    """The descriptors of one key; they stand first in their set (PR-70), behind them the output
    that the key asks for (DASH-IF IOP 5, part 6, 7.4). "" for clear media.
    """
    if protected is None:
        return ""
    common = tag(
        "ContentProtection",
        [
            ("schemeIdUri", MP4PROTECTION),
            ("value", protected.scheme),
            CENC,
            ("cenc:default_KID", protected.default_kid),
        ],
        close=True,
    )
    output = next((s.output_protection for s in protected.systems if s.output_protection), "")
    systems = "".join(_descriptor(protected, system) for system in protected.systems)
    return common + systems + (f"{output}\n" if output else "")


def _descriptor(protected: Protected, system: System) -> str:
    """One system's; none that would be empty (PR-70), none for `common` (PR-73)."""
    if system.name == "common" or (system.name == "fairplay" and protected.scheme != "cbcs"):
        return ""
    inner = system.descriptor
    if not inner and system.pssh and system.name != "clearkey":
        inner = element("cenc:pssh", [CENC], b64encode(system.pssh).decode())
        if system.name == "playready":
            inner += element("mspr:pro", [MSPR], b64encode(system.data).decode())
    if system.licence_url:
        inner += element("dashif:Laurl", [DASHIF], system.licence_url)
    if not inner:
        return ""
    scheme = f"urn:uuid:{SYSTEM_IDS[system.name]}"
    attributes = [("schemeIdUri", scheme), ("value", VALUE.get(system.name))]
    attributes.append(("robustness", system.robustness or None))
    opening = tag("ContentProtection", attributes)
    return f"{opening}{inner}</ContentProtection>\n"
