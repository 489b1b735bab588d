"""What an MPD says of renditions, kind by kind (TR-62..TR-73, TR-92, TR-96; D11)."""

from fractions import Fraction
from typing import Any

import pytest
from lxml import etree

from origin.dash.sets import adaptation_sets, representation_opening, set_opening
from origin.tracks import Rendition

CICP = "urn:mpeg:mpegB:cicp:"


def video(name: str, **more: Any) -> Rendition:
    size = {"width": 1280, "height": 720}
    return Rendition(name, "video", "avc1.640020", 12800, **(size | more))


def audio(name: str, **more: Any) -> Rendition:
    known = {"language": "en", "channels": 2, "sample_rate": 48000}
    return Rendition(name, "audio", "mp4a.40.2", 48000, **(known | more))


def text(name: str, **more: Any) -> Rendition:
    return Rendition(name, "text", "wvtt", 1000, language="en", **more)


def read(*renditions: Rendition) -> list[Any]:
    """The sets of a Period, with their Representations in them."""
    sets = adaptation_sets(renditions, lasting=True)
    found = []
    for number, members in sets:
        inside = "".join(representation_opening(r) + "</Representation>" for r in members)
        whole = set_opening(number, members, sets) + inside + "</AdaptationSet>"
        names = ' xmlns:scte214="urn:scte:dash:scte214-extensions"'
        found.append(etree.fromstring(whole.replace("<AdaptationSet", "<AdaptationSet" + names, 1)))
    return found


def properties(node: Any) -> list[tuple[str, str, str]]:
    return [(n.tag, n.get("schemeIdUri"), n.get("value")) for n in node if n.get("schemeIdUri")]


def test_renditions_that_players_may_switch_between_share_a_set() -> None:
    """D11, TR-73: one media type, codec, language, role and layout each."""
    ladder = [
        video("v1"),
        video("v2", width=640, height=360, frame_rate=Fraction(25)),
        video("h", video_range="PQ"),
        audio("en"),
        audio("en2"),
        audio("fr", language="fr"),
        audio("ad", roles=("description",)),
        audio("six", channels=6),
        text("t", roles=("subtitle",)),
        Rendition("e", "event", "evte", 1000),
    ]
    sets = read(*ladder)
    members = [[r.get("id") for r in s.iter("Representation")] for s in sets]
    assert members == [["v1", "v2"], ["h"], ["en", "en2"], ["fr"], ["ad"], ["six"], ["t"]]
    assert [s.get("contentType") for s in sets] == ["video"] * 2 + ["audio"] * 4 + ["text"]
    first = sets[0].attrib
    assert (first["par"], first["maxWidth"], first["maxHeight"]) == ("16:9", "1280", "720")
    assert (first["maxFrameRate"], first["segmentAlignment"]) == ("25", "true")
    assert [s.get("lang") for s in sets] == [None, None, "en", "fr", "en", "en", "en"]


def test_ids_follow_from_what_a_set_is() -> None:
    """D3, DASH-M3: the same set has the same id in a Period without its neighbours."""
    whole = {
        s.get("lang"): s.get("id") for s in read(video("v"), audio("a"), audio("b", language="fr"))
    }
    alone = {s.get("lang"): s.get("id") for s in read(audio("b", language="fr"))}
    assert alone["fr"] == whole["fr"]
    assert len(set(whole.values())) == 3
    assert [n for n, _ in adaptation_sets([video("v"), audio("a")])] == [1, 2]


@pytest.mark.parametrize("sdr", [False, True])
@pytest.mark.parametrize(("kind", "transfer"), [("PQ", "16"), ("HLG", "18")])
def test_hdr_is_essential_only_beside_sdr(sdr: bool, kind: Any, transfer: str) -> None:
    """TR-73."""
    sets = read(video("h", video_range=kind), *([video("s")] if sdr else []))
    name = "EssentialProperty" if sdr else "SupplementalProperty"
    told = {
        scheme.removeprefix(CICP): (n, v) for n, scheme, v in properties(sets[0]) if CICP in scheme
    }
    assert told == {
        "ColourPrimaries": (name, "9"),
        "MatrixCoefficients": (name, "9"),
        "TransferCharacteristics": (name, transfer),
    }
    assert all(CICP not in scheme for s in sets[1:] for _, scheme, _ in properties(s))


def test_a_trick_set_names_its_main_set() -> None:
    """TR-96: Essential, so that players without trick modes leave it alone."""
    main, trick = read(video("v"), video("v.i", trick_of="v", frame_rate=Fraction(1, 2)))
    scheme = "http://dashif.org/guidelines/trickmode"
    assert ("EssentialProperty", scheme, main.get("id")) in properties(trick)
    (representation,) = trick.iter("Representation")
    assert representation.get("frameRate") == "1/2"
    assert representation.get("codingDependency") == "false"
    assert int(representation.get("maxPlayoutRate")) > 1


@pytest.mark.parametrize(
    ("rendition", "told"),
    [
        (audio("a", channels=6), ("AudioChannelConfiguration", CICP + "ChannelConfiguration", "6")),
        (
            audio("a", channels=8),
            ("AudioChannelConfiguration", CICP + "ChannelConfiguration", "12"),
        ),
        (
            audio("a", joc=16),
            ("SupplementalProperty", "tag:dolby.com,2018:dash:EC3_ExtensionType:2018", "JOC"),
        ),
        (audio("a", roles=("dub",)), ("Role", "urn:mpeg:dash:role:2011", "dub")),
        (
            audio("a", roles=("description",)),
            ("Accessibility", "urn:tva:metadata:cs:AudioPurposeCS:2007", "1"),
        ),
        (
            text("t", roles=("forced-subtitle",)),
            ("Role", "urn:mpeg:dash:role:2011", "forced-subtitle"),
        ),
        (
            video("v", inband=(("urn:scte:scte35:2013:bin", "7"),)),
            ("InbandEventStream", "urn:scte:scte35:2013:bin", "7"),
        ),
    ],
)
def test_descriptors(rendition: Rendition, told: tuple[str, str, str]) -> None:
    (found,) = read(rendition)
    (representation,) = found.iter("Representation")
    assert told in properties(found) + properties(representation)


def test_codecs_are_told_as_dash_has_them() -> None:
    dolby = video("v", supplemental="dvh1.08.05/db1p")
    (found,) = read(dolby)
    (representation,) = found.iter("Representation")
    space = "{urn:scte:dash:scte214-extensions}"
    assert representation.get(f"{space}supplementalCodecs") == "dvh1.08.05"
    assert representation.get(f"{space}supplementalProfiles") == "db1p"
    (found,) = read(Rendition("m", "audio", "mp4a.40.34", 48000))
    assert next(found.iter("Representation")).get("codecs") == "mp4a.6B"


def test_hostile_names_are_quoted() -> None:
    (found,) = read(audio("a", label='<b> & "x"', language='e"n'))
    assert found.get("lang") == 'e"n'
    assert found.findtext("Label") == '<b> & "x"'
