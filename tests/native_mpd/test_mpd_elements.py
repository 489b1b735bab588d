"""Element and attribute spans against lxml and expat, on the corpus and on random documents."""

from pathlib import Path
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from native.mpd import Element, SpanError, elements
from native.mpd.errors import CODES

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus/dash"
DEPTH = 64

NAME = st.sampled_from(["a", "Period", "x:b", "é", "S"])
VALUE = st.text("ab>'/ \n=é-]", max_size=6)
ATTRIBUTES = st.dictionaries(st.sampled_from(["p", "qq", "x:p", "pp"]), VALUE, max_size=3)
FILLER = st.sampled_from(
    ["", " ", "text > more", "<!-- <b> -->", "<![CDATA[</a><b>]]>", "<?pi <c> ?>", "&lt;&#60;"]
)


def markup(name: str, attributes: dict[str, str], inner: list[str], pad: str) -> str:
    quoted = "".join(
        f"{pad or ' '}{key}{pad}={pad}" + (f'"{value}x"' if "'" in value else f"'{value}x'")
        for key, value in attributes.items()
    )
    return f"<{name}{quoted}{pad}>{''.join(inner)}</{name}{pad}>" if inner else f"<{name}{quoted}/>"


TREE = st.recursive(
    FILLER,
    lambda inner: st.builds(
        markup, NAME, ATTRIBUTES, st.lists(inner, max_size=4), st.sampled_from(["", " ", "\n\t"])
    ),
    max_leaves=25,
)
DOCUMENT = st.builds(
    lambda head, inner, tail: f'{head}<MPD xmlns:x="urn:x">{"".join(inner)}</MPD>{tail}'.encode(),
    st.sampled_from(["", '<?xml version="1.0"?>', "\ufeff", "<!-- <a> -->\n"]),
    st.lists(TREE, max_size=4),
    st.sampled_from(["", "\n", "<!-- </MPD> -->"]),
)


def starts(data: bytes) -> list[tuple[str, int]]:
    """Name and offset of every element, from expat."""
    found: list[tuple[str, int]] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, _: found.append(
        (name.rpartition(" ")[2], parser.CurrentByteIndex)
    )
    parser.Parse(data, True)
    return found


def preorder(element: Element) -> list[Element]:
    return [element, *(below for child in element.children for below in preorder(child))]


def agree(data: bytes) -> None:
    (root,) = elements(data, DEPTH)
    ours = preorder(root)
    assert [(e.name, e.start) for e in ours] == starts(data)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    theirs = list(etree.fromstring(data, parser).iter(etree.Element))
    for element, expected in zip(ours, theirs, strict=True):
        assert [child.name for child in element.children] == [
            etree.QName(child).localname for child in expected.iterchildren(etree.Element)
        ]
        assert element.named("S") == [child for child in element.children if child.name == "S"]
        assert data[element.start : element.start + 1] == b"<"
        assert data[element.inner_start - 1 : element.inner_start] == b">"
        assert data[element.end - 1 : element.end] == b">"
        if element.inner_end < element.end:
            assert data[element.inner_end : element.inner_end + 2] == b"</"
        for name, value in expected.attrib.items():
            if str(name).startswith("{") or set("&\r\n\t") & set(str(value)):
                continue
            span = element.attribute_span(str(name).encode())
            assert span is not None
            raw = data[slice(*span)]
            if not {*b"&\r\n\t"} & {*raw}:
                assert raw.decode() == value


@given(DOCUMENT)
def test_spans_are_those_of_two_parsers(data: bytes) -> None:
    agree(data)


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
def test_the_corpus() -> None:
    read = 0
    for path in CORPUS.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        try:
            starts(data)
        except expat.ExpatError:
            continue
        if b"<!DOCTYPE" not in data:
            agree(data)
            read += 1
    assert read > 190


@given(st.binary(), DOCUMENT, st.integers(0, 200), st.integers(0, 200))
def test_damage_is_an_error_or_a_tree(junk: bytes, data: bytes, at: int, end: int) -> None:
    """What no parser has seen is read within its bounds, whatever it is."""
    damaged = data[:at] + junk + data[end:]
    try:
        tops = elements(damaged, DEPTH)
    except SpanError as error:
        assert error.status == CODES[error.code]
        return
    for top in tops:
        for element in preorder(top):
            assert element.start < element.inner_start <= element.inner_end <= element.end
            assert element.end <= len(damaged)
            element.attribute_span(b"p")


def test_depth_is_bounded() -> None:
    assert len(preorder(elements(b"<a>" * 5 + b"</a>" * 5, 5)[0])) == 5
    with pytest.raises(SpanError, match="xml_depth"):
        elements(b"<a>" * 6 + b"</a>" * 6, 5)


@pytest.mark.parametrize(
    "data",
    [b"<", b"<a", b"<a ", b"<a b='", b"<a>", b"</a>", b"<!-- ", b"<![CDATA[", b"<?x", b"<!x>"],
)
def test_what_does_not_close(data: bytes) -> None:
    with pytest.raises(SpanError, match="xml_malformed"):
        elements(data, DEPTH)


@given(st.text("a$_9/.:&é", max_size=6))
def test_a_reference_is_passed_over_only_where_it_stays_in_its_folder(value: str) -> None:
    """RFC 3986 4.2: no scheme, no root, no climb, and no entity that may stand for one."""
    root = elements(f"<P><S media='{value}' end=''/><T media='/'/></P>".encode(), DEPTH)[0]
    plain = value[:1] in set("a$_9") and not any(mark in value for mark in (":", "..", "&"))
    found = root.escaping({"S": (b"none", b"media"), "U": (b"media",)})
    assert [(element.start, name) for element, name in found] == [(3, b"media")] * (not plain)


@given(DOCUMENT, st.sets(NAME))
def test_what_is_below_and_around(data: bytes, names: set[str]) -> None:
    (root,) = elements(data, DEPTH)
    inside = preorder(root)[1:]
    starts_of = lambda some: [(one.name, one.start, one.end) for one in some]  # noqa: E731
    locals_ = {name.rpartition(":")[2] for name in names}
    assert starts_of(root.below()) == starts_of(inside)
    assert starts_of(root.below(locals_)) == starts_of(e for e in inside if e.name in locals_)
    assert root.parent is None
    for element in (root, *inside):
        for child in element.children:
            assert child.parent is not None
            assert starts_of([child.parent]) == starts_of([element])
    assert len(root.escaping(dict.fromkeys(("MPD", *locals_), (b"p",)))) == sum(
        e.attribute_span(b"p") is not None and escapes(data, e)
        for e in (root, *inside)
        if e.name in {"MPD", *locals_}
    )


def escapes(data: bytes, element: Element) -> bool:
    """Whether the attribute `p` may lead out of its folder."""
    value = data[slice(*(element.attribute_span(b"p") or (0, 0)))]
    plain = value[:1].isalnum() or value[:1] in (b"_", b"$")
    return not plain or any(mark in value for mark in (b":", b"..", b"&"))
