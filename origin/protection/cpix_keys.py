"""Encrypted values of CPIX documents (specs/protection.md PR-93, PR-94).

One error for every failure, so that an answer tells nothing of what was wrong.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from lxml import etree

from origin.protection.errors import ProtectionError
from origin.protection.markup import NAMESPACES, binary, every, find
from origin.protection.secret import KEY_BYTES

OAEP = NAMESPACES["enc"] + "rsa-oaep-mgf1p"
AES256_CBC = NAMESPACES["enc"] + "aes256-cbc"
HMAC_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"
_CIPHER = "enc:CipherData/enc:CipherValue"
_MAC_KEYS = ("pskc:MACKey", "cpix:Key", "cpix:Key/pskc:EncryptedValue")  # PR-94
BLOCK = 16
MOST_KEYS = 256  # of a document that are unwrapped: each is an RSA operation


@dataclass(frozen=True, slots=True)
class Recipient:
    """Our private key; never shown."""

    _key: rsa.RSAPrivateKey

    @classmethod
    def parse(cls, pem: bytes) -> "Recipient":
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ProtectionError("bad_document", "a recipient has an RSA key")
        return cls(key)

    def __repr__(self) -> str:
        return "Recipient(***)"

    def owns(self, certificate: bytes) -> bool:
        """Whether a DER certificate is of this key."""
        try:
            return (
                x509.load_der_x509_certificate(certificate).public_key() == self._key.public_key()
            )
        except ValueError:
            return False

    def unwrap(self, data: bytes) -> bytes:
        sha1 = hashes.SHA1()  # what rsa-oaep-mgf1p means
        return self._key.decrypt(data, padding.OAEP(padding.MGF1(sha1), sha1, None))


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    """What opens the values of one document: a key for each KID that it names, or one for all."""

    _keys: Mapping[UUID | None, bytes]
    _mac: bytes

    def __repr__(self) -> str:
        return "DocumentKeys(***)"

    def open(self, secret: etree._Element, kid: UUID) -> bytes:
        """pskc:Secret with EncryptedValue and ValueMAC; the MAC is checked first."""
        try:
            key = self._keys.get(kid) or self._keys.get(None)
            if key is None:
                raise ValueError
            sealed = binary(find(secret, f"pskc:EncryptedValue/{_CIPHER}"), "CipherValue")
            told = binary(find(secret, "pskc:ValueMAC"), "ValueMAC")
            made = hmac.digest(self._mac, sealed, hashlib.sha512)
            if not hmac.compare_digest(told, made) or len(sealed) < 2 * BLOCK:
                raise ValueError
            cipher = Cipher(algorithms.AES(key), modes.CBC(sealed[:BLOCK])).decryptor()
            padded = cipher.update(sealed[BLOCK:]) + cipher.finalize()
            plain = PKCS7(8 * BLOCK).unpadder()
            value = plain.update(padded) + plain.finalize()
            if len(value) != KEY_BYTES:  # with a wrong key one padding in 256 looks right
                raise ValueError
            return value
        except (ValueError, ProtectionError):
            raise _refused() from None


def document_keys(root: etree._Element, recipient: Recipient | None) -> DocumentKeys | None:
    """The document's keys for this recipient; None when nothing is delivered to it."""
    if recipient is None:
        return None
    for delivery in every(root, "cpix:DeliveryDataList/cpix:DeliveryData"):
        path = "cpix:DeliveryKey/ds:X509Data/ds:X509Certificate"
        if not any(recipient.owns(binary(c, "X509Certificate")) for c in every(delivery, path)):
            continue
        method = find(delivery, "cpix:MACMethod")
        if method is None or method.get("Algorithm") != HMAC_SHA512:
            raise _refused()
        mac = next(
            (m for p in _MAC_KEYS if (m := find(method, f"{p}/{_CIPHER}")) is not None), None
        )
        try:
            return DocumentKeys(
                _by_kid(every(delivery, "cpix:DocumentKey"), recipient),
                recipient.unwrap(binary(mac, "MACKey")),
            )
        except (ValueError, ProtectionError):
            raise _refused() from None
    return None


def _by_kid(
    elements: Sequence[etree._Element], recipient: Recipient
) -> Mapping[UUID | None, bytes]:
    """Of several keys each names the KIDs that it encrypts, and none is named twice; one alone may
    be for all (CPIX 2.4, DocumentKey@encryptsKey). ValueError for anything else.
    """
    found: dict[UUID | None, bytes] = {}
    path = f"cpix:Data/pskc:Secret/pskc:EncryptedValue/{_CIPHER}"
    for element in elements[:MOST_KEYS]:
        named: list[UUID | None] = [UUID(kid) for kid in (element.get("encryptsKey") or "").split()]
        if any(kid in found for kid in named) or not (named or len(elements) == 1):
            raise ValueError
        key = recipient.unwrap(binary(find(element, path), "DocumentKey"))
        found |= dict.fromkeys(named or [None], key)
    return found


def certificate_text(certificate: x509.Certificate) -> str:
    """The base64 of a certificate, as a DeliveryKey carries it."""
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def _refused() -> ProtectionError:
    return ProtectionError("bad_mac", "an encrypted value is not authentic, or not for us")
