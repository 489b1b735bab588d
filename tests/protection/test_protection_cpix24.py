"""What CPIX 2.4 adds: several DocumentKeys, ids of keys, output protection (PR-65, PR-91)."""

import base64
import hmac
import os
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree
from origin_rigs.protection_rig import VECTORS

from origin.dash.protection import content_protection
from origin.hls import multivariant
from origin.hls.keys import output_rules
from origin.protection import cpix
from origin.protection.cpix_keys import Recipient
from origin.protection.cpix_signals import LONGEST_DESCRIPTOR, MPD_NAMESPACE, systems_of
from origin.protection.errors import ProtectionError
from origin.protection.vault import Masters, Vault
from origin.systems import Protected
from origin.tracks import Rendition

RECIPIENT = Recipient.parse((VECTORS / "cpix/recipient.pem").read_bytes())
KIDS = [uuid.UUID(int=n) for n in (1, 2, 3)]
SPACES = (
    'xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" '
    'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:enc="http://www.w3.org/2001/04/xmlenc#"'
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sealed(data: bytes) -> str:
    public = serialization.load_pem_private_key(
        (VECTORS / "cpix/recipient.pem").read_bytes(), None
    ).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    sha1 = hashes.SHA1()
    return value(public.encrypt(data, padding.OAEP(padding.MGF1(sha1), sha1, None)))


def value(data: bytes) -> str:
    return f"<enc:CipherData><enc:CipherValue>{b64(data)}</enc:CipherValue></enc:CipherData>"


def certificate() -> str:
    text = (VECTORS / "cpix/encrypted_mac_key_in_MACKey.xml").read_text()
    found = re.findall("X509Certificate>([^<]+)<", text)
    return next(each for each in found if RECIPIENT.owns(base64.b64decode(each)))


def document(
    secrets: Mapping[uuid.UUID, bytes],
    named: Mapping[str, bytes],
    used: Mapping[uuid.UUID, bytes],
) -> bytes:
    """`named`: encryptsKey -> document key; `used`: which one a content key is encrypted with."""
    mac = os.urandom(64)
    keys = ""
    for kid, secret in secrets.items():
        iv = os.urandom(16)
        cipher = Cipher(algorithms.AES(used[kid]), modes.CBC(iv)).encryptor()
        data = iv + cipher.update(secret + bytes([16]) * 16)
        keys += (
            f'<cpix:ContentKey kid="{kid}" commonEncryptionScheme="cbcs"><cpix:Data><pskc:Secret>'
            f"<pskc:EncryptedValue>{value(data)}</pskc:EncryptedValue>"
            f"<pskc:ValueMAC>{b64(hmac.digest(mac, data, 'sha512'))}</pskc:ValueMAC>"
            f"</pskc:Secret></cpix:Data></cpix:ContentKey>"
        )
    delivered = "".join(
        f"<cpix:DocumentKey{f' encryptsKey={chr(34)}{kids}{chr(34)}' if kids else ''}><cpix:Data>"
        f"<pskc:Secret><pskc:EncryptedValue>{sealed(key)}</pskc:EncryptedValue></pskc:Secret>"
        "</cpix:Data></cpix:DocumentKey>"
        for kids, key in named.items()
    )
    return (
        f'<cpix:CPIX {SPACES} contentId="film" version="2.4"><cpix:DeliveryDataList>'
        "<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data><ds:X509Certificate>"
        f"{certificate()}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey>{delivered}"
        '<cpix:MACMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha512">'
        f"<pskc:MACKey>{sealed(mac)}</pskc:MACKey></cpix:MACMethod></cpix:DeliveryData>"
        f"</cpix:DeliveryDataList><cpix:ContentKeyList>{keys}</cpix:ContentKeyList></cpix:CPIX>"
    ).encode()


SECRETS = {kid: os.urandom(16) for kid in KIDS}
ONE, OTHER = os.urandom(32), os.urandom(32)
FIRST_TWO = f"{KIDS[0]} {str(KIDS[1]).upper()}"


def test_each_document_key_opens_the_keys_that_it_names() -> None:
    """PR-91: lists of KIDs, in either case of letters."""
    used = {KIDS[0]: ONE, KIDS[1]: ONE, KIDS[2]: OTHER}
    data = document(SECRETS, {FIRST_TWO: ONE, str(KIDS[2]): OTHER}, used)
    read = cpix.read(data, "cbcs", RECIPIENT)
    assert {kid: key.secret.reveal() for kid, key in read.keys.items()} == SECRETS
    alone = document(SECRETS, {"": ONE}, dict.fromkeys(KIDS, ONE))
    assert set(cpix.read(alone, "cbcs", RECIPIENT).keys) == set(KIDS)


@pytest.mark.parametrize(
    "named",
    [
        {FIRST_TWO: ONE},  # nobody encrypts the third
        {FIRST_TWO: ONE, "": OTHER},  # of several each names its keys
        {FIRST_TWO: ONE, f"{KIDS[1]} {KIDS[2]}": OTHER},  # two for one key
        {f"{KIDS[0]}": ONE, f"{KIDS[1]} {KIDS[2]}": OTHER},  # the second is under the first one's
        {"all of them": ONE},
        {},
    ],
)
def test_other_document_keys_are_refused_alike(named: dict[str, bytes]) -> None:
    """PR-93: one error, whatever is wrong."""
    used = {KIDS[0]: ONE, KIDS[1]: ONE, KIDS[2]: OTHER}
    with pytest.raises(ProtectionError) as refused:
        cpix.read(document(SECRETS, named, used), "cbcs", RECIPIENT)
    assert refused.value.code == "bad_mac"
    assert str(refused.value) == "an encrypted value is not authentic, or not for us"


def test_a_value_that_opens_to_no_key_is_refused_like_one_of_another() -> None:
    """PR-93: a wrong document key makes a padding that looks right now and then."""
    secrets = {kid: os.urandom(32) for kid in KIDS}
    with pytest.raises(ProtectionError) as refused:
        cpix.read(document(secrets, {"": ONE}, dict.fromkeys(KIDS, ONE)), "cbcs", RECIPIENT)
    assert refused.value.code == "bad_mac"


def test_a_content_id_is_the_document_s_or_the_key_s() -> None:
    used = dict.fromkeys(KIDS, ONE)
    both = document(SECRETS, {"": ONE}, used).replace(
        b"<cpix:ContentKey ", b'<cpix:ContentKey contentId="b" '
    )
    with pytest.raises(ProtectionError, match="both have a contentId"):
        cpix.read(both, "cbcs", RECIPIENT)
    own = cpix.read(both.replace(b'contentId="film"', b""), "cbcs", RECIPIENT)
    assert {key.content_id for key in own.keys.values()} == {"b"}


PLAIN = (VECTORS / "cpix/clear_3keys_cenc.xml").read_bytes()
SHOWN = (
    (b"</ContentKey>", b'<HDCPData HLSHDCPLevel="%s"/></ContentKey>'),
    (b"<DRMSystem ", b'<DRMSystem HLSAllowedCPC="com.example:HW/SW,com.other:HW" '),
    (b"<ContentProtectionData>", b'<ContentProtectionData robustness="HW_SECURE_ALL">'),
)


def told(*levels: bytes) -> list[Rendition]:
    """A picture for each level, its key as a key file gives it back."""
    text = re.sub(rb"<HLSSignalingData.*?</HLSSignalingData>", b"", PLAIN, flags=re.S)
    for plain, ruled in SHOWN:
        assert plain in text
        text = text.replace(plain, ruled)
    wanted = iter([*levels, *[levels[-1]] * 3])
    text = re.sub(rb"%s", lambda _: next(wanted), text)
    read = cpix.read(text, "cenc")
    vault = Vault(b"", Masters.of([bytes(32)]))
    shown = []
    for number, (kid, key) in enumerate(read.keys.items()):
        vault.add(replace(key, role=f"v{number}"), os.urandom, systems_of(read.systems[kid], key))
    vault = Vault(vault.dump(), Masters.of([bytes(32)]))
    for number, (key, _) in enumerate(zip(read.keys.values(), levels, strict=False)):
        systems = vault.told(key)
        protected = Protected("cenc", "hd", key.kid, b"", systems)
        r = Rendition(f"v{number}", "video", "avc1.64001f", 90_000, protected=protected)
        shown.append(replace(r, width=640, height=360, bandwidth=1000 + number))
    return shown


def test_output_protection_is_told_in_playlists_and_manifests() -> None:
    """PR-65: also where session keys are not, for keys change."""
    shown = told(b"TYPE-1", b"NONE")
    for session_keys in (True, False):
        playlist = multivariant(shown, session_keys=session_keys)
        assert ("#EXT-X-SESSION-KEY" in playlist) == session_keys
        lines = [line for line in playlist.splitlines() if "STREAM-INF" in line]
        assert [re.findall("HDCP-LEVEL=([A-Z0-9-]+)", line) for line in lines] == [
            ["TYPE-1"],
            ["NONE"],
        ]
        assert playlist.count('ALLOWED-CPC="com.example:HW/SW,com.other:HW"') == 2
    mpd = content_protection(shown[0].protected)
    assert mpd.count('ed" robustness="HW_SECURE_ALL">') == 1  # Widevine's alone has one
    sound = replace(shown[0], name="a", kind="audio", protected=None)
    assert output_rules([shown[1], sound, shown[0]])[0] == "HDCP-LEVEL=TYPE-1"
    assert output_rules([sound]) == []


HDCP = '<OutputProtection schemeIdUri="urn:mpeg:dash:output-protection:hdcp:2020" value="2.2"/>'
SPACED = HDCP.replace(" ", f' xmlns="{MPD_NAMESPACE}" ', 1)


def asked_output(monkeypatch: pytest.MonkeyPatch, fragment: bytes) -> Rendition:
    """A picture whose key asks for this in the MPD."""
    data = b"<HDCPOutputProtectionData>%s</HDCPOutputProtectionData></HDCPData>"
    ruled = SHOWN[0][1].replace(b"/></", b">" + data % b64(fragment).encode() + b"</", 1)
    monkeypatch.setattr(sys.modules[__name__], "SHOWN", [(SHOWN[0][0], ruled), *SHOWN[1:]])
    return told(b"TYPE-1")[0]


@pytest.mark.parametrize("fragment", [HDCP, SPACED, f'<?xml version="1.0"?>\n{HDCP}'])
def test_output_that_a_key_asks_for_is_in_the_mpd(
    fragment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-91, DASH-IF IOP 5 part 6, 7.4: once for each set, behind its ContentProtection."""
    shown = asked_output(monkeypatch, fragment.encode())
    mpd = content_protection(shown.protected)
    root = etree.fromstring(f'<AdaptationSet xmlns="{MPD_NAMESPACE}">{mpd}</AdaptationSet>')
    names = [etree.QName(child) for child in root]
    assert {name.namespace for name in names} == {MPD_NAMESPACE}
    assert [n.localname for n in names] == ["ContentProtection"] * (len(names) - 1) + [
        "OutputProtection"
    ]
    assert root[-1].get("value") == "2.2"
    assert root[-1].get("schemeIdUri") == "urn:mpeg:dash:output-protection:hdcp:2020"


@pytest.mark.parametrize(
    "fragment",
    [
        b"HDCP 2.2",
        b"<OutputProtection/>",
        b'<ContentProtection schemeIdUri="urn:a"/>',
        b'<OutputProtection xmlns="urn:a" schemeIdUri="urn:a"/>',
        HDCP.encode() * 2,
        b"<!DOCTYPE a>" + HDCP.encode(),
        HDCP.replace("2.2", "2" * LONGEST_DESCRIPTOR).encode(),
    ],
)
def test_output_that_is_no_output_protection_is_refused(
    fragment: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProtectionError) as refused:
        asked_output(monkeypatch, fragment)
    assert refused.value.code == "bad_document"


@pytest.mark.parametrize(
    ("level", "said", "other"),
    [
        (b"TYPE-9", b"", b""),
        (b'"', b"", b""),
        (b"NONE", b"com.example:HW/SW,com.other:HW", b'a:b"&#10;#EXT-X-KEY:METHOD=NONE'),
        (b"NONE", b"HW_SECURE_ALL", b"a b"),
    ],
)
def test_output_protection_that_no_player_reads_is_refused(
    level: bytes, said: bytes, other: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules[__name__],
        "SHOWN",
        [(a, b.replace(said, other.replace(b'"', b"&quot;")) if said else b) for a, b in SHOWN],
    )
    with pytest.raises(ProtectionError) as refused:
        told(level.replace(b'"', b"&quot;"))
    assert refused.value.code == "bad_document"
