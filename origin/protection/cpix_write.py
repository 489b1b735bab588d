"""CPIX documents of ours: requests to key servers, and keys for other packagers (PR-91, PR-100).

What `keys` holds beside a KID is written: a value in the clear for export, none for a request.
"""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from lxml import etree

from origin.protection.contract import Rule
from origin.protection.keys import Scheme
from origin.protection.markup import NAMESPACES
from origin.protection.secret import Secret
from origin.systems import SYSTEM_IDS, Name

_SIGNALS = ("PSSH", "ContentProtectionData")
CpixVersion = Literal["2.3", "2.4"]
_ATTRIBUTES = {  # of Filter's bounds
    "VideoFilter": ("minPixels", "maxPixels"),
    "AudioFilter": ("minChannels", "maxChannels"),
}
_NO_BOX = frozenset(["fairplay"])


@dataclass(frozen=True, slots=True)
class Slot:
    """One key of a document: its rule, and its value where that is told."""

    kid: UUID
    rule: Rule
    value: Secret | None = None
    iv: bytes = b""


def document(
    content_id: str,
    scheme: Scheme,
    slots: Sequence[Slot],
    *,
    systems: Sequence[Name] = (),
    playlists: Sequence[str] = (),
    bare: Collection[UUID] = (),
    period: int | None = None,
    ends: int = 0,
    certificate: str = "",
    version: CpixVersion = "2.3",
) -> bytes:
    """A CPIX document. `systems` are asked for per key, with lines for `playlists`; of `bare` ones,
    told by their ids, nothing but the key is wanted. `period` names a crypto period by its begin,
    and `ends` tells its time too (seconds since 1970); `certificate` (base64) asks for encrypted
    values (PR-103).
    """
    root = etree.Element(_name("cpix", "CPIX"), nsmap=NAMESPACES)
    root.set("contentId", content_id)
    root.set("version", version)
    if certificate:
        delivery = _put(_put(root, "cpix", "DeliveryDataList"), "cpix", "DeliveryData")
        data = _put(_put(delivery, "cpix", "DeliveryKey"), "ds", "X509Data")
        _put(data, "ds", "X509Certificate").text = certificate
    keys = _put(root, "cpix", "ContentKeyList")
    for slot in slots:
        key = _put(keys, "cpix", "ContentKey")
        key.set("kid", str(slot.kid))
        key.set("commonEncryptionScheme", scheme)
        if slot.iv:
            key.set("explicitIV", base64.b64encode(slot.iv).decode())
        if slot.value is not None:
            secret = _put(_put(key, "cpix", "Data"), "pskc", "Secret")
            text = base64.b64encode(slot.value.reveal()).decode()
            _put(secret, "pskc", "PlainValue").text = text
    if systems or bare:
        found = _put(root, "cpix", "DRMSystemList")
        _systems(found, slots, systems, playlists)
        for slot in slots:
            for system_id in bare:
                _system(found, slot, system_id)
    if period is not None:
        found = _put(_put(root, "cpix", "ContentKeyPeriodList"), "cpix", "ContentKeyPeriod")
        found.set("id", _period_id(period))
        found.set("index", str(period % (1 << 32)))
        if ends:
            found.set("start", _moment(period))
            found.set("end", _moment(ends))
    rules = _put(root, "cpix", "ContentKeyUsageRuleList")
    for slot in slots:
        rule = _put(rules, "cpix", "ContentKeyUsageRule")
        rule.set("kid", str(slot.kid))
        rule.set("intendedTrackType", slot.rule.track_type)
        if period is not None:
            _put(rule, "cpix", "KeyPeriodFilter").set("periodId", _period_id(period))
        for element, *bounds in slot.rule.filters:
            found = _put(rule, "cpix", element)
            for attribute, bound in zip(_ATTRIBUTES[element], bounds, strict=True):
                if bound is not None:
                    found.set(attribute, str(bound))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _systems(
    found: etree._Element, slots: Sequence[Slot], systems: Sequence[Name], playlists: Sequence[str]
) -> None:
    for slot in slots:
        for name in systems:
            system = _system(found, slot, SYSTEM_IDS[name])
            for signal in () if name in _NO_BOX else _SIGNALS:
                _put(system, "cpix", signal)
            for playlist in playlists:
                _put(system, "cpix", "HLSSignalingData").set("playlist", playlist)


def _system(found: etree._Element, slot: Slot, system_id: UUID) -> etree._Element:
    system = _put(found, "cpix", "DRMSystem")
    system.set("kid", str(slot.kid))
    system.set("systemId", str(system_id))
    return system


def _moment(seconds: int) -> str:
    """xs:dateTime"""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _period_id(period: int) -> str:
    return f"keyPeriod_{period}"


def _name(prefix: str, name: str) -> str:
    return f"{{{NAMESPACES[prefix]}}}{name}"


def _put(parent: etree._Element, prefix: str, name: str) -> etree._Element:
    return etree.SubElement(parent, _name(prefix, name))
