"""Signatures of CPIX documents: what is read is what was signed (PR-97; XML Signature 1.1).

RSASSA-PKCS1-v1_5 with SHA-512 over Canonical XML 1.1. A signature names the whole document or lists
of it by their @id; of a document signed in parts, the other parts are left out.
"""

import logging
from collections.abc import Sequence
from copy import deepcopy

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from origin.protection.errors import ProtectionError
from origin.protection.markup import NAMESPACES, binary, every, parse

SIGNATURES_MOST = 8
REFERENCES_MOST = 16
CERTIFICATE = "ds:KeyInfo/ds:X509Data/ds:X509Certificate"
_SIGNATURE = f"{{{NAMESPACES['ds']}}}Signature"
_EXPECTED = SignatureConfiguration(
    location="./",
    expect_references=True,
    signature_methods=frozenset([SignatureMethod.RSA_SHA512]),
    digest_algorithms=frozenset([DigestAlgorithm.SHA512]),
)

logging.getLogger("signxml").setLevel(logging.WARNING)  # its debug lines quote documents (PR-140)


def signed(data: bytes, signers: Sequence[x509.Certificate], required: bool) -> bytes:
    """The document as far as it is signed; all of one that is not, unless that is `required`.

    Without `signers` a signature tells only that nothing was changed since, by whomever. Error
    `bad_mac`.
    """
    root = parse(data)
    found = every(root, "ds:Signature")
    if not found:
        if required:
            raise _refused("has no signature")
        return data
    if len(found) > SIGNATURES_MOST or (required and not signers):
        raise _refused("has too many signatures, or nobody may sign")
    parts: list[etree._Element] = []
    for at, signature in enumerate(found):
        for whole, part in _verified(data, at, signature, signers):
            if whole:
                return etree.tostring(part)
            parts.append(part)
    kept = etree.Element(root.tag, root.attrib, root.nsmap)
    kept.extend(parts)
    return etree.tostring(kept)


def _verified(
    data: bytes, at: int, signature: etree._Element, signers: Sequence[x509.Certificate]
) -> list[tuple[bool, etree._Element]]:
    """What one signature covers: whether that is the root, and the element."""
    if len(every(signature, "ds:SignedInfo/ds:Reference")) > REFERENCES_MOST:
        raise _refused("is signed in too many parts")
    given = [binary(each, "X509Certificate") for each in every(signature, CERTIFICATE)]
    try:
        trusted = list(signers) or [x509.load_der_x509_certificate(der) for der in given[:1]]
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except (ValueError, etree.XMLSyntaxError):
        raise _refused("has a malformed certificate") from None
    others = [each for each in root if each.tag == _SIGNATURE]
    for index, other in enumerate(others):
        if index != at:
            root.remove(other)
    for certificate in trusted:
        try:
            results = XMLVerifier().verify(
                root, x509_cert=certificate, id_attribute="id", expect_config=_EXPECTED
            )
        except (SignXMLException, InvalidSignature, etree.LxmlError, ValueError, TypeError):
            continue
        listed = results if isinstance(results, list) else [results]
        covered = [each.signed_xml for each in listed]
        if all(each is not None for each in covered):
            return [(each.tag == root.tag, deepcopy(each)) for each in covered if each is not None]
    raise _refused("has a signature that does not hold")


def _refused(why: str) -> ProtectionError:
    return ProtectionError("bad_mac", f"the CPIX document {why} (PR-97)")
