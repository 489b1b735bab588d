"""What mpd-parser and an XPath census read from our MPDs is what we meant, over the shared corpus.

DASH-M8, M9, M10, M12; the test line of specs/dash.md section 4. Large MPDs, for which mpd-parser
makes a list of every segment, are read with HEADWATER_PROXY_LONG=1.
"""

import os
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from lxml import etree
from proxy_rigs.corpus import BASE, SCHEME, THERE, files, led, moved, needed, walked
from proxy_rigs.readers import Model, Readers, readers

from manifest_proxy.errors import ManifestError
from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.urls import Origin, Url

IS_LONG = os.environ.get("HEADWATER_PROXY_LONG") == "1"
MOST_BYTES = 10**7 if IS_LONG else 1_500
ORIGIN, HERE = Origin("http://o:1"), Url.parse(BASE)
FLAT = Policy((Pathway("A", "http://a"),))
# Where references stand (ISO/IEC 23009-1:2022 5.3.9), by a list of its own; templates keep their $.
PLACES = {
    "SegmentTemplate": ("media", "initialization", "index", "bitstreamSwitching"),
    "SegmentURL": ("media", "index"),
    "Initialization": ("sourceURL",),
    "RepresentationIndex": ("sourceURL",),
    "BitstreamSwitching": ("sourceURL",),
}
LEVELS = ("MPD", "Period", "AdaptationSet", "Representation")

pytestmark = needed


@pytest.fixture(scope="module")
def foreign() -> Iterator[Readers]:
    with readers() as found:
        yield found


def compiled(data: bytes) -> bytes | None:
    """None for what the proxy refuses."""
    try:
        return compile_manifest(Format.DASH, data, HERE, ORIGIN, FLAT).render(b"TOK", b"s")
    except ManifestError:
        return None


def test_mpd_parser_finds_the_same_segments_at_other_places(foreign: Readers) -> None:
    """Representations, times, durations and keys alike; each URL resolved to where it is led."""
    compared = 0
    for name, data in files("dash"):
        if len(data) > MOST_BYTES or (out := compiled(data)) is None:
            continue
        before, after = foreign.dash(data, BASE), foreign.dash(out, BASE)
        if "error" in before:
            assert after == before, name
            continue
        assert [*meant(before)] == [*told(after)], name
        compared += 1
    assert compared > (200 if IS_LONG else 30)


def told(model: Model) -> Iterator[tuple[str, object]]:
    """All but references as written, and what a BaseURL of ours says of its place."""
    ours = ("uri", "baseUrl", "serviceLocation")
    return ((name, value) for name, value in walked(model) if name not in ours)


def meant(model: Model) -> Iterator[tuple[str, object]]:
    for name, value in told(model):
        if name == "resolvedUri" and isinstance(value, str):
            value = f"{THERE}live/x/" if value == BASE else moved(value)
        yield name, value


def test_every_place_of_a_uri_is_led() -> None:
    """As many references leave as came in, and each resolves to where it is led (DASH-M10)."""
    references = 0
    for name, data in files("dash"):
        if (out := compiled(data)) is None:
            continue
        before, after = census(data), census(out)
        assert [led(one) for one in before] == after, name
        references += len(before)
    assert references > 1000


def census(data: bytes) -> list[str]:
    """Every reference of a document, resolved through the first BaseURL of each level."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return [*_census(etree.fromstring(data, parser), BASE)]


def _census(element: etree._Element, base: str) -> Iterator[str]:
    name = etree.QName(element).localname
    if name in LEVELS and (mine := element.find("{*}BaseURL")) is not None:
        base = urljoin(base, (mine.text or "").strip())
    for attribute in PLACES.get(name, ()):
        if (reference := element.get(attribute)) is not None:
            yield reference if SCHEME.match(reference) else urljoin(base, reference)
    for child in element.iterchildren(etree.Element):
        yield from _census(child, base)


def test_rewritten_twice_is_rewritten_once() -> None:
    """An MPD of ours has no reference left that is the origin's."""
    once = [(name, out) for name, data in files("dash") if (out := compiled(data)) is not None]
    assert len(once) > 190
    for name, out in once:
        assert compiled(out) == out, name
