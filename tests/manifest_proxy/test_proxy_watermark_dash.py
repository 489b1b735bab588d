"""A/B watermarks in DASH: one of two files for each segment, at the times they had (MP-21)."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from proxy_rigs.readers import Readers, readers

from manifest_proxy.errors import ManifestError
from manifest_proxy.hls_watermark import SIGN, bit, choosing
from manifest_proxy.holes import TOKEN_MARK
from manifest_proxy.manifest import Format, Spot, compile_manifest
from manifest_proxy.mpd_watermark import choosing_mpd
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.rulebook import Clip, Ruleset, Watermark
from manifest_proxy.urls import Origin, Url
from native.holes import Template

ORIGIN, HERE = Origin("http://o:1"), Url.parse("http://o:1/live/c/x.mpd")
BOTH, PATTERN = Watermark(), bytes([0b10110000]) * 32
NS = "{urn:mpeg:dash:schema:mpd:2011}"
TIMELINE = '<SegmentTimeline><S t="{t}" d="20" r="{r}"/><S d="9"/></SegmentTimeline>'
OWN = (
    '<SegmentTemplate timescale="10" presentationTimeOffset="20" startNumber="{n}"'
    ' initialization="$RepresentationID$/i.mp4" media="$RepresentationID$/{name}">'
    "{timeline}</SegmentTemplate>"
)


def mpd(inner: str, kind: str = "dynamic", more: str = "") -> bytes:
    zero = ' availabilityStartTime="1970-01-01T00:00:00Z"' if kind == "dynamic" else ""
    return f'<MPD xmlns="{NS[1:-1]}" type="{kind}"{zero}{more}>{inner}</MPD>'.encode()


def video(template: str, rungs: str = "", more: str = "") -> str:
    rungs = rungs or '<Representation id="v1" bandwidth="1"/>'
    adaptation = f'<AdaptationSet contentType="video" mimeType="video/mp4">{template}'
    return f'<Period id="1" start="PT0S"{more}>{adaptation}{rungs}</AdaptationSet></Period>'


def live(first: int = 7, repeats: int = 3, name: str = "$Number%03d$.m4s") -> bytes:
    timeline = TIMELINE.format(t=20 * first, r=repeats)
    return mpd(video(OWN.format(n=first, name=name, timeline=timeline)))


def marked(data: bytes, rule: Watermark = BOTH, pattern: bytes = PATTERN) -> bytes:
    return chosen(Template([choosing_mpd(data, HERE, ORIGIN, rule)]).choosing(SIGN), pattern)


def chosen(template: Template, pattern: bytes = PATTERN) -> bytes:
    return template.chosen(pattern, b"a", b"b", b"T", b"s")


def files(data: bytes) -> list[str]:
    return [one.get("media", "") for one in etree.fromstring(data).iter(f"{NS}SegmentURL")]


def test_the_bytes_of_a_marked_mpd() -> None:
    """Bits 7, 0, 1, 2 and 3 of the pattern, counted from 0: 0, 1, 0, 1, 1."""
    template = live()[live().index(b"<SegmentT") : live().index(b"<Representation")]
    urls = "".join(
        f'<SegmentURL media="v1/{name}.m4s"/>'
        for name in ("a/007", "b/008", "a/009", "b/010", "b/011")
    )
    listed = (
        '<SegmentList timescale="10" presentationTimeOffset="20" startNumber="7">'
        '<Initialization sourceURL="v1/i.mp4"/><SegmentTimeline><S t="140" d="20"/>'
        '<S d="20"/><S d="20"/><S d="20"/><S d="9"/></SegmentTimeline>' + urls + "</SegmentList>"
    )
    told = b'<Representation id="v1" bandwidth="1"/>'
    wanted = told[:-2] + b">" + listed.encode() + b"</Representation>"
    assert marked(live()) == live().replace(template, b"").replace(told, wanted)


@settings(max_examples=50)
@given(
    first=st.integers(0, 1 << 40),
    step=st.integers(0, 30),
    pattern=st.binary(min_size=32, max_size=32),
    name=st.sampled_from(["$Number$.m4s", "$Time$.m4s", "x/$Number%09d$-$$.m4s"]),
)
def test_a_segment_keeps_its_file(first: int, step: int, pattern: bytes, name: str) -> None:
    """In every window that lists it, at the place that the number or the time gives it."""
    timeline = "<SegmentTimeline><S t='{}' d='20' r='39'/></SegmentTimeline>"
    found = []
    for begin in (first, first + step):
        text = OWN.format(n=begin, name=name, timeline=timeline.format(20 * begin))
        found.append(files(marked(mpd(video(text)), pattern=pattern)))
    assert found[0][step:] == found[1][: 40 - step]
    bits = "".join(f"{octet:08b}" for octet in pattern)
    letters = "".join(re.findall(r"/([ab])/[^/]+$", one)[0] for one in found[0])
    assert letters == "".join("ab"[int(bits[(first + at) % len(bits)])] for at in range(40))


@pytest.fixture(scope="module")
def foreign() -> Iterator[Readers]:
    with readers() as found:
        yield found


CASES = {
    "a window": live(),
    "with a gap": live().replace(b'<S d="9"/>', b'<S t="999" d="9"/><S d="9"/>'),
    "by time": live(name="$Time$.m4s"),
    "without a timeline": mpd(
        video(
            '<SegmentTemplate timescale="10" duration="20" media="$RepresentationID$/$Number$.m4s"'
            ' initialization="$RepresentationID$/i.mp4" startNumber="3"/>'
        ),
        "static",
        ' mediaPresentationDuration="PT7.5S"',
    ),
    "repeated to the end": mpd(
        video(
            '<SegmentTemplate timescale="10" media="$Bandwidth$/$Number$.m4s"'
            ' initialization="$Bandwidth$.mp4"/>',
            '<Representation id="v1" bandwidth="1"><SegmentTemplate><SegmentTimeline>'
            '<S t="0" d="20" r="-1"/></SegmentTimeline></SegmentTemplate></Representation>',
        ),
        "static",
        ' mediaPresentationDuration="PT7S"',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_mpd_parser_finds_the_same_times(foreign: Readers, case: str) -> None:
    before = foreign.dash(CASES[case], "http://o:1/live/c/x.mpd")
    after = foreign.dash(marked(CASES[case]), "http://o:1/live/c/x.mpd")
    (one,), (two,) = before["playlists"], after["playlists"]
    assert one["segments"] and len(one["segments"]) == len(two["segments"])
    for was, now in zip(one["segments"], two["segments"], strict=True):
        bare = re.sub(r"/[ab]/", "/", now["resolvedUri"])
        assert bare == was["resolvedUri"] != now["resolvedUri"]
        assert now["map"]["resolvedUri"] == was["map"]["resolvedUri"]
        for name in ("duration", "number", "presentationTime", "timeline"):
            assert now[name] == was[name], name


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        ("$Number%05d$.m4s", True),
        ("s-$Number$-x.m4s?q=$RepresentationID$", True),
        ("$Number$", True),
        ("$Number$_$Bandwidth$.m4s", False),
        ("$Time$.m4s", False),
        ("$Number$/x.m4s", False),
    ],
)
def test_a_template_that_goes_on_leads_here(name: str, is_told: bool) -> None:
    """Where the name tells the number; what it inherits stays as it is."""
    policy = Policy((Pathway("A", "http://a"),), session="/s:x", variants_url="http://p/ab")
    template = f'<SegmentTemplate duration="2" media="{name}" startNumber="5"/>'
    data = mpd(video(template))
    if not is_told:
        with pytest.raises(ManifestError, match="mpd_unnamed"):
            choosing_mpd(data, HERE, ORIGIN, BOTH, policy=policy)
        return
    out = choosing_mpd(data, HERE, ORIGIN, BOTH, policy=policy)
    place = f"http://p/ab/A/s:x/cat:{TOKEN_MARK.decode()}/live/c/{name}"
    place = place.replace("$RepresentationID$", "v1")
    told = b'<Representation id="v1" bandwidth="1"/>'
    own = f'<SegmentTemplate media="{place}"/></Representation>'.encode()
    assert out == data.replace(told, told[:-2] + b">" + own)
    lower = mpd(video("", f'<Representation id="v1">{template}</Representation>'))
    place_ = place.encode()
    assert choosing_mpd(lower, HERE, ORIGIN, BOTH, policy=policy) == lower.replace(
        name.encode(), place_
    )


def test_lists_are_marked_where_they_stand() -> None:
    text = '<SegmentList duration="2" startNumber="6"><SegmentURL media="6.ts"/>'
    data = mpd(video(text + '<SegmentURL media="y/7.ts?q"/></SegmentList>'), "static")
    assert marked(data) == data.replace(b'"6.ts"', b'"a/6.ts"').replace(b"y/7", b"y/a/7")


def test_a_list_of_its_own_goes_before_a_template_of_the_set() -> None:
    """5.3.9.1: at the lowest level there is one way to segments."""
    timeline = TIMELINE.format(t=0, r=0)
    own = '<Representation id="v2"><SegmentList duration="2"><SegmentURL media="x.ts"/>'
    rungs = f'<Representation id="v1"/>{own}</SegmentList></Representation>'
    data = mpd(video(OWN.format(n=0, name="$Number$.m4s", timeline=timeline), rungs))
    assert files(marked(data)) == ["v1/b/0.m4s", "v1/a/1.m4s", "a/x.ts"]
    base = data.replace(b"SegmentList", b"SegmentBase").replace(b'<SegmentURL media="x.ts"/>', b"")
    with pytest.raises(ManifestError, match="mpd_unnamed"):
        marked(base)


def test_rungs_that_are_not_covered_are_listed_as_they_are() -> None:
    """Where they inherit the template of some that are; other sets keep theirs."""
    rungs = (
        '<Representation id="v1"/><Representation id="v2"><BaseURL>z/</BaseURL></Representation>'
    )
    timeline = TIMELINE.format(t=0, r=0)
    sets = video(OWN.format(n=0, name="$Number$.m4s", timeline=timeline), rungs)
    other = sets.replace('contentType="video"', 'contentType="audio"').replace('"v', '"a')
    data = mpd(sets.replace("</Period>", other[other.index("<Ad") :]))
    out = marked(data, Watermark(("*/z/v2/*",)))
    assert files(out) == ["v1/0.m4s", "v1/1.m4s", "v2/b/0.m4s", "v2/a/1.m4s"]
    assert out.endswith(data[data.index(b"</AdaptationSet>") :])


def test_a_template_of_the_period_is_listed_in_all_sets() -> None:
    timeline = TIMELINE.format(t=0, r=0)
    template = OWN.format(n=0, name="$Number$.m4s", timeline=timeline)
    data = mpd(video("").replace("<Ad", template + "<Ad", 1))
    assert files(marked(data)) == ["v1/b/0.m4s", "v1/a/1.m4s"]
    assert b"SegmentTemplate" not in marked(data)


@pytest.mark.parametrize(
    "inner",
    [
        video("", '<Representation id="v1"><BaseURL>v1.mp4</BaseURL></Representation>'),
        video(OWN.format(n=0, name="$Number$.$SubNumber$", timeline=TIMELINE.format(t=0, r=0))),
        video(OWN.format(n=0, name="$Number$", timeline="")),
        video('<SegmentTemplate duration="1" media="$Number$.m4s"/>'),
        video('<SegmentList duration="2"><SegmentURL mediaRange="0-9"/></SegmentList>'),
        video('<SegmentTemplate media="$Number$" duration="1"/>').replace(
            "<Period", '<Period xmlns:x="http://www.w3.org/1999/xlink" x:href="http://r/"'
        ),
        '<Period id="1"/>',
    ],
    ids=["one file", "parts", "timeless", "to come", "ranges", "remote", "nothing"],
)
def test_what_cannot_be_marked_is_not_served(inner: str) -> None:
    with pytest.raises(ManifestError, match="mpd_unnamed"):
        marked(mpd(inner))


@pytest.mark.parametrize(
    "template",
    [
        '<SegmentTemplate media="$Time$"><SegmentTimeline><S t="0" d="1" r="999999999"/>'
        "</SegmentTimeline></SegmentTemplate>",
        '<SegmentTemplate timescale="1000" duration="1" media="$Number$"/>',
    ],
)
def test_a_list_has_bounds(template: str) -> None:
    data = mpd(video(template), "static", ' mediaPresentationDuration="PT9999999S"')
    with pytest.raises(ManifestError, match="mpd_too_long"):
        marked(data)


def test_a_bumper_is_nobodys_and_content_behind_it_is_marked() -> None:
    """Numbers and times of content stay the origin's, so marks do (DASH-M5)."""
    clip = mpd(video(OWN.format(n=0, name="$Number$.m4s", timeline=TIMELINE.format(t=0, r=0))))
    clip = clip.replace(b'type="dynamic"', b'type="static" mediaPresentationDuration="PT2.9S"')
    rules = Ruleset("r", watermark=BOTH, bumper=Clip("/vod/b"))
    policy = Policy((Pathway("A", "http://a"),))
    spot = Spot(clip, Url.parse("http://o:1/vod/b/x.mpd"), joined_ms=14_000)
    spliced = compile_manifest(Format.DASH, live(), HERE, ORIGIN, policy, rules, spot, PATTERN)
    plain = compile_manifest(Format.DASH, live(), HERE, ORIGIN, policy, rules, pattern=PATTERN)
    out, alone = chosen(spliced), chosen(plain)
    assert b'id="bumper-14000"' in out and b"$Number$.m4s" in out
    assert files(out) and files(alone)[-len(files(out)) :] == files(out)


def test_hls_and_dash_agree() -> None:
    """Who knows the pattern finds it again in either form, where numbers are the same (HLS-M8)."""
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:254\n"
    text += "".join(f"#EXTINF:2,\nv1/{n}.m4s\n" for n in range(254, 259))
    pattern = bytes(range(113, 145))
    chosen = re.findall(f"{SIGN.decode()}(..)/", choosing(text.encode()).decode())
    letters = ["ab"[bit(pattern, int(one, 16))] for one in chosen]
    found = files(marked(live(254, name="$Number$.m4s"), pattern=pattern))
    assert [one.split("/")[1] for one in found] == letters and {*letters} == {"a", "b"}
