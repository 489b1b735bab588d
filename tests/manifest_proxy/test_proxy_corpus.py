"""Playlists and MPDs of many public test suites: identity without rules, and a census with them.

Section 8 of specs/hls.md (properties 1 to 3) and the test line of specs/dash.md section 4.
"""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from manifest_proxy.errors import ManifestError
from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.mpd import Document
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.urls import Origin, Url
from native.hls import Kind, Playlist

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus"
ORIGIN = Origin("http://o:1")
POLICY = Policy(
    (Pathway("A", "http://a"), Pathway("B", "http://b")), "http://r/s?sid=", "http://p/p/A~B"
)
# Counted by a reader that shares no code with ours: quoted URIs of tags, and bare lines.
QUOTED = re.compile(rb'^\s*#EXT[^\r\n]*?[:,](?:[A-Z-]*URI|X-ASSET-LIST)="([^"]*)"', re.M)

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")


def rows(folder: str) -> list[tuple[Path, str]]:
    if not CORPUS.exists():
        return []
    with (CORPUS / "index.tsv").open(newline="") as index:
        table = csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            (CORPUS / r["file"], r["check"]) for r in table if r["file"].startswith(folder + "/")
        ]


def rewrite(kind: Format, data: bytes, policy: Policy | None) -> bytes:
    url = Url.parse("http://o:1/live/x/manifest")
    return compile_manifest(kind, data, url, ORIGIN, policy).render(b"TOK", b"s")


@pytest.mark.parametrize("kind", [Format.HLS, Format.DASH])
def test_no_rules_no_change(kind: Format) -> None:
    """Every well-formed file comes out byte for byte; the others are a clean 502."""
    refused = []
    for path, check in rows(kind):
        data = path.read_bytes()
        try:
            assert rewrite(kind, data, None) == data, path
        except ManifestError as error:
            assert error.status == 502
            refused.append(check.split(",")[0])
    known_bad = {"malformed", "no-extm3u"}
    expected = sum(1 for _, check in rows(kind) if check.split(",")[0] in known_bad)
    assert set(refused) == {"no-extm3u"} if kind is Format.HLS else {"malformed"}
    assert len(refused) == expected and len(rows(kind)) > 200


def well_formed(kind: Format) -> list[tuple[Path, bytes]]:
    found = []
    for path, _ in rows(kind):
        data = path.read_bytes()
        try:
            rewrite(kind, data, None)
            rewrite(kind, data, POLICY)
        except ManifestError:
            continue
        found.append((path, data))
    return found


def test_hls_token_census() -> None:
    """As many URIs leave as came in, and each of ours carries the token."""
    files = well_formed(Format.HLS)
    assert len(files) > 500
    flat = Policy((Pathway("A", "http://a"),))
    for path, data in files:
        out = rewrite(Format.HLS, data, flat)
        before, after = uris(data), uris(out)
        assert len(before) == len(after), path
        for old, new in zip(before, after, strict=True):
            foreign = re.match(rb"[A-Za-z][A-Za-z0-9+.-]*:|//", old)
            if old and not foreign and not old.startswith(b"{$"):
                assert new.startswith(b"http://a/cat:TOK/"), (path, old, new)
            if foreign or not old:
                assert new == old, (path, old, new)
        assert rewrite(Format.HLS, out, flat) == out, "absolutise twice is once"


def uris(data: bytes) -> list[bytes]:
    reports = re.compile(rb"^#EXT-X-RENDITION-REPORT:.*$", re.M)
    data = reports.sub(b"#", data)
    lines = [line.strip() for line in data.splitlines()]
    bare = [line for line in lines if line and not line.startswith(b"#")]
    return bare + [uri for line in lines for uri in QUOTED.findall(line)]


def test_hls_lines_that_carry_no_uri_survive_pathways() -> None:
    """Nothing is lost by cloning: every line without a URI or group is still there."""
    for path, data in well_formed(Format.HLS):
        out = rewrite(Format.HLS, data, POLICY)
        kept = Counter(
            line.raw.strip()
            for line in Playlist(data).lines()
            if line.kind is not Kind.URI
            and not re.search(rb"STREAM-INF|EXT-X-MEDIA:|STEERING|URI|X-ASSET|REPORT", line.raw)
        )
        left = kept - Counter(line.strip() for line in out.splitlines())
        assert not left, (path, left)


def test_dash_structure_survives_pathways() -> None:
    """Element by element the same, save what the policy owns; still well-formed."""
    files = well_formed(Format.DASH)
    assert len(files) > 190
    owned = {"BaseURL", "ContentSteering", "PatchLocation"}
    for path, data in files:
        out = rewrite(Format.DASH, data, POLICY)
        assert shape(out, owned) == shape(data, owned), path
        top = [child.name for child in Document(out).root.children]
        assert top.count("ContentSteering") == 1, path


def shape(data: bytes, without: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return [
        (str(element.tag), tuple(sorted(map(str, element.attrib))))
        for element in etree.fromstring(data, parser).iter(etree.Element)
        if etree.QName(element).localname not in without
    ]
