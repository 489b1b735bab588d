"""Lossless reader of MPDs: expat says whether XML is well-formed, native.mpd where things stand.

A DOCTYPE is refused before it can declare an entity, nothing is fetched, depth is bounded.
Source: ISO/IEC 23009-1:2022 section 5; DASH-M20.
"""

import re
from xml.parsers import expat
from xml.sax.saxutils import escape

from native.mpd import Element, elements

from .errors import ManifestError

MAX_DEPTH = 64
ENCODINGS = frozenset({"utf-8", "us-ascii", "iso-8859-1"})  # those in which markup is ASCII bytes
NAME = re.compile(rb"<[^\s/>]++")
XLINK = b"http://www.w3.org/1999/xlink"
XLINK_PREFIX = re.compile(rb"""\sxmlns:([^\s=]++)\s*+=\s*+["']%b["']""" % re.escape(XLINK))
TO_ESCAPE = re.compile(rb"[^ !#-%(-;=?-~]")  # all but plain ASCII
BREAKS = bytes.maketrans(b"\t\r\n", b"   ")


def xml_text(text: bytes) -> bytes:
    """Text or attribute value; non-ASCII as character references, so any encoding holds it."""
    if not TO_ESCAPE.search(text):
        return text
    plain = escape(text.decode("utf-8", "replace"), {'"': "&quot;", "'": "&apos;"})
    return plain.encode("ascii", "xmlcharrefreplace")


class Document:
    """A well-formed document; ManifestError for anything else."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.encoding = "utf-8"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
            raise ManifestError("xml_encoding", "only ASCII-compatible encodings are read")
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise ManifestError("xml_malformed", str(error)) from None
        self.root = elements(data, MAX_DEPTH)[0]
        prefixes = XLINK_PREFIX.findall(data) if XLINK in data else []
        # how this document writes the attribute `xlink:href`
        self.xlink_names: list[bytes] = [prefix + b":href" for prefix in prefixes]

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower() not in ENCODINGS:
            raise ManifestError("xml_encoding", "only ASCII-compatible encodings are read")
        self.encoding = encoding or self.encoding

    def _doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        raise ManifestError("xml_doctype", "a manifest declares no document type")

    def text(self, element: Element) -> str:
        """The character data of an element."""
        inner = self.data[element.inner_start : element.inner_end]
        return self._content(inner) if b"<" in inner else self._plain(inner)

    def attribute(self, element: Element, name: bytes) -> str | None:
        """The value of an attribute, named as written."""
        span = element.attribute_span(name)
        return span and self._plain(self.data[span[0] : span[1]].translate(BREAKS))

    def _plain(self, raw: bytes) -> str:
        """Text without markup; a `>` need not be escaped in an attribute, `]]>` must in content."""
        if b"&" in raw:
            return self._content(raw.replace(b">", b"&gt;"))
        return raw.decode(self.encoding)

    def _content(self, raw: bytes) -> str:
        found: list[str] = []
        parser = expat.ParserCreate(self.encoding)
        parser.CharacterDataHandler = found.append
        parser.Parse(b"<t>" + raw + b"</t>", True)
        return "".join(found)

    def indent(self, element: Element) -> bytes:
        """The white space that stands before an element."""
        at = element.start
        while at and self.data[at - 1] in b" \t\r\n":
            at -= 1
        return self.data[at : element.start]

    @property
    def prefix(self) -> bytes:
        """The namespace prefix of the root as written, with its colon, or nothing."""
        name = NAME.match(self.data, self.root.start)
        head, colon, _ = name[0][1:].rpartition(b":") if name else (b"", b"", b"")
        return head + colon
