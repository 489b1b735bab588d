"""CPIX documents: keys, mapping, encryption and what is refused (PR-85, PR-91..PR-98)."""

import json
import re
import uuid
from fractions import Fraction

import pytest
from origin_rigs.protection_rig import VECTORS

from origin.protection import cpix
from origin.protection.cpix_keys import Recipient
from origin.protection.cpix_rules import Context, choose
from origin.protection.errors import ProtectionError

INDEX = json.loads((VECTORS / "cpix/index.json").read_text())["documents"]
RECIPIENT = Recipient.parse((VECTORS / "cpix/recipient.pem").read_bytes())
READ = [d for d in INDEX if "expect_error" not in d and "signed" not in d["file"]]


def scheme_of(text: bytes) -> str:
    return re.search(rb'commonEncryptionScheme="(\w+)"', text)[1].decode()


def load(name: str) -> cpix.Document:
    data = (VECTORS / name).read_bytes()
    return cpix.read(data, scheme_of(data), RECIPIENT)


def context(words: str) -> Context:
    period = re.search(r"period (\d+)", words)
    size = re.search(r"(\d+)x(\d+)", words)
    return Context(
        "audio" if "audio" in words else "video",
        *(map(int, size.groups()) if size else (0, 0)),
        channels=2,
        period=int(period[1]) if period else None,
    )


def chosen(document: cpix.Document, words: str) -> str | None:
    found = choose(document.rules, list(document.keys), document.periods, context(words))
    return str(found) if found else None


@pytest.mark.parametrize("known", READ, ids=[d["file"] for d in READ])
def test_documents_read_as_known(known) -> None:
    document = load(known["file"])
    keys = {str(kid): key.secret.reveal().hex() for kid, key in document.keys.items()}
    assert keys == dict(known["keys"])
    for words, kid in known.get("expect", {}).items():
        assert chosen(document, words) == kid
    if "explicit_iv" in known:
        assert {key.constant_iv.hex() for key in document.keys.values()} == {known["explicit_iv"]}
    for kid, offered in document.systems.items():
        assert kid in document.keys
        assert all(each.pssh or each.descriptor for each in offered)


def test_two_keys_for_one_context_are_refused() -> None:
    """PR-95"""
    document = load("cpix/invalid_two_keys_for_one_context.xml")
    with pytest.raises(ProtectionError, match="two keys"):
        chosen(document, "period 7 video")


@pytest.mark.parametrize(
    ("name", "code"),
    [("invalid_unknown_filter", "bad_document"), ("invalid_encrypted_bad_mac", "bad_mac")],
)
def test_invalid_documents_are_refused(name: str, code: str) -> None:
    """PR-93, PR-95"""
    with pytest.raises(ProtectionError) as refused:
        load(f"cpix/{name}.xml")
    assert refused.value.code == code


@pytest.mark.parametrize("name", ["vod_video3_audio2_cbcs", "encrypted_cbcs"])
def test_an_iv_that_is_the_key_is_refused(name: str) -> None:
    """PR-19: the reference server's answers."""
    data = (VECTORS / f"speke/{name}.response.xml").read_bytes()
    facts = json.loads((VECTORS / f"speke/{name}.json").read_text())
    with pytest.raises(ProtectionError) as refused:
        cpix.read(data, "cbcs", RECIPIENT)
    assert refused.value.code == "iv_equals_key"
    assert not any(key in str(refused.value) for _, key in facts["keys"].values())
    document = cpix.read(re.sub(rb' explicitIV="[^"]*"', b"", data), "cbcs", RECIPIENT)
    types = {rule.track_type: str(rule.kid) for rule in document.rules}
    assert {
        name: [kid, document.keys[uuid.UUID(kid)].secret.reveal().hex()]
        for name, kid in types.items()
    } == facts["keys"]


PLAIN = (VECTORS / "cpix/clear_3keys_cenc.xml").read_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<CPIX/>"[:-1], b"<other/>", bytes(5 << 20),
        b'<!DOCTYPE CPIX [<!ENTITY a "x">]>' + PLAIN[PLAIN.index(b"<CPIX") :],
        b"<a>" * 100 + b"</a>" * 100,
        re.sub(rb"<pskc:PlainValue>[^<]*", b"<pskc:PlainValue>AAAA", PLAIN),
        re.sub(rb"<pskc:PlainValue>[^<]*", b"<pskc:PlainValue>%%%%", PLAIN),
        re.sub(rb'kid="98ee5596', b'kid="zzzz5596', PLAIN),
        re.sub(rb'kid="[^"]*"', b'kid="53ABDBA2-f210-43cb-bc90-f18f9a890a02"', PLAIN),
        PLAIN.replace(b"maxPixels", b"mostPixels"),
    ],
)  # fmt: skip
def test_bad_documents_are_refused_without_their_values(data: bytes) -> None:
    """PR-92, PR-98"""
    with pytest.raises(ProtectionError) as refused:
        cpix.read(data, "cenc", RECIPIENT)
    known = [key for d in READ for _, key in d["keys"]]
    assert not any(key in str(refused.value) for key in known)
    assert "%%%%" not in str(refused.value)


def test_another_scheme_or_another_recipient_is_refused() -> None:
    """PR-92, PR-93"""
    with pytest.raises(ProtectionError, match="is for cenc, not cbcs"):
        cpix.read(PLAIN, "cbcs")
    data = (VECTORS / "cpix/encrypted_mac_key_in_Key.xml").read_bytes()
    with pytest.raises(ProtectionError) as refused:
        cpix.read(data, "cbcs")
    assert refused.value.code == "bad_mac"


def test_limits_are_inclusive_save_the_least_frame_rate() -> None:
    """PR-95"""
    text = PLAIN.replace(b'minPixels="589825"', b'minPixels="589825" minFps="30" maxFps="60"')
    document = cpix.read(text, "cenc")
    kids = list(document.keys)
    for rate, found in ((30, False), (31, True), (60, True), (61, False)):
        seen = Context("video", 1280, 720, Fraction(rate))
        assert (choose(document.rules, kids, document.periods, seen) is not None) == found
