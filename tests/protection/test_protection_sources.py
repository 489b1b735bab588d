"""Films and channels under keys from CPIX documents (PR-65, PR-74, PR-91..PR-97)."""

import base64
import datetime
import re
import uuid
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import signxml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from origin_rigs.protection_rig import VECTORS

from origin.protection import cpix, cpix_signals
from origin.protection.cpix_keys import Recipient
from origin.protection.cpix_rules import Context, choose
from origin.protection.cpix_source import CpixSource
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.vault import Masters
from origin.settings import Cpix

CPIX = VECTORS / "cpix"
RECIPIENT = Recipient.parse((CPIX / "recipient.pem").read_bytes())
SIGNED = (CPIX / "signed_whole_document.xml").read_bytes()
SIGNER, OTHER = (
    x509.load_der_x509_certificate(base64.b64decode(text))
    for text in re.findall(rb"X509Certificate>([^<]+)", SIGNED)[:2]
)
DS = "{http://www.w3.org/2000/09/xmldsig#}"


# -- signatures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "signers", "required", "good"),
    [
        ("signed_whole_document", [SIGNER], True, True),
        ("signed_whole_document", [OTHER, SIGNER], True, True),
        ("signed_whole_document", [], False, True),
        ("signed_whole_document", [OTHER], False, False),
        ("signed_whole_document", [], True, False),
        ("invalid_signed_tampered", [SIGNER], True, False),
        ("invalid_signed_tampered", [], False, False),
        ("encrypted_mac_key_in_Key", [SIGNER], True, False),
        ("encrypted_mac_key_in_Key", [SIGNER], False, True),
    ],
)
def test_signatures(name: str, signers: Any, required: bool, good: bool) -> None:
    """PR-97: verified when there is one, by pinned certificates, and required by option."""
    data = (CPIX / f"{name}.xml").read_bytes()
    if good:
        read = cpix.read(data, "cbcs", RECIPIENT, signers=signers, signature=required)
        assert len(read.keys) == 2
        return
    with pytest.raises(ProtectionError) as refused:
        cpix.read(data, "cbcs", RECIPIENT, signers=signers, signature=required)
    assert refused.value.code == "bad_mac"


@pytest.fixture(scope="module")
def authority() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    made = made.public_key(key.public_key()).not_valid_before(day)
    return key, made.not_valid_after(day.replace(year=2046)).sign(key, hashes.SHA256())


def signed_list(authority: Any, method: str = "rsa-sha512") -> etree._Element:
    """A document of which the list of keys alone is signed, by its @id."""
    key, certificate = authority
    root = etree.fromstring((CPIX / "clear_periods_cbcs.xml").read_bytes())
    root.find("{*}ContentKeyList").set("id", "keys")
    signer = signxml.XMLSigner(
        signature_algorithm=method, digest_algorithm="sha512",
        c14n_algorithm="http://www.w3.org/2006/12/xml-c14n11",
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return signer.sign(root, key=key, cert=pem, reference_uri="#keys", id_attribute="id")


def test_of_a_document_signed_in_parts_only_those_are_read(authority: Any) -> None:
    """PR-97: keys are read; rules and systems, which anybody may have added, are not."""
    certificate = authority[1]
    root = signed_list(authority)
    read = cpix.read(etree.tostring(root), "cbcs", signers=[certificate], signature=True)
    assert len(read.keys) == 2 and not read.rules and not read.systems
    wrapped = signed_list(authority)
    evil = etree.fromstring(etree.tostring(wrapped.find("{*}ContentKeyList")))
    del evil.attrib["id"]
    evil[0].set("kid", str(uuid.uuid4()))
    wrapped.insert(0, evil)
    again = cpix.read(etree.tostring(wrapped), "cbcs", signers=[certificate], signature=True)
    assert again.keys.keys() == read.keys.keys(), "the wrapped list is left out"


def test_weaker_signatures_do_not_count(authority: Any) -> None:
    """PR-97"""
    data = etree.tostring(signed_list(authority, "rsa-sha256"))
    with pytest.raises(ProtectionError, match="does not hold"):
        cpix.read(data, "cbcs", signers=[authority[1]])


# -- periods ---------------------------------------------------------------------------------------


def test_periods_by_time_are_half_open() -> None:
    """PR-96"""
    text = (CPIX / "clear_periods_cbcs.xml").read_bytes()
    starts = iter((b"2027-01-15T08:00:00Z", b"2027-01-15T08:10:00Z"))

    def timed(_: re.Match[bytes]) -> bytes:
        start = next(starts)
        end = start.replace(b":00:00Z", b":10:00Z") if b":00:00" in start else b""
        return b' start="' + start + (b'" end="' + end + b'"' if end else b'" duration="PT10M"')

    text = re.sub(rb' index="\d+"', timed, text)
    document = cpix.read(text, "cbcs")
    kids = list(document.keys)
    at = datetime.datetime(2027, 1, 15, 8, tzinfo=datetime.UTC).timestamp()
    for time_s, expected in (
        (at - 1, None),
        (at, 0),
        (at + 599, 0),
        (at + 600, 1),
        (at + 1200, None),
    ):
        context = Context("video", 160, 90, Fraction(12), time_s=time_s)
        found = choose(document.rules, kids, document.periods, context)
        assert found == (None if expected is None else kids[expected])


@pytest.mark.parametrize(
    "times",
    ['start="2027-01-15T08:00:00"', 'start="now" end="then"', 'start="2027-01-15T08:00:00Z"',
     'start="2027-01-15T08:00:00Z" duration="P1Y"'],
)  # fmt: skip
def test_times_that_are_none(times: str) -> None:
    text = (CPIX / "clear_periods_cbcs.xml").read_text()
    with pytest.raises(ProtectionError):
        cpix.read(re.sub(r' index="7"', f" {times}", text).encode(), "cbcs")


# -- what is told to players -----------------------------------------------------------------------

KEY = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"'


def test_lines_and_descriptors_pass() -> None:
    """PR-65, PR-74"""
    assert cpix_signals.lines(f"{KEY}\r\n".encode(), "cbcs", False, "k") == (KEY,)
    session = KEY.replace("X-KEY", "X-SESSION-KEY")
    assert cpix_signals.lines(session.encode(), "cbcs", True, "k") == (session,)
    text = '<a:pssh xmlns:a="urn:mpeg:cenc:2013">AA==</a:pssh><b xmlns="urn:b"/>'
    assert cpix_signals.descriptor(text.encode(), "k") == text


@pytest.mark.parametrize(
    "line",
    [
        "hello", "#EXTINF:1,", KEY.replace("SAMPLE-AES", "AES-128"), "#EXT-X-KEY", "#EXT-X-KEY:",
        KEY.replace("skd:", "http:"), KEY.replace("skd:", "file:"),
        KEY.replace("X-KEY", "X-SESSION-KEY"),
        KEY.replace("SAMPLE-AES", "SAMPLE-AES-CTR"), KEY + "\nhttps://evil.example/", KEY + "\x07",
        '#EXT-X-MAP:URI="http://evil"',
    ],
)  # fmt: skip
def test_lines_that_may_not_stand_in_a_playlist(line: str) -> None:
    """PR-65"""
    with pytest.raises(ProtectionError) as refused:
        cpix_signals.lines(line.encode(), "cbcs", False, "k")
    assert refused.value.code == "bad_document"


@pytest.mark.parametrize(
    "data",
    [
        b"<a>", b"text", b"<a/>text<", b"<!DOCTYPE a><a/>", b"<?pi?><a/>", b"&x;", b"\xff",
        b"<a>" + b"x" * 65_536 + b"</a>", b"</r><r>",
        b'<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011"/>',
        b'<a schemeIdUri="urn:mpeg:dash:mp4protection:2011"/>',
    ],
)  # fmt: skip
def test_descriptors_that_are_refused(data: bytes) -> None:
    """PR-74"""
    with pytest.raises(ProtectionError):
        cpix_signals.descriptor(data, "k")


# -- a document as a source ------------------------------------------------------------------------


async def test_a_channel_takes_keys_from_a_document(tmp_path: Path) -> None:
    """PR-96; the keys are in the key file afterwards, with what players are told."""
    path = tmp_path / "keys.xml"
    text = (CPIX / "clear_periods_cbcs.xml").read_bytes()
    path.write_bytes(text.replace(b'index="7"', b'index="1800000000"'))
    file = KeyFile(tmp_path / "keys.json", Masters.of([bytes(32)]))
    source = CpixSource(path, Cpix.model_validate({}), file)
    found = await source.keys("demo", "cbcs", 1_800_000_000, ("sd", "hd"))
    assert found["sd"].key.kid == found["hd"].key.kid
    assert found["sd"].key.content_id == "demo"
    names = [system.name for system in found["sd"].systems]
    assert names == ["widevine", "playready", *names[2:]]
    vault = file.vault()
    assert vault.find("demo", "cbcs", "hd", 1_800_000_000) is not None
    assert vault.told(found["sd"].key) == found["sd"].systems
    for period, roles in ((1_800_000_600, ("sd",)), (1_800_000_000, ("audio",))):
        with pytest.raises(ProtectionError) as refused:
            await source.keys("demo", "cbcs", period, roles)
        assert refused.value.code == "no_key"
    path.write_bytes(text.replace(b'index="7"', b'index="1800000600"'))
    assert await source.keys("demo", "cbcs", 1_800_000_600, ("sd",)), "read again"
    path.unlink()
    with pytest.raises(ProtectionError):
        await source.keys("demo", "cbcs", 1_800_000_600, ("sd",))
