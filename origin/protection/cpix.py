"""CPIX 2.3 and 2.4 documents (DASH-IF CPIX; specs/protection.md PR-85, PR-91..PR-96, PR-98)."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from lxml import etree

from origin.protection.cpix_keys import DocumentKeys, Recipient, document_keys
from origin.protection.cpix_rules import Period, Rule, read_rules
from origin.protection.cpix_sign import signed
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey, Scheme, distinct
from origin.protection.markup import binary, every, find, local, parse
from origin.protection.pssh import parse as parse_pssh
from origin.protection.secret import KEY_BYTES, Secret
from origin.systems import SYSTEM_IDS, Name

LONGEST_DESCRIPTOR = 64 * 1024  # PR-74
MAIN = frozenset(["master", "multiVariant"])  # HLSSignalingData@playlist of 2.3 and of 2.4
_DURATION = re.compile(
    r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?"
)  # xs:dayTimeDuration
TRANSPORT_SYSTEM = uuid.UUID("3ea8778f-7742-4bf9-b18b-e834b2acbd47")  # of AES-128 (PR-145)
TRANSPORT_SYSTEMS = frozenset(  # that of SPEKE v1 too
    [TRANSPORT_SYSTEM, uuid.UUID("81376844-f976-481e-a84e-cc25d39b0b33")]
)
_NAMES: dict[uuid.UUID, Name] = {system: name for name, system in SYSTEM_IDS.items()}


@dataclass(frozen=True, slots=True)
class Output:
    """The HDCPData of a key."""

    hls_level: str = ""
    descriptor: bytes = b""  # HDCPOutputProtectionData, as it came


@dataclass(frozen=True, slots=True)
class Offered:
    """A DRMSystem element, its parts checked as far as they are binary."""

    system: Name
    pssh: bytes = b""
    descriptor: bytes = b""  # ContentProtectionData, as it came
    media: bytes = b""  # HLSSignalingData
    main: bytes = b""
    robustness: str = ""
    allowed_cpc: str = ""
    output: Output = Output()


@dataclass(frozen=True, slots=True)
class Document:
    """Keys, what systems are told of them, and which tracks they are for."""

    content_id: str
    version: str
    keys: Mapping[uuid.UUID, ContentKey]
    systems: Mapping[uuid.UUID, tuple[Offered, ...]]
    rules: tuple[Rule, ...]
    periods: Mapping[str, Period] = field(default_factory=dict)  # by ContentKeyPeriod@id
    transport: ContentKey | None = None  # of AES-128, and of nothing else; no rule is about it


def read(
    data: bytes,
    scheme: Scheme,
    recipient: Recipient | None = None,
    *,
    signers: Sequence[x509.Certificate] = (),
    signature: bool = False,
) -> Document:
    """A document whose keys are for `scheme`; a `signature` is checked where there is one, or has
    to be there. ProtectionError `bad_document`, `bad_mac`, `bad_key`, `iv_equals_key`.
    """
    root = parse(signed(data, signers, signature))
    if local(root) != "CPIX":
        raise ProtectionError("bad_document", "not a CPIX document")
    opened = document_keys(root, recipient)
    content_id = root.get("contentId") or ""
    keys: dict[uuid.UUID, ContentKey] = {}
    for element in every(root, "cpix:ContentKeyList/cpix:ContentKey"):
        key = _key(element, content_id, scheme, opened)
        kid = uuid.UUID(bytes=key.kid)
        if kid in keys:
            raise ProtectionError("bad_document", f"two ContentKeys {kid}")
        keys[kid] = key
    distinct(keys.values())
    transport = _transport(root)
    outputs = {
        _uuid(element, "kid"): _output(each)
        for element in every(root, "cpix:ContentKeyList/cpix:ContentKey")
        for each in every(element, "cpix:HDCPData")
    }
    systems: dict[uuid.UUID, tuple[Offered, ...]] = {}
    for element in every(root, "cpix:DRMSystemList/cpix:DRMSystem"):
        kid = _uuid(element, "kid")
        offered = _offered(element, kid, outputs.get(kid, Output()))
        if offered is not None:
            systems[kid] = (*systems.get(kid, ()), offered)
    periods = {
        element.get("id") or "": _period(element)
        for element in every(root, "cpix:ContentKeyPeriodList/cpix:ContentKeyPeriod")
    }
    rules = read_rules(every(root, "cpix:ContentKeyUsageRuleList/cpix:ContentKeyUsageRule"))
    for rule in rules:
        if rule.kid not in keys:
            raise ProtectionError("bad_document", f"a rule names {rule.kid}, which is not there")
    packets = keys.pop(transport, None) if transport is not None else None
    ruled = tuple(rule for rule in rules if rule.kid != transport)
    version = root.get("version") or ""
    return Document(content_id, version, keys, systems, ruled, periods, packets)


def _transport(root: etree._Element) -> uuid.UUID | None:
    """The KID of AES-128. A key URL gives it away, so that no other system may have it."""
    given: dict[bool, set[uuid.UUID]] = {True: set(), False: set()}
    for element in every(root, "cpix:DRMSystemList/cpix:DRMSystem"):
        given[_uuid(element, "systemId") in TRANSPORT_SYSTEMS].add(_uuid(element, "kid"))
    if len(given[True]) > 1 or given[True] & given[False]:
        raise ProtectionError("bad_document", "AES-128 has a key of its own, and one (PR-145)")
    return next(iter(given[True]), None)


def _key(
    element: etree._Element, content_id: str, scheme: Scheme, opened: DocumentKeys | None
) -> ContentKey:
    """PR-92; the role is the rule's, so it stays open here."""
    kid = _uuid(element, "kid")
    if element.get("dependsOnKey"):
        raise ProtectionError("bad_document", f"ContentKey {kid} depends on another (PR-96)")
    told = element.get("commonEncryptionScheme")
    if told not in (None, scheme):
        raise ProtectionError("bad_document", f"ContentKey {kid} is for {told}, not {scheme}")
    secret = find(element, "cpix:Data/pskc:Secret")
    if secret is None:
        raise ProtectionError("bad_document", f"ContentKey {kid} has no value")
    plain = find(secret, "pskc:PlainValue")
    if plain is not None:
        value = binary(plain, f"PlainValue of {kid}")
    elif opened is not None:
        value = opened.open(secret, kid)
    else:
        raise ProtectionError("bad_mac", f"ContentKey {kid} is not encrypted for us")
    if len(value) != KEY_BYTES:
        raise ProtectionError("bad_key", f"ContentKey {kid} has not 16 bytes")
    iv = b""
    if told_iv := element.get("explicitIV"):
        holder = etree.Element("iv")
        holder.text = told_iv
        iv = binary(holder, f"explicitIV of {kid}")
        if len(iv) != KEY_BYTES:
            raise ProtectionError("bad_key", f"explicitIV of {kid} has not 16 bytes")
        if iv == value:
            raise ProtectionError("iv_equals_key", f"the explicitIV of {kid} is its key (PR-19)")
    content = element.get("contentId") or content_id
    if element.get("contentId") and content_id:
        raise ProtectionError("bad_document", f"ContentKey {kid} and CPIX both have a contentId")
    if scheme == "cenc":
        iv = b""
    elif not iv:
        iv = uuid.uuid5(kid, f"constant IV\0{content}").bytes
    return ContentKey(kid.bytes, Secret(value), scheme, "", content, iv, source="cpix")


def _output(element: etree._Element) -> Output:
    data = find(element, "cpix:HDCPOutputProtectionData")
    descriptor = binary(data, "HDCPOutputProtectionData") if data is not None else b""
    return Output(element.get("HLSHDCPLevel") or "", descriptor)


def _offered(element: etree._Element, kid: uuid.UUID, output: Output) -> Offered | None:
    """None for a system that we do not know."""
    system = _uuid(element, "systemId")
    if system not in _NAMES:
        return None
    box = find(element, "cpix:PSSH")
    pssh = binary(box, f"PSSH of {kid}") if box is not None and box.text else b""
    if pssh and parse_pssh(pssh).system != system:
        raise ProtectionError("bad_document", f"PSSH of {kid} is of another system")
    data = find(element, "cpix:ContentProtectionData")
    descriptor = binary(data, f"ContentProtectionData of {kid}") if data is not None else b""
    if len(descriptor) > LONGEST_DESCRIPTOR:
        raise ProtectionError("bad_document", f"ContentProtectionData of {kid} is too long")
    hls = {"media": b"", "main": b""}
    for lines in every(element, "cpix:HLSSignalingData"):
        where = "main" if lines.get("playlist") in MAIN else "media"
        hls[where] = binary(lines, f"HLSSignalingData of {kid}")
    robustness = (data.get("robustness") or "") if data is not None else ""
    allowed = element.get("HLSAllowedCPC") or ""
    return Offered(
        _NAMES[system], pssh, descriptor, hls["media"], hls["main"], robustness, allowed, output
    )


def _uuid(element: etree._Element, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(element.get(name) or "")
    except ValueError:
        what = f"{local(element)}@{name}"
        raise ProtectionError("bad_document", f"{what} is not a UUID") from None


def _period(element: etree._Element) -> Period:
    """PR-96. ProtectionError for times that cannot be read."""
    start, end = _moment(element, "start"), _moment(element, "end")
    if start is not None and end is None and (lasts := element.get("duration")):
        found = _DURATION.fullmatch(lasts)
        if found is None:
            raise ProtectionError("bad_document", "ContentKeyPeriod@duration is not a duration")
        units = zip((86_400, 3_600, 60, 1), found.groups(), strict=True)
        end = start + sum(unit * float(value) for unit, value in units if value)
    if (start is None) != (end is None):
        raise ProtectionError("bad_document", "a ContentKeyPeriod with half of its times")
    return Period(_index(element), element.get("label") or "", start, end)


def _moment(element: etree._Element, name: str) -> float | None:
    text = element.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or len(text) > 40:
        raise ProtectionError("bad_document", f"ContentKeyPeriod@{name} is no time with a zone")
    return moment.timestamp()


def _index(element: etree._Element) -> int | None:
    text = element.get("index")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 10:
        raise ProtectionError("bad_document", "ContentKeyPeriod@index is not a number")
    return int(text) % (1 << 32)
