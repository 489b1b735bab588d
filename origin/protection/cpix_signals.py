"""What key servers want told to players, checked before it is (PR-65, PR-74, PR-85).

ContentProtectionData    children of a ContentProtection descriptor of an MPD
HLSSignalingData         whole lines of playlists
HDCPOutputProtectionData the OutputProtection of an MPD (DASH-IF IOP 5, part 6, 7.4)
HLSAllowedCPC            an entry of ALLOWED-CPC; HLSHDCPLevel: HDCP-LEVEL (rfc8216bis-22, 4.4.6.2)
"""

import re
from collections.abc import Sequence
from typing import cast, get_args

from lxml import etree

from origin.protection.cpix import Offered
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey
from origin.protection.markup import local, parse
from origin.protection.pssh import parse as parse_pssh
from origin.protection.pssh import widevine_kids
from origin.systems import HdcpLevel, System
from runtime import logs

LONGEST_DESCRIPTOR = 64 * 1024  # PR-74
LONGEST_LINES = 64 * 1024
MPD_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
METHODS = {"cbcs": "SAMPLE-AES", "cenc": "SAMPLE-AES-CTR"}  # PR-60
URI_SCHEMES = ("data:", "skd:", "https:")
_LINE = re.compile(r"#EXT-X-[A-Z0-9-]+(:[\x20-\x7e]*)?")
_METHOD = re.compile(r"[:,]METHOD=([A-Z0-9-]+)")
_URI = re.compile(r'[:,][A-Z0-9-]*URI="([^"]*)"')
_ROBUSTNESS = re.compile(r"[\w.:/+-]{1,64}", re.ASCII)
_CPC = re.compile(
    r"[\w.:/+-]{1,128}:[\w/-]{0,256}(?:,[\w.:/+-]{1,128}:[\w/-]{0,256}){0,7}", re.ASCII
)
_KEY_TAGS = ("#EXT-X-KEY", "#EXT-X-SESSION-KEY")  # of media playlists, of the multivariant one

log = logs.get("keys")


def descriptor(data: bytes, kid: str) -> str:
    """The children of a descriptor, well-formed and with their own namespaces; "" for none."""
    if not data:
        return ""
    if len(data) > LONGEST_DESCRIPTOR:
        raise ProtectionError("bad_document", f"ContentProtectionData of {kid} is too long")
    try:
        data.decode()
        if b"<?" in data or b"<!" in data:
            raise ValueError
        root = parse(b"<r>" + data + b"</r>")
    except (ValueError, ProtectionError):
        what = f"ContentProtectionData of {kid} is not XML elements"
        raise ProtectionError("bad_document", what) from None
    if (root.text or "").strip() or not len(root):
        raise ProtectionError("bad_document", f"ContentProtectionData of {kid} is text")
    for element in root.iter():
        if "mp4protection" in (element.get("schemeIdUri") or "") or local(element) in (
            "ContentProtection",
            "MPD",
        ):
            raise ProtectionError("bad_document", f"ContentProtectionData of {kid} is a descriptor")
    return "".join(
        etree.tostring(child, encoding="unicode", with_tail=False).strip() for child in root
    )


def lines(data: bytes, scheme: str, main: bool, kid: str) -> tuple[str, ...]:
    """The lines of HLSSignalingData; ProtectionError when one may not stand in a playlist."""
    if len(data) > LONGEST_LINES:
        raise ProtectionError("bad_document", f"HLSSignalingData of {kid} is too long")
    try:
        found = [line.strip() for line in data.decode().splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise _unfit(kid, "is not text") from None
    key, other = _KEY_TAGS if not main else _KEY_TAGS[::-1]
    for line in found:
        if not _LINE.fullmatch(line):
            raise _unfit(kid, "has a line that is no tag")
        tag = line.partition(":")[0]
        if tag == other:
            raise _unfit(kid, "has a tag of the other playlist")
        method = _METHOD.search(line)
        if tag == key and (method is None or method[1] != METHODS[scheme]):
            raise _unfit(kid, f"is not for {scheme}")
        if not all(uri.startswith(URI_SCHEMES) for uri in _URI.findall(line)):
            raise _unfit(kid, "has a URI that is neither data, skd nor https")
    return tuple(found)


def word(text: str, form: re.Pattern[str], what: str) -> str:
    """An attribute that is passed on as it is; ProtectionError when it could not stand there."""
    if text and not form.fullmatch(text):
        raise ProtectionError("bad_document", f"{what} cannot be told to players (PR-65)")
    return text


def hdcp_level(text: str, kid: str) -> HdcpLevel:
    """ProtectionError for a level that HLS does not know."""
    for known in get_args(HdcpLevel):
        if text == known:
            return cast(HdcpLevel, known)
    raise ProtectionError("bad_document", f"HLSHDCPLevel of {kid} is not known (PR-65)")


def output_protection(data: bytes, kid: str) -> str:
    """The one OutputProtection that is to be shown, in the MPD's namespace; "" for none."""
    if not data:
        return ""
    what = f"HDCPOutputProtectionData of {kid}"
    if len(data) > LONGEST_DESCRIPTOR or b"<!" in data:
        raise ProtectionError("bad_document", f"{what} is too long, or no single element")
    root = parse(data)
    name = etree.QName(root)
    if (
        name.localname != "OutputProtection"
        or name.namespace not in (None, MPD_NAMESPACE)
        or not root.get("schemeIdUri")
    ):
        raise ProtectionError("bad_document", f"{what} is no OutputProtection with a scheme")
    return etree.tostring(root, encoding="unicode").strip()


def checked_pssh(box: bytes, key: ContentKey) -> bytes:
    """A box from outside, passed unchanged; one that does not name its key is told of (PR-85)."""
    if box:
        found = parse_pssh(box)
        named: Sequence[bytes] = found.kids
        if str(found.system).startswith("edef8ba9"):
            named = [*named, *widevine_kids(found.data)]
        if named and key.kid not in named:
            log.warning("pssh_without_kid", kid=key.uuid, system=str(found.system))
    return box


def systems_of(offered: Sequence[Offered], key: ContentKey) -> tuple[System, ...]:
    """What a document says of one key, checked."""
    found = []
    for each in offered:
        box = checked_pssh(each.pssh, key)
        data = parse_pssh(box).data if box else b""
        found.append(
            System(
                each.system, box, data,
                descriptor=descriptor(each.descriptor, key.uuid),
                media_lines=lines(each.media, key.scheme, False, key.uuid),
                main_lines=lines(each.main, key.scheme, True, key.uuid),
                robustness=word(each.robustness, _ROBUSTNESS, f"robustness of {key.uuid}"),
                allowed_cpc=word(each.allowed_cpc, _CPC, f"HLSAllowedCPC of {key.uuid}"),
                output_protection=output_protection(each.output.descriptor, key.uuid),
                hdcp_level=hdcp_level(each.output.hls_level, key.uuid),
            )
        )  # fmt: skip
    return tuple(found)


def _unfit(kid: str, why: str) -> ProtectionError:
    return ProtectionError("bad_document", f"HLSSignalingData of {kid} {why} (PR-65)")
