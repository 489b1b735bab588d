"""Lossless reader of MPDs: elements with their byte spans, so that edits touch nothing else.

One pass of expat, which reports byte offsets. A DOCTYPE is refused before it can declare an entity,
nothing is fetched, depth is bounded. Source: ISO/IEC 23009-1:2022 section 5; DASH-M20.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from .errors import ManifestError

MAX_DEPTH = 64
ENCODINGS = frozenset({"utf-8", "us-ascii", "iso-8859-1"})  # those in which markup is ASCII bytes
TEXT_ELEMENTS = frozenset({"BaseURL", "Location"})
START_TAG = re.compile(rb"""<(?:[^"'>]++|"[^"]*+"|'[^']*+')*+>""")
NAME = re.compile(rb"<[^\s/>]++")
ATTRIBUTE = re.compile(rb"""\s([^\s=/>"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")


@dataclass(slots=True)
class Element:
    """Local name, namespace, decoded attributes; `start..end` covers the element with its tags."""

    name: str
    namespace: str
    attributes: dict[str, str]
    start: int
    end: int = 0
    inner_start: int = 0
    inner_end: int = 0
    text: str = ""  # of TEXT_ELEMENTS only
    children: list["Element"] = field(default_factory=list)

    def named(self, name: str) -> list["Element"]:
        return [child for child in self.children if child.name == name]


@dataclass(slots=True)
class Document:
    data: bytes
    root: Element

    def attribute_spans(self, element: Element) -> dict[str, tuple[int, int]]:
        """Where each attribute's value stands between its quotes, by its name as written."""
        tag = self.data[element.start : element.inner_start]
        name = NAME.match(tag)
        spans = {}
        for found in ATTRIBUTE.finditer(tag, name.end() if name else 0):
            group = 2 if found[2] is not None else 3
            start, end = found.span(group)
            spans[found[1].decode()] = (element.start + start, element.start + end)
        return spans

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


def read(data: bytes) -> Document:
    """The tree of a well-formed document; ManifestError for anything else."""
    return Document(data, _Reader(data).root)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.open: list[Element] = []
        self.tops: list[Element] = []
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self.declaration
        parser.StartDoctypeDeclHandler = self.doctype
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        self.parser = parser
        if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
            raise ManifestError("xml_encoding", "only ASCII-compatible encodings are read")
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise ManifestError("xml_malformed", str(error)) from None
        self.root = self.tops[0]

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower() not in ENCODINGS:
            raise ManifestError("xml_encoding", "only ASCII-compatible encodings are read")

    def doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        raise ManifestError("xml_doctype", "a manifest declares no document type")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        at = self.parser.CurrentByteIndex
        if len(self.open) >= MAX_DEPTH:
            raise ManifestError("xml_depth", f"elements nest deeper than {MAX_DEPTH}")
        namespace, _, local = name.rpartition(" ")
        element = Element(local, namespace, attributes, at)
        (self.open[-1].children if self.open else self.tops).append(element)
        self.open.append(element)
        if local in TEXT_ELEMENTS:
            self.parser.CharacterDataHandler = self.characters

    def characters(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def end(self, name: str) -> None:
        at = self.parser.CurrentByteIndex
        element = self.open.pop()
        self.parser.CharacterDataHandler = None
        tag = START_TAG.match(self.data, element.start)
        element.inner_start = tag.end() if tag else at
        if tag and tag[0].endswith(b"/>"):
            element.inner_end = element.end = element.inner_start
        else:
            element.inner_end = at
            element.end = self.data.index(b">", at) + 1
