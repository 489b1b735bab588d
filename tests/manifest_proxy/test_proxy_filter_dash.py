"""Filters of MPDs, by hand and over the corpus (DASH-M2, M3, M11, M12)."""

import csv
from pathlib import Path

import pytest
from lxml import etree

from manifest_proxy.errors import FilterError, ManifestError
from manifest_proxy.mpd_filter import filtered_mpd
from manifest_proxy.rulebook import Ruleset
from manifest_proxy.rules import read_rules
from native.mpd import SpanError

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus"
NS = "{urn:mpeg:dash:schema:mpd:2011}"
WIDEVINE = "urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED"
MPD = f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period id="p">
  <AdaptationSet id="1" contentType="video" maxWidth="1920" maxHeight="1080" frameRate="25">
    <SupplementalProperty schemeIdUri="urn:mpeg:dash:adaptation-set-switching:2016" value="2,9"/>
    <ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc"/>
    <ContentProtection schemeIdUri="{WIDEVINE}"/>
    <ContentProtection schemeIdUri="urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95">
      <x/></ContentProtection>
    <SegmentTemplate media="$RepresentationID$/$Number$.m4s"/>
    <Representation id="a" bandwidth="800000" width="640" height="360" codecs="avc1.4d401e"/>
    <Representation id="b" bandwidth="2000000" width="1280" height="720" codecs="avc1.4d401f"/>
    <Representation id="c" bandwidth="5000000" width="1920" height="1080" codecs="avc1.640028"/>
  </AdaptationSet>
  <AdaptationSet id="2" mimeType="video/mp4" codecs="hvc1.2.4.L123">
    <SupplementalProperty schemeIdUri="urn:mpeg:dash:adaptation-set-switching:2016" value="1"/>
    <EssentialProperty schemeIdUri="urn:mpeg:mpegB:cicp:TransferCharacteristics" value="16"/>
    <Representation id="d" bandwidth="9000000" height="2160" frameRate="60000/1001"/>
  </AdaptationSet>
  <AdaptationSet id="3" contentType="video">
    <EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="2"/>
    <Representation id="t" bandwidth="90000" height="2160"/>
  </AdaptationSet>
  <AdaptationSet id="4" mimeType="audio/mp4" lang="de">
    <Representation id="e" bandwidth="128000"><AudioChannelConfiguration
      schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
    </Representation>
    <Representation id="f" bandwidth="384000" dependencyId="e"><AudioChannelConfiguration
      schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="6"/></Representation>
  </AdaptationSet>
  <AdaptationSet id="9" mimeType="audio/mp4" lang="en">
    <Role schemeIdUri="urn:mpeg:dash:role:2011" value="description"/>
    <Representation id="g" bandwidth="128000"/>
  </AdaptationSet>
  <AdaptationSet id="10" mimeType="text/vtt" lang="de">
    <Representation id="h" bandwidth="1"/></AdaptationSet>
  <Subset contains="1 2 4"/>
  <Preselection id="x" preselectionComponents="4 9"/>
</Period></MPD>""".encode()
ALL = list("abcdtefgh")


def rules(text: str) -> Ruleset:
    book = read_rules(f'[[rules]]\nname = "r"\n{text}'.encode(), toml=True, tokenised=False)
    return book.rulesets[0]


def tree(text: str, data: bytes = MPD) -> etree._Element:
    return etree.fromstring(filtered_mpd(data, rules(text)))


@pytest.mark.parametrize(
    "text, gone",
    [
        ("", ""),
        ('video = { height = "..720" }', "cdt"),
        ('video = { codecs = ["hevc"] }', "abc"),
        ('video = { dynamic_range = ["SDR"] }', "dt"),
        ('video = { frame_rate = "50.." }', "abc"),
        ("video = { trick_play = false }", "t"),
        ("video = { bandwidth = 1900000 }", "acdt"),
        ('audio = { languages = ["de"] }', "g"),
        ('audio = { languages = ["en"] }', "ef"),
        ('audio = { channels = "..2" }', "f"),
        ('audio = { without_roles = ["description"] }', "g"),
        ('subtitles = { languages = ["en"] }', "h"),
        ("subtitles = { keep = false }", "h"),
    ],
)
def test_what_a_filter_takes_away(text: str, gone: str) -> None:
    left = [one.get("id") for one in tree(text).iter(f"{NS}Representation")]
    assert left == [one for one in ALL if one not in gone]


def test_no_rules_change_no_byte() -> None:
    assert filtered_mpd(MPD, rules("")) == MPD


def test_what_is_left_is_told_truly() -> None:
    """DASH-M11, M12: bounds, switching lists, subsets and preselections follow."""
    first = tree('video = { height = "..720" }').find(f".//{NS}AdaptationSet")
    assert first is not None
    assert (first.get("maxWidth"), first.get("maxHeight")) == ("1280", "720")
    assert first.find(f"{NS}SegmentTemplate") is not None
    switching = first.find(f"{NS}SupplementalProperty")
    assert switching is not None and switching.get("value") == "9"
    period = tree('video = { codecs = ["hevc"] }\naudio = { languages = ["en"] }')[0]
    assert period.find(f"{NS}AdaptationSet/{NS}SupplementalProperty") is None
    subset = period.find(f"{NS}Subset")
    assert subset is not None and subset.get("contains") == "2"
    assert period.find(f"{NS}Preselection") is None


def test_drm_systems_and_licences() -> None:
    text = 'drm = { systems = ["widevine"], licence_urls = { widevine = "https://l/?a=1&b" } }'
    found = tree(text).findall(f".//{NS}ContentProtection")
    assert [one.get("schemeIdUri") for one in found][1:] == [WIDEVINE]
    assert found[1][0].text == "https://l/?a=1&b"
    again = filtered_mpd(filtered_mpd(MPD, rules(text)), rules(text))
    assert again.count(b"Laurl xmlns") == 1
    with pytest.raises(FilterError, match="drm_empty"):
        tree('drm = { systems = ["fairplay"] }')


@pytest.mark.parametrize(
    "text",
    [
        'video = { codecs = ["vp9"] }',
        'empty = "refuse"\nvideo = { height = "3000.." }',
        'audio = { languages = ["ja"] }',
        'audio = { bandwidth = "200000.." }',  # f fits but depends on e, which does not
    ],
)
def test_nothing_to_play_is_a_refusal(text: str) -> None:
    with pytest.raises(FilterError, match="filter_empty"):
        tree(text)


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
@pytest.mark.parametrize(
    "text",
    [
        'video = { height = "..480" }',
        'video = { bandwidth = "500000..1500000", trick_play = false }',
        'audio = { languages = ["en"], channels = "..2" }\nsubtitles = { keep = false }',
    ],
)
def test_closure_over_the_corpus(text: str) -> None:
    """Ids and their order stay, no set is empty, templates survive; a second pass does nothing."""
    wanted, seen = rules(text), 0
    with (CORPUS / "index.tsv").open(newline="") as index:
        names = [r["file"] for r in csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)]
    for name in names:
        if not name.startswith("dash/"):
            continue
        data = (CORPUS / name).read_bytes()
        try:
            out = filtered_mpd(data, wanted)
        except (FilterError, ManifestError, SpanError):
            continue
        before, after = etree.fromstring(data), etree.fromstring(out)
        kept = iter(etree.tostring(r, with_tail=False) for r in before.iter("{*}Representation"))
        for one in after.iter("{*}Representation"):
            assert etree.tostring(one, with_tail=False) in kept, f"{name}: in order, byte for byte"
        assert empties(after) <= empties(before), name
        assert filtered_mpd(out, wanted) == out, name
        seen += 1
    assert seen > 150


def empties(tree: etree._Element) -> int:
    """How many sets and periods have nothing in them."""
    inner = (("AdaptationSet", "Representation"), ("Period", "AdaptationSet"))
    return sum(
        1
        for outer, name in inner
        for one in tree.iter("{*}" + outer)
        if one.find("{*}" + name) is None
    )
