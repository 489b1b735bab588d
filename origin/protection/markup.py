"""XML from key servers, read without DTD, entities or network (specs/protection.md PR-98)."""

import base64
import binascii

from lxml import etree

from origin.protection.errors import ProtectionError

LONGEST = 4 << 20
DEEPEST = 64
NAMESPACES = {
    "cpix": "urn:dashif:org:cpix",
    "pskc": "urn:ietf:params:xml:ns:keyprov:pskc",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "enc": "http://www.w3.org/2001/04/xmlenc#",
}


def parse(data: bytes) -> etree._Element:
    """The root of a document. ProtectionError `bad_document`; no message shows content."""
    if len(data) > LONGEST:
        raise ProtectionError("bad_document", f"more than {LONGEST} bytes")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ProtectionError("bad_document", "not well-formed XML") from None
    if root.getroottree().docinfo.doctype:
        raise ProtectionError("bad_document", "a document type declaration")
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > DEEPEST:
            raise ProtectionError("bad_document", f"deeper than {DEEPEST} elements")
    return root


def find(element: etree._Element, path: str) -> etree._Element | None:
    return element.find(path, NAMESPACES)


def every(element: etree._Element, path: str) -> list[etree._Element]:
    return element.findall(path, NAMESPACES)


def local(element: etree._Element) -> str:
    return etree.QName(element).localname


def binary(element: etree._Element | None, what: str) -> bytes:
    """base64 text, white space allowed; errors name the element alone."""
    text = "".join((element.text or "").split()) if element is not None else ""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProtectionError("bad_document", f"{what} is not base64") from None
