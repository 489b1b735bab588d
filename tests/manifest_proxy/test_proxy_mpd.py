"""The MPD span editor: pathways, steering, references that must not escape (DASH-M8..M10, M19)."""

import re

import pytest
from lxml import etree

from manifest_proxy.errors import ManifestError
from manifest_proxy.manifest import Format, compile_manifest
from manifest_proxy.mpd import MAX_DEPTH, Document
from manifest_proxy.mpd_edit import compile_mpd
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.urls import Origin, Url

URL = Url.parse("http://origin:8001/live/demo/manifest.mpd?start=5")
ORIGIN = Origin("http://origin:8001")
POLICY = Policy(
    (Pathway("CDN-A", "http://a:1"), Pathway("CDN-B", "http://b:2/base")),
    steering_url="http://r/steer/dash?sid=",
    refresh_url="http://p/p/CDN-A~CDN-B",
)
NS = "{urn:mpeg:dash:schema:mpd:2011}"
HOMES = ["http://a:1/cat:TOK/live/demo/", "http://b:2/base/cat:TOK/live/demo/"]


def mpd(inner: str, policy: Policy = POLICY) -> str:
    text = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic">{inner}</MPD>'
    out = compile_mpd(text.encode(), URL, ORIGIN, policy).render(b"TOK", b"s1")
    etree.fromstring(out)
    return out.decode().removeprefix(text[: text.index(">") + 1]).removesuffix("</MPD>")


def test_an_mpd_becomes_exactly_this() -> None:
    assert mpd('\n  <Period id="0"/>\n') == (
        '\n  <BaseURL serviceLocation="CDN-A">http://a:1/cat:TOK/live/demo/</BaseURL>'
        '\n  <BaseURL serviceLocation="CDN-B">http://b:2/base/cat:TOK/live/demo/</BaseURL>'
        '\n  <ContentSteering defaultServiceLocation="CDN-A" queryBeforeStart="false">'
        "http://r/steer/dash?sid=s1</ContentSteering>"
        '\n  <Period id="0"/>\n'
    )


def test_a_base_url_is_repeated_per_pathway_with_its_attributes() -> None:
    out = mpd("<ProgramInformation/> <BaseURL serviceLocation='x' dvb='1'>v/</BaseURL><Period/>")
    assert out == (
        "<ProgramInformation/> "
        "<BaseURL serviceLocation='CDN-A' dvb='1'>http://a:1/cat:TOK/live/demo/v/</BaseURL> "
        "<BaseURL serviceLocation='CDN-B' dvb='1'>http://b:2/base/cat:TOK/live/demo/v/</BaseURL>"
        '<ContentSteering defaultServiceLocation="CDN-A" queryBeforeStart="false">'
        "http://r/steer/dash?sid=s1</ContentSteering><Period/>"
    )


def test_a_foreign_base_url_stays_and_never_sees_the_token() -> None:
    out = mpd("<BaseURL>https://other/x/</BaseURL><Period><BaseURL>y/</BaseURL></Period>")
    assert "<BaseURL>https://other/x/</BaseURL>" in out and "TOK" not in out


def test_an_old_steering_element_gives_way_to_exactly_one() -> None:
    """ST-6, also inside a ServiceDescription."""
    out = mpd(
        "<ServiceDescription><ContentSteering>https://x</ContentSteering></ServiceDescription>"
        "\n <ContentSteering>https://y</ContentSteering><Period/>"
    )
    assert out.count("<ContentSteering") == 1 and "https://x" not in out and "https://y" not in out
    assert "<ServiceDescription></ServiceDescription>" in out


def test_updates_come_back_to_the_same_proxy_url() -> None:
    """Location leads to this proxy with cohort and token; a patch of other bytes is dropped."""
    out = mpd(
        "<Location>manifest.mpd?start=5&amp;x=1</Location>"
        "<PatchLocation ttl='9'>p.mpp</PatchLocation><Period/>"
    )
    location = "http://p/p/CDN-A~CDN-B/live/demo/manifest.mpd?start=5&amp;x=1&amp;CAT=TOK"
    assert f"<Location>{location}</Location>" in out
    assert "PatchLocation" not in out
    foreign = mpd("<Location>https://elsewhere/m.mpd</Location><Period/>")
    assert "<Location>https://elsewhere/m.mpd</Location>" in foreign


def test_no_rewrite_applies_twice() -> None:
    """DASH-M8: levels below stay relative; what would leave the BaseURL is made relative."""
    out = mpd(
        "<Period><BaseURL>p/</BaseURL><AdaptationSet><BaseURL>http://origin:8001/live/demo/q/</BaseURL>"
        '<SegmentTemplate media="$RepresentationID$/$Number%05d$.m4s?a=1&amp;b=2" '
        'initialization="/live/demo/i/$RepresentationID$.mp4"/>'
        '<Representation><SegmentList><SegmentURL media="../../../../../etc"/>'
        '<SegmentURL media="https://other/1"/></SegmentList></Representation>'
        "</AdaptationSet></Period>"
    )
    assert "<BaseURL>p/</BaseURL>" in out
    assert "<BaseURL>../q/</BaseURL>" in out
    assert 'media="$RepresentationID$/$Number%05d$.m4s?a=1&amp;b=2"' in out
    assert 'initialization="../i/$RepresentationID$.mp4"' in out
    assert 'media="../../../etc"' in out, "as high as the root of the origin, not into the token"
    assert 'media="https://other/1"' in out


def test_every_reference_resolves_to_what_it_meant() -> None:
    """What a player fetches on each pathway is what it would have fetched at the origin."""
    inner = (
        "<BaseURL>media/</BaseURL><Period><BaseURL>../p1/</BaseURL><AdaptationSet>"
        '<SegmentTemplate media="/vod/x/$Number$.m4s" index="./i" initialization="init.mp4"/>'
        "</AdaptationSet></Period>"
    )
    before = etree.fromstring(f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">{inner}</MPD>')
    after = etree.fromstring(f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">{mpd(inner)}</MPD>')
    for home, base in zip(HOMES, after.findall(f"{NS}BaseURL"), strict=True):
        prefix = home.removesuffix("/live/demo/")
        for name in ("media", "index", "initialization"):
            assert resolved(after, base.text or "", name) == prefix + resolved(
                before, "http://origin:8001/live/demo/media/", name
            ).removeprefix("http://origin:8001")


def resolved(root: etree._Element, base: str, name: str) -> str:
    period = root.find(f"{NS}Period/{NS}BaseURL")
    template = root.find(f".//{NS}SegmentTemplate")
    assert period is not None and template is not None
    url: Url | None = Url.parse(base)
    for reference in (period.text, template.get(name)):
        assert url is not None and reference is not None
        url = url.join(reference.encode())
    assert url is not None
    return b"".join(url).decode()


def test_a_time_source_is_reachable() -> None:
    """DASH-M10: relative time URLs lead somewhere; other schemes and hosts stay."""
    source = (
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time https://t/x?a&amp;b"/>'
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="2026-01-01T00:00:00Z"/>'
    )
    out = mpd("<Period/>" + source)
    assert 'value="http://a:1/cat:TOK/time https://t/x?a&amp;b"' in out
    assert 'value="2026-01-01T00:00:00Z"' in out
    own = Policy(POLICY.pathways, clock_url="http://p/time")
    assert 'value="http://p/time https://t/x?a&amp;b"' in mpd("<Period/>" + source, own)


def test_xlink_is_made_absolute() -> None:
    out = mpd('<Period xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="p.xml?a&amp;b"/>')
    assert 'xlink:href="http://a:1/cat:TOK/live/demo/p.xml?a&amp;b"' in out


def test_prefixes_comments_and_line_ends_are_kept() -> None:
    text = (
        b'<?xml version="1.0"?>\r\n<!-- <BaseURL>no</BaseURL> -->\r\n'
        b'<m:MPD xmlns:m="urn:mpeg:dash:schema:mpd:2011" xmlns:v="urn:v">\r\n'
        b"\t<m:Period v:x='1'><![CDATA[<BaseURL>]]><v:New a=\"&#233;\"/></m:Period>\r\n</m:MPD>\r\n"
    )
    out = compile_mpd(text, URL, ORIGIN, POLICY).render(b"TOK", b"s")
    tree = etree.fromstring(out)
    assert [e.get("serviceLocation") for e in tree.findall(f"{NS}BaseURL")] == ["CDN-A", "CDN-B"]
    inserted = re.compile(rb"\r\n\t<m:(?:BaseURL|ContentSteering)[^\r]*(?=\r\n)")
    assert inserted.sub(b"", out) == text


HOSTILE = {
    "xml_malformed": b"<MPD><Period></MPD>",
    "xml_doctype": b'<!DOCTYPE MPD [<!ENTITY x SYSTEM "file:///etc/passwd">]><MPD>&x;</MPD>',
    "xml_encoding": "<MPD/>".encode("utf-16"),
    "xml_depth": b"<MPD>" * (MAX_DEPTH + 1) + b"</MPD>" * (MAX_DEPTH + 1),
    "not_an_mpd": b"<Patch><x/></Patch>",
    "mpd_empty": b"<MPD/>",
}
BILLION_LAUGHS = (
    b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "'
    + b"&a;" * 10
    + b'"><!ENTITY c "'
    + b"&b;" * 10
    + b'">]><MPD>&c;</MPD>'
)


@pytest.mark.parametrize(
    "data, code",
    [
        *((data, code) for code, data in HOSTILE.items()),
        (BILLION_LAUGHS, "xml_doctype"),
        (b"", "xml_malformed"),
        (b"<MPD><x:y/></MPD>", "xml_malformed"),
        (b"<MPD>&undefined;</MPD>", "xml_malformed"),
        (b"<MPD>\0</MPD>", "xml_malformed"),
        (b'<?xml version="1.0" encoding="shift_jis"?><MPD>x</MPD>', "xml_encoding"),
        (b"<MPD><Period/></MPD><MPD/>", "xml_malformed"),
    ],
)
def test_hostile_documents_are_refused_with_a_reason(data: bytes, code: str) -> None:
    """DASH-M20: 502 with a code, nothing fetched, nothing expanded."""
    with pytest.raises(ManifestError) as caught:
        compile_manifest(Format.DASH, data, URL, ORIGIN, POLICY)
    assert (caught.value.code, caught.value.status) == (code, 502)


def test_spans_cover_their_elements() -> None:
    data = '<?xml version="1.0"?><MPD a="1>2"><!--é--><B c=\'"\'/>é<D>x</D></MPD>'.encode()
    document = Document(data)
    b, d = document.root.children
    assert data[b.start : b.end] == b"<B c='\"'/>" and b.inner_start == b.inner_end == b.end
    assert data[d.start : d.end] == b"<D>x</D>" and data[d.inner_start : d.inner_end] == b"x"
    assert document.attribute(document.root, b"a") == "1>2"


@pytest.mark.parametrize(
    "written, meant",
    [
        ("x", "x"),
        ("a&amp;b>&#233;é&#10;", "a&b>éé\n"),
        ("x<![CDATA[<&amp;]]>y<!-- no -->", "x<&amp;y"),
        ("&#133;", "\x85"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_text_means_what_xml_says(written: str, meant: str, encoding: str) -> None:
    data = f"<?xml version='1.0' encoding='{encoding}'?><MPD><B>{written}</B></MPD>".encode(
        encoding
    )
    document = Document(data)
    assert document.text(document.root.children[0]) == meant


def test_attributes_mean_what_xml_says() -> None:
    data = b"<MPD a='x\t\"&#9;&gt;]]>' b = \"2'\" v:a='no'  xmlns:v=\"urn:v\"\n/>"
    document = Document(data)
    values = {name: document.attribute(document.root, name) for name in (b"a", b"b", b"v:a", b"c")}
    assert values == {b"a": 'x "\t>]]>', b"b": "2'", b"v:a": "no", b"c": None}
