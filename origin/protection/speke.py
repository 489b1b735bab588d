"""SPEKE v2.0 and v2.1: what is asked of a key server, and what it must answer (AWS SPEKE v2;
PR-100..104).

Pure: bodies and headers in and out. `speke_source` sends them. v2.1 is CPIX 2.4, whose periods have
their times; its "standard payload components" go on calling the multivariant playlist "master",
where CPIX 2.4 says "multiVariant": it is asked for as SPEKE says, and read under both names.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lxml import etree

from origin.protection import cpix
from origin.protection.contract import Contract, Rule
from origin.protection.cpix_keys import Recipient
from origin.protection.cpix_signals import systems_of
from origin.protection.cpix_write import CpixVersion, Slot, document
from origin.protection.errors import ProtectionError
from origin.protection.keys import TRANSPORT_ROLE, TRANSPORT_SCHEME, ContentKey, Scheme, kid_of
from origin.protection.markup import every, find, local, parse
from origin.protection.source import Grant
from origin.systems import SYSTEM_IDS, Name
from runtime import logs

Version = Literal["2.0", "2.1"]
CPIX_VERSIONS: Mapping[Version, CpixVersion] = {"2.0": "2.3", "2.1": "2.4"}
PLAYLISTS = ("media", "master")
VERSION_HEADER, AGENT_HEADER = "X-Speke-Version", "X-Speke-User-Agent"
ASKED: frozenset[Name] = frozenset(["widevine", "playready", "fairplay"])  # ClearKey is ours
# PR-102: what a server that keeps to the standard refuses with, status 422
REFUSALS = (
    "Missing CPIX@contentId",
    "Missing CPIX@version",
    "Unsupported CPIX@version",
    "Missing ContentKey@commonEncryptionScheme for KID",
    "Non compliant ContentKey@commonEncryptionScheme combination",
    "Unsupported SPEKE version",
)

log = logs.get("keys")


@dataclass(frozen=True, slots=True)
class Request:
    """One question: all keys of a content id and period (PR-100)."""

    content_id: str
    scheme: Scheme
    period: int
    contract: Contract
    systems: tuple[Name, ...] = ()
    certificate: str = ""  # base64 of ours: keys come encrypted (PR-103)
    version: Version = "2.0"
    ends: int = 0  # when the period is over, seconds since 1970; 0: not known
    packets: bool = False  # for AES-128 and nothing else (PR-145)

    def __post_init__(self) -> None:
        if not self.content_id:
            raise ProtectionError("key_server", "a content id is wanted (PR-100)")

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.contract.rules

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/xml", VERSION_HEADER: self.version}

    def kid(self, rule: Rule) -> uuid.UUID:
        """PR-42: the same question, the same KIDs."""
        role = TRANSPORT_ROLE if self.packets else rule.track_type.lower()
        return uuid.UUID(bytes=kid_of(self.content_id, self.scheme, role, self.period))

    def body(self) -> bytes:
        return document(
            self.content_id,
            self.scheme,
            [Slot(self.kid(rule), rule) for rule in self.rules],
            systems=[name for name in self.systems if name in ASKED],
            playlists=PLAYLISTS if self.scheme == "cbcs" else (),
            bare=[cpix.TRANSPORT_SYSTEM] if self.packets else (),
            period=self.period or None,
            ends=self.ends if self.version != "2.0" else 0,
            certificate=self.certificate,
            version=CPIX_VERSIONS[self.version],
        )


def of_packets(content_id: str, certificate: str = "", version: Version = "2.0") -> Request:
    """The question for a film's key of AES-128. It is one of its own, for one key of all tracks:
    what a key URL gives away opens nothing else. SPEKE 2.0 has no name for the method but cbcs.
    """
    contract = Contract("SHARED", "SHARED")
    return Request(
        content_id, TRANSPORT_SCHEME, 0, contract, (), certificate, version, packets=True
    )


def read_packets(
    request: Request, body: bytes, headers: Mapping[str, str], recipient: Recipient | None = None
) -> ContentKey:
    """The key of AES-128; errors as `read` has them."""
    found, root = _checked(request, body, headers, recipient)
    if found.transport is None:
        raise ProtectionError("key_server", "the answer has no key of AES-128 (PR-145)")
    _sealed(request, root, found.transport.uuid)
    return replace(
        found.transport, role=TRANSPORT_ROLE, content_id=request.content_id, source="speke"
    )


def read(
    request: Request, body: bytes, headers: Mapping[str, str], recipient: Recipient | None = None
) -> dict[str, Grant]:
    """Grants by intendedTrackType. ProtectionError `key_server` for an answer that is not whole.

    `headers` have lower-case names. The answer's KID counts, whatever was asked for (PR-101).
    """
    found, root = _checked(request, body, headers, recipient)
    kids = {rule.track_type: rule.kid for rule in found.rules}
    grants = {}
    for rule in request.rules:
        kid = kids.get(rule.track_type)
        if kid is None:
            raise ProtectionError("key_server", f"the answer has no key of {rule.track_type}")
        role = rule.track_type.lower()
        key = replace(
            found.keys[kid],
            role=role,
            content_id=request.content_id,
            period=request.period,
            source="speke",
        )
        _whole(request, root, kid)
        wanted = [name for name in request.systems if name in ASKED]
        offered = [each for each in found.systems.get(kid, ()) if each.system in wanted]
        if request.scheme == "cenc":
            offered = [replace(each, media=b"", main=b"") for each in offered]
        grants[rule.track_type] = Grant(key, systems_of(offered, key))
    return grants


def _checked(
    request: Request, body: bytes, headers: Mapping[str, str], recipient: Recipient | None
) -> tuple[cpix.Document, etree._Element]:
    for name in (VERSION_HEADER, AGENT_HEADER):
        if name.lower() not in headers:
            log.warning("speke_header_missing", header=name)
    root = parse(body)
    version = CPIX_VERSIONS[request.version]
    for name, sent in (("contentId", request.content_id), ("version", version)):
        if root.get(name) != sent:
            raise ProtectionError("key_server", f"the answer has another CPIX@{name} (PR-101)")
    return cpix.read(body, request.scheme, recipient), root


def _whole(request: Request, root: etree._Element, kid: uuid.UUID) -> None:
    """Every element that was asked for has a value (PR-101)."""
    signals = {
        (uuid.UUID(s.get("systemId") or ""), _signal(each))
        for s in every(root, "cpix:DRMSystemList/cpix:DRMSystem")
        if (s.get("kid") or "").lower() == str(kid)
        for each in s
        if (each.text or "").strip()
    }
    for name in request.systems:
        if name not in ASKED:
            continue
        asked = [] if name == "fairplay" else ["PSSH", "ContentProtectionData"]
        asked += ["media", "master"] if request.scheme == "cbcs" else []
        for what in asked:
            if (SYSTEM_IDS[name], what) not in signals:
                raise ProtectionError("key_server", f"the answer lacks {what} of {name} for {kid}")
    _sealed(request, root, kid)


def _sealed(request: Request, root: etree._Element, kid: uuid.UUID | str) -> None:
    """Whoever asked for encrypted keys gets no other (PR-103)."""
    if request.certificate:
        path = f"cpix:ContentKeyList/cpix:ContentKey[@kid='{kid}']//pskc:PlainValue"
        if find(root, path) is not None:
            raise ProtectionError("key_server", f"the key {kid} came in the clear (PR-103)")


def _signal(element: etree._Element) -> str:
    """Which signal an element of a DRMSystem is, playlists as they are asked for."""
    name = element.get("playlist") or local(element)
    return PLAYLISTS[1] if name in cpix.MAIN else name


def reason(body: bytes) -> str:
    """What a refusal says, as far as it is a known sentence: bodies are never quoted (PR-140)."""
    text = body[:1024].decode(errors="replace")
    return next((known for known in REFUSALS if known in text), "a refusal")


def by_roles(
    grants: Mapping[str, Grant], contract: Contract, roles: Sequence[str]
) -> dict[str, Grant]:
    """The grants by our own roles, or by track types in lower case."""
    rules, found = contract.roles, {}
    for role in roles:
        track_type = rules[role].track_type if role in rules else contract.of_role(role)
        if track_type not in grants:
            raise ProtectionError("no_key", f"the contract has no key of {role}")
        grant = grants[track_type]
        found[role] = replace(grant, key=replace(grant.key, role=role))
    return found
