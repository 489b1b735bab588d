"""What CPIX 2.4 adds: several DocumentKeys, content ids of keys (PR-91)."""

import base64
import hmac
import os
import re
import uuid
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from origin_rigs.protection_rig import VECTORS

from origin.protection import cpix
from origin.protection.cpix_keys import Recipient
from origin.protection.errors import ProtectionError

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


def test_a_content_id_is_the_document_s_or_the_key_s() -> None:
    used = dict.fromkeys(KIDS, ONE)
    both = document(SECRETS, {"": ONE}, used).replace(
        b"<cpix:ContentKey ", b'<cpix:ContentKey contentId="b" '
    )
    with pytest.raises(ProtectionError, match="both have a contentId"):
        cpix.read(both, "cbcs", RECIPIENT)
    own = cpix.read(both.replace(b'contentId="film"', b""), "cbcs", RECIPIENT)
    assert {key.content_id for key in own.keys.values()} == {"b"}
