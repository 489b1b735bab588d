"""A master playlist cloned per pathway, with one steering tag (HLS-M32, ST-1..ST-5)."""

import m3u8
import pytest

from manifest_proxy.errors import ManifestError
from manifest_proxy.hls_edit import compile_hls
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.urls import Origin, Url

URL = Url.parse("http://origin:8001/live/demo/master.m3u8")
ORIGIN = Origin("http://origin:8001")
A, B = Pathway("CDN-A", "http://a:1"), Pathway("CDN-B", "http://b:2/base")
STEER = "http://r/steer/hls?sid="

MASTER = b"""#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-DATA:DATA-ID="t",URI="data.json"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="a_en/media.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="c",INSTREAM-ID="CC1"
# a remark
#EXT-X-STREAM-INF:BANDWIDTH=100,AUDIO="aud",CLOSED-CAPTIONS="cc"
#EXT-X-VENDOR:x
v1/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=200,AUDIO="aud",CLOSED-CAPTIONS=NONE,STABLE-VARIANT-ID="own"
v2/media.m3u8?q=1
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=10,URI="v1/iframe.m3u8"
#EXT-X-END:1
"""


def expand(data: bytes, *pathways: Pathway, steering: str = STEER, steered: bool = True) -> bytes:
    policy = Policy(pathways, steering_url=steering, steered=steered)
    return compile_hls(data, URL, ORIGIN, policy).render(b"TOK", b"s1")


def test_a_master_becomes_exactly_this() -> None:
    assert expand(MASTER, B, A).decode() == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-SESSION-DATA:DATA-ID="t",URI="http://b:2/base/cat:TOK/live/demo/data.json"\n'
        '#EXT-X-CONTENT-STEERING:SERVER-URI="http://r/steer/hls?sid=s1",PATHWAY-ID="CDN-B"\n'
        + clone("CDN-B", "http://b:2/base", "# a remark\n")
        + clone("CDN-A", "http://a:1", "")
        + "#EXT-X-END:1\n"
    )


def test_without_steering_pathways_stay_to_fall_back_along() -> None:
    tag = b'#EXT-X-CONTENT-STEERING:SERVER-URI="http://r/steer/hls?sid=s1",PATHWAY-ID="CDN-B"\n'
    steered = expand(MASTER, B, A)
    assert tag in steered
    assert expand(MASTER, B, A, steered=False) == steered.replace(tag, b"")
    own = b'#EXT-X-CONTENT-STEERING:SERVER-URI="https://elsewhere/"\n'
    theirs = MASTER.replace(b"# a remark\n", b"# a remark\n" + own)
    assert expand(theirs, B, A, steered=False) == steered.replace(tag, b"")


def clone(name: str, base: str, remark: str) -> str:
    home = f"{base}/cat:TOK/live/demo"
    return (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud@{name}",NAME="en",LANGUAGE="en",DEFAULT=YES,'
        f'URI="{home}/a_en/media.m3u8",STABLE-RENDITION-ID="a_en/media.m3u8"\n'
        f'#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc@{name}",NAME="c",INSTREAM-ID="CC1"\n'
        f"{remark}"
        f'#EXT-X-STREAM-INF:BANDWIDTH=100,AUDIO="aud@{name}",CLOSED-CAPTIONS="cc@{name}",'
        f'STABLE-VARIANT-ID="v1/media.m3u8",PATHWAY-ID="{name}"\n'
        f"#EXT-X-VENDOR:x\n{home}/v1/media.m3u8\n"
        f'#EXT-X-STREAM-INF:BANDWIDTH=200,AUDIO="aud@{name}",CLOSED-CAPTIONS=NONE,'
        f'STABLE-VARIANT-ID="own",PATHWAY-ID="{name}"\n'
        f"{home}/v2/media.m3u8?q=1\n"
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=10,URI="{home}/v1/iframe.m3u8",'
        f'STABLE-VARIANT-ID="v1/iframe.m3u8",PATHWAY-ID="{name}"\n'
    )


def test_an_independent_parser_agrees() -> None:
    """Each pathway offers the same ladder and its own groups; the oracle is `m3u8` (MP-50)."""
    parsed = m3u8.loads(expand(MASTER, A, B).decode())
    ladders = {
        name: [(p.stream_info.bandwidth, p.stream_info.stable_variant_id) for p in playlists]
        for name in ("CDN-A", "CDN-B")
        if (playlists := [p for p in parsed.playlists if p.stream_info.pathway_id == name])
    }
    assert set(ladders) == {"CDN-A", "CDN-B"} and ladders["CDN-A"] == ladders["CDN-B"]
    groups = {(media.type, media.group_id) for media in parsed.media}
    for playlist in parsed.playlists:
        assert ("AUDIO", playlist.stream_info.audio) in groups
        assert playlist.stream_info.audio.endswith(f"@{playlist.stream_info.pathway_id}")
    assert parsed.content_steering.pathway_id == "CDN-A"


def test_line_ends_are_kept_and_a_missing_last_one_is_supplied() -> None:
    out = expand(MASTER.replace(b"#EXT-X-END:1\n", b"").strip().replace(b"\n", b"\r\n"), A, B)
    assert out.count(b"\n") == out.count(b"\r\n")
    assert out.endswith(b'PATHWAY-ID="CDN-B"\r\n')


def test_an_origin_that_steers_by_itself_is_taken_by_its_first_pathway() -> None:
    steered = expand(MASTER, A, B)
    again = expand(
        steered.replace(b"http://a:1/cat:TOK/", b"/").replace(b"http://b:2/base/cat:TOK/", b"/"),
        A,
        B,
    )
    assert again.count(b"#EXT-X-CONTENT-STEERING") == 1
    assert again.count(b"#EXT-X-STREAM-INF") == 4
    assert again.count(b"#EXT-X-MEDIA:") == 4
    assert b"@CDN-B@" not in again


def test_stable_ids_survive_refresh_and_differ_by_uri() -> None:
    variant = b"#EXT-X-STREAM-INF:BANDWIDTH=%d\nm.m3u8?r=%d\n"
    data = b"#EXTM3U\n" + variant % (1, 1) + variant % (2, 2)
    parsed = m3u8.loads(expand(data, A, B).decode())
    ids = [playlist.stream_info.stable_variant_id for playlist in parsed.playlists]
    assert ids[:2] == ids[2:] and ids[0] != ids[1]
    assert expand(data, A, B) == expand(data, A, B)


def test_without_steering_nothing_is_cloned() -> None:
    out = expand(MASTER, A, B, steering="")
    assert out.count(b"#EXT-X-STREAM-INF") == 2 and b"http://b:2" not in out
    assert b"http://a:1/cat:TOK/live/demo/v1/media.m3u8" in out


def test_a_variant_without_uri_is_passed_over() -> None:
    data = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv.m3u8\n"
    assert [p.uri for p in m3u8.loads(expand(data, A, B).decode()).playlists] == [
        "http://a:1/cat:TOK/live/demo/v.m3u8",
        "http://b:2/base/cat:TOK/live/demo/v.m3u8",
    ]
    nothing = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
    assert expand(nothing, A, B) == nothing


def test_master_and_media_tags_do_not_mix() -> None:
    with pytest.raises(ManifestError, match="mixed_playlist"):
        expand(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n#EXTINF:1,\n1.ts\n", A)
