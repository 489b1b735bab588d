"""What hls-parser and m3u8-parser read from our playlists is what we meant, over the shared corpus.

Section 8 of specs/hls.md (properties 2, 3, 5); HLS-M2, M3, M5, M9, M12, M13, M32, MP-42. A
third of them, and short playlists for cuts; all with HEADWATER_PROXY_LONG=1.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from proxy_rigs.corpus import BASE, files, led, needed
from proxy_rigs.readers import Model, Readers, readers

from manifest_proxy.errors import ManifestError
from manifest_proxy.hls_segments import read_media
from manifest_proxy.hls_trim import cut, written
from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.policy import Carrier, Pathway, Policy
from manifest_proxy.urls import Origin, Url
from native.hls import PlaylistError

IS_LONG = os.environ.get("HEADWATER_PROXY_LONG") == "1"
MOST_CUTS = 10_000 if IS_LONG else 8
EVERY = 1 if IS_LONG else 4
ORIGIN, HERE = Origin("http://o:1"), Url.parse(BASE)
FLAT = Policy((Pathway("A", "http://a"),))

pytestmark = needed


@pytest.fixture(scope="module")
def foreign() -> Iterator[Readers]:
    with readers() as found:
        yield found


def compiled(data: bytes, policy: Policy = FLAT) -> bytes | None:
    """None for what the proxy refuses."""
    try:
        return compile_manifest(Format.HLS, data, HERE, ORIGIN, policy).render(b"TOK", b"s")
    except ManifestError:
        return None


def with_uris(model: Any, meant: Callable[[str], str], name: str = "") -> Any:
    """The model with other URIs; those of rendition reports stay (HLS-M23)."""
    if isinstance(model, dict):
        return {
            key: value if key == "renditionReports" else with_uris(value, meant, key)
            for key, value in model.items()
        }
    if isinstance(model, list):
        return [with_uris(value, meant, name) for value in model]
    return meant(model) if name.lower().endswith("uri") and isinstance(model, str) else model


def test_two_readers_see_the_same_media_at_other_places(foreign: Readers) -> None:
    """Every value of their models; what they refuse they refuse for the same reason."""
    compared = {"hls-parser": 0, "m3u8-parser": 0}
    for name, data in files("hls")[:: 1 if IS_LONG else 3]:
        out = compiled(data)
        if out is None:
            continue
        before, after = foreign.hls(data, BASE), foreign.hls(out, BASE)
        for reader in compared:
            if "error" in before[reader]:
                assert after[reader] == before[reader], (name, reader)
                continue
            assert after[reader] == with_uris(before[reader], led), (name, reader)
            compared[reader] += 1
    least = 400 if IS_LONG else 120
    assert least < compared["hls-parser"] < compared["m3u8-parser"]


def queried(reference: str) -> str:
    """As `led`, with the token at the end of the query."""
    there = led(reference).replace("/cat:TOK", "", 1)
    if there == reference or not there.startswith("http://a/"):
        return reference
    path, mark, fragment = there.partition("#")
    return f"{path}{'&' if '?' in path else '?'}CAT=TOK{mark}{fragment}"


@pytest.mark.parametrize("carrier", ["query", "define"])
def test_the_token_stands_in_every_query(foreign: Readers, carrier: Carrier) -> None:
    """A variable that the player fills in from the URL of the playlist means the same (HLS-M6)."""
    compared = 0
    for name, data in files("hls")[::EVERY]:
        out = compiled(data, replace(FLAT, carrier=carrier))
        if out is None:
            continue
        before = foreign.hls(data, BASE)["m3u8-parser"]
        after = foreign.hls(out, BASE + "?CAT=TOK")["m3u8-parser"]
        if "error" in before:
            continue
        for model in (before, after):
            for told in ("version", "definitions"):
                model.pop(told, None)
        assert after == with_uris(before, queried), name
        compared += 1
    assert compared > 500 // EVERY


def test_each_pathway_has_the_ladder_with_groups_of_its_own(foreign: Readers) -> None:
    """HLS-M32, as hls-parser links variants with their renditions."""
    ways = (Pathway("A", "http://a"), Pathway("B", "http://b"))
    compared = 0
    for name, data in files("hls"):
        if b"#EXT-X-STREAM-INF" not in data or b"PATHWAY-ID" in data:
            continue
        out = compiled(data, Policy(ways, steering_url="http://r/s?sid="))
        before = foreign.hls(data, BASE)["hls-parser"]
        if out is None or "error" in before:
            continue
        after = foreign.hls(out, BASE)["hls-parser"]
        expected = [
            ladder_rung(variant, lambda uri, way=way: led(uri).replace("http://a", way.base_url, 1))
            for way in ways
            for variant in before["variants"]
            if not variant["isIFrameOnly"]
        ]
        told = [rung for rung in after["variants"] if not rung["isIFrameOnly"]]
        assert [ladder_rung(rung, str) for rung in told] == expected, name
        compared += 1
    assert compared > 60


def ladder_rung(variant: Model, meant: Callable[[str], str]) -> tuple[object, ...]:
    groups = [
        [(one["name"], one.get("language"), meant(one.get("uri") or "")) for one in variant[kind]]
        for kind in ("audio", "subtitles")
    ]
    told = (variant.get(name) for name in ("bandwidth", "codecs", "resolution", "frameRate"))
    return meant(variant["uri"]), *told, *groups


def test_every_cut_is_the_rest_of_the_whole(foreign: Readers) -> None:
    """Numbers, discontinuities, keys, headers, ranges and parts of what stays, at every k."""
    cuts = 0
    for name, data in files("hls"):
        if b"#EXTINF" not in data or len(data) > 50_000:
            continue
        try:
            count = len(read_media(data).segments)
        except (ManifestError, PlaylistError):
            continue
        whole = foreign.hls(data, BASE)["hls-parser"]
        if "error" in whole or whole["isMasterPlaylist"] or count > MOST_CUTS:
            continue
        for first in range(1, count):
            out = written(cut(read_media(data), first))
            assert compiled(out) is not None, (name, first)
            rest = foreign.hls(out, BASE)["hls-parser"]
            assert "error" not in rest, (name, first, rest)
            assert rest["mediaSequenceBase"] == whole["mediaSequenceBase"] + first, (name, first)
            assert states(rest) == states(whole)[first:], (name, first)
            cuts += 1
    assert cuts > (3000 if IS_LONG else 300)


def states(playlist: Model) -> list[Model]:
    """Segments without what is told of the first one only, or may be moved to the head."""
    moved = ("programDateTime", "dateRange", "markers", "discontinuity")
    return [
        {name: value for name, value in one.items() if name not in moved}
        for one in playlist["segments"]
    ]
