"""One planted defect for every rule: where the probe starts, and how the world is broken."""

from dataclasses import dataclass

from probe.breaks import (
    Break,
    all_of,
    all_parts,
    answer,
    ask,
    body,
    change,
    flipped,
    frozen,
    header,
    last_only,
    lowered,
    media_bytes,
    moved,
    not_sync,
    other_time,
    refuse,
    stretched,
    unsigned,
    withdrawn,
)
from probe.world import LL_PROFILE, T0, WINDOW

LIVE, MPD, LL = "live/master.m3u8", "live/manifest.mpd", "live/ll.mpd"
VOD, VOD_MPD = "vod/master.m3u8", "vod/manifest.mpd"
V1, MEDIA = r"/live/v1/media\.m3u8", r"/(live|vod)/\w+/media\.m3u8"


@dataclass(frozen=True)
class Defect:
    """`text` of the rule tells rows of one id apart."""

    rule: str
    start: str
    plant: Break
    watch_s: float | None = None
    text: str = ""


ADVERT = (
    '#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",'
    'START-DATE="2027-01-15T08:00:00Z"\n#EXT-X-DATERANGE'
)
KEY = 'METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"'
SETS = r'(?s)(<AdaptationSet id="1".*?</AdaptationSet>)\n(<AdaptationSet id="2".*?</AdaptationSet>)'
FIRST_S = r'<S t="\d+" d="\d+"/>'

DEFECTS = (
    Defect("O17", MPD, header(r"/live/.*", "Cache-Control", "max-age=9", when="Host=localhost")),
    Defect("HLS-9", LIVE, body(V1, r"EXTINF:1.000(,\n\d+5\.m4s)", r"EXTINF:0.500\1")),
    Defect("TR-35", LIVE, body(V1, "EXTINF:1.000", "EXTINF:0.990")),
    Defect("HLS-1", LIVE, body(V1, "EXTINF:1.000", "EXTINF:1.600")),
    Defect("HLS-2", LIVE, body(MEDIA, "TARGETDURATION:1", "TARGETDURATION:2", later=True)),
    Defect("HLS-3", LIVE, body(V1, r"^(\d+)\.m4s", r"x\1.m4s", later=True)),
    Defect("HLS-4", LIVE, change(V1, lowered, later=True), text="counts"),
    Defect("HLS-4", LIVE, change(V1, moved("#EXT-X-MEDIA-SEQ", r"\d+\.m4s")), text="precedes"),
    Defect("HLS-5", LIVE, change(V1, last_only, later=True)),
    Defect("HLS-6", LIVE, frozen(), watch_s=6),
    Defect("HLS-7", LIVE, withdrawn),
    Defect("HLS-8", LIVE, body(V1, "SEQUENCE:1$", "SEQUENCE:0", later=True), text="counted"),
    Defect(
        "HLS-8", LIVE, change(V1, moved("#EXT-X-DISCONTINUITY-S", r"\d+\.m4s")), text="precedes"
    ),
    Defect(
        "HLS-10", LIVE, body(V1, r"^#EXTINF(.*\n\d+5\.m4s)", r'#EXT-X-MAP:URI="i.mp4"\n#EXTINF\1')
    ),
    Defect("HLS-11", LIVE, answer(rf"/live/v1/{T0 - 1}\.m4s", 404)),
    Defect(
        "HLS-12",
        LIVE,
        body(MEDIA, "DURATION=2.000", "DURATION=3.000", later=True),
        text="unchanged",
    ),
    Defect(
        "HLS-12",
        LIVE,
        body(MEDIA, "^(#EXT-X-DATERANGE.*)2.000$", r"\g<1>2.000\n\g<1>3.000"),
        text="one set of values",
    ),
    Defect("HLS-13", LIVE, body(MEDIA, ",PART-HOLD-BACK=0.6", ""), text="enough"),
    Defect("HLS-13", LIVE, body(MEDIA, "HOLD-BACK=0.6", "HOLD-BACK=0.5"), text="3 part targets"),
    Defect("HLS-14", LIVE, body(V1, r"DURATION=0.200(,URI=\"\d+\.1)", r"DURATION=0.100\1")),
    Defect("HLS-15", LIVE, body(r"/live/v./media\.m3u8", ",INDEPENDENT=YES", "")),
    Defect("HLS-16", LIVE, change(V1, moved("#EXT-X-MAP", "#EXT-X-PART:"))),
    Defect("HLS-17", LIVE, frozen(), watch_s=4),
    Defect("HLS-18", LIVE, change(V1, all_parts)),
    Defect("HLS-19", LIVE, media_bytes(r"/live/v1/\d+\.1\.m4s", flipped)),
    Defect("HLS-20", LIVE, body(MEDIA, "VERSION:6", "VERSION:5")),
    Defect("HLS-21", LIVE, body(MEDIA, "(EXT-X-SKIP:.*)", r"\1\n#\1")),
    Defect("HLS-22", LIVE, ask("_HLS_skip")),
    Defect("HLS-23", LIVE, body(V1, r"(SKIPPED(.*\n)+?#EXTINF:1.0)00", r"\g<1>50")),
    Defect("HLS-24", LIVE, ask("_HLS_msn")),
    Defect("HLS-25", LIVE, refuse("_HLS_msn")),
    Defect("HLS-26", VOD, answer(MEDIA, 400, when="_HLS_msn")),
    Defect("HLS-27", LIVE, ask("_HLS_msn")),
    Defect("HLS-28", LIVE, ask("_HLS_part")),
    Defect("HLS-30", LIVE, refuse("_HLS_unknown")),
    Defect("HLS-31", LIVE, body(MEDIA, "#EXT-X-PRELOAD-HINT.*\n", ""), text="one preload hint"),
    Defect("HLS-31", LIVE, body(V1, r'PART,URI="(\d+)', r'PART,URI="9\1'), text="hinted URI"),
    Defect("HLS-31", LIVE, body(V1, r'PART,URI="(\d+)', r'PART,URI="9\1'), text="requested"),
    Defect("HLS-33", LIVE, body(V1, '#EXT-X-RENDITION-REPORT:URI="../v2.*\n', "")),
    Defect("HLS-34", LIVE, body(MEDIA, "#EXT-X-PROGRAM-DATE-TIME.*\n", "")),
    Defect(
        "HLS-35", LIVE, body("/live/master.m3u8", 'GROUP-ID="a"', 'GROUP-ID="b"'), text="groups"
    ),
    Defect("HLS-35", LIVE, body("/live/master.m3u8", 'CODECS="[^"]*",', ""), text="codecs"),
    Defect(
        "HLS-35",
        VOD,
        all_of(
            body(MEDIA, "#EXT-X-MAP", f"#EXT-X-KEY:{KEY}\n#EXT-X-MAP"),
            body(
                "/vod/master.m3u8",
                "#EXT-X-MEDIA",
                f"#EXT-X-SESSION-KEY:{KEY.replace('SAMPLE-AES', 'AES-128')}\n#EXT-X-MEDIA",
            ),
        ),
        text="keys",
    ),
    Defect("HLS-36", LIVE, body(MEDIA, "#EXT-X-DATERANGE", ADVERT)),
    Defect("HLS-37", LIVE, body(V1, "CAN-SKIP-UNTIL=6", "CAN-SKIP-UNTIL=7")),
    Defect("HLS-38", LIVE, body(V1, "TARGETDURATION:1", "TARGETDURATION:2")),
    Defect("HLS-39", VOD, body("/vod/v1/.*8", "#EXT-X-PLAYLIST-TYPE:VOD\n", ""), text="one"),
    Defect(
        "HLS-39",
        LIVE,
        body(MEDIA, "#EXT-X-MAP", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MAP"),
        text="leave",
    ),
    Defect("HLS-40", LIVE, body(V1, "#EXT-X-PROGRAM-DATE-TIME.*\n", "")),
    Defect(
        "HLS-41",
        VOD,
        body(MEDIA, "#EXT-X-MAP", "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-MAP"),
    ),
    Defect("HLS-42", LIVE, body(MEDIA, "#EXT-X-PROGRAM-DATE-TIME.*\n", "")),
    Defect("HLS-43", LIVE, header(MEDIA, "Cache-Control", "max-age=100", status=400)),
    Defect("HLS-44", LIVE, header(r"/live/v1/\d+\.m4s", "Cache-Control", "max-age=2", status=200)),
    Defect("HLS-M1", LIVE, body(V1, "#EXTM3U", "#EXTM3")),
    Defect("HLS-M7", LIVE, body(V1, "(#EXT-X-TARGETDURATION:1)", r"\1\n\1")),
    Defect("HLS-M29", LIVE, body("/live/master.m3u8", "(#EXT-X-MEDIA.*)", r"\1\n\1")),
    Defect("D1", MPD, body("/live/manifest.mpd", ' publishTime="[^"]*"', ""), text="root"),
    Defect(
        "D1", MPD, body("/live/manifest.mpd", 'Time="1970', 'Time="1971', later=True), text="never"
    ),
    Defect("D2", MPD, body("/live/manifest.mpd", 'Period id="p0"', "Period"), text="have ids"),
    Defect("D2", MPD, body("/live/manifest.mpd", "PT0S", "PT1S", later=True), text="stay"),
    Defect(
        "D3", MPD, body("/live/manifest.mpd", 'AdaptationSet id="2"', "AdaptationSet"), text="ids"
    ),
    Defect("D3", MPD, body("/live/manifest.mpd", SETS, r"\2\n\1", later=True), text="order"),
    Defect("D4", MPD, body("/live/manifest.mpd", ' minimumUpdatePeriod="PT1S"', ""), text="may"),
    Defect(
        "D4",
        MPD,
        body("/live/manifest.mpd", ' minimumUpdatePeriod="PT1S"', "", later=True),
        text="nothing",
    ),
    Defect("D5", MPD, body("/live/manifest.mpd", "<UTCTiming.*/>", ""), text="schemes"),
    Defect("D5", MPD, answer("/time", 404), text="answers"),
    Defect("D6", MPD, body("/live/manifest.mpd", "init.mp4", "$Number$.mp4"), text="exact"),
    Defect("D6", MPD, body("/live/manifest.mpd", 'timescale="[0-9]+" ', ""), text="timescale"),
    Defect(
        "D6", MPD, body("/live/manifest.mpd", 'd="12800"/></Seg', 'd="12799"/></Seg'), text="boxes"
    ),
    Defect(
        "D7",
        MPD,
        body(
            "/live/manifest.mpd",
            r'(Timeline>)<S t="(\d+)" d="(\d+)"/>',
            r'\1<S t="\2" d="1"/>',
            later=True,
        ),
    ),
    Defect("D8", MPD, body("/live/manifest.mpd", "PT12S", "PT4S")),
    Defect("D9", MPD, answer(rf"/live/a1/{T0 - WINDOW + 1}\.m4s", 404)),
    Defect("D10", MPD, body("/live/manifest.mpd", 'Delay="PT3S"', 'Delay="PT12S"')),
    Defect("D11", MPD, body("/live/manifest.mpd", ' frameRate="25"', "")),
    Defect("D12", MPD, body("/live/manifest.mpd", 'minBufferTime="PT1S"', 'minBufferTime="P1M"')),
    Defect("D13", MPD, change("/live/manifest.mpd", stretched)),
    Defect("D14", MPD, body("/live/manifest.mpd", ' ttl="60"', ""), text="stated"),
    Defect("D14", MPD, body("/live/patch.mpp", FIRST_S, "", count=1), text="new MPD"),
    Defect(
        "D15",
        MPD,
        body(
            "/live/manifest.mpd", "</Period>", '</Period>\n<Period id="p1" start="PT9999999999S"/>'
        ),
    ),
    Defect(
        "D16",
        LL,
        all_of(
            body("/live/ll.mpd", LL_PROFILE, "urn:x"), body("/live/ll.mpd", "<Latency.*?/>", "")
        ),
    ),
    Defect("DASH-M20", MPD, body("/live/manifest.mpd", "</MPD>", "")),
    Defect("L1", LL, body("/live/ll.mpd", LL_PROFILE, "urn:x")),
    Defect("L2", LL, body("/live/ll.mpd", 'target="3000"', "")),
    Defect("L3", LL, body("/live/ll.mpd", "http-iso:2014", "ntp:2014")),
    Defect(
        "L4", LL, body("/live/ll.mpd", r"<ProducerReferenceTime.*?</ProducerReferenceTime>", "")
    ),
    Defect("L6", LL, body("/live/ll.mpd", ' availabilityTimeOffset="0.8"', "")),
    Defect("L7", LL, body("/live/ll.mpd", ' marker="true"', "")),
    Defect("L11", LL, answer(rf"/live/v1/{T0}\.m4s", 425)),
    Defect("P1", MPD, header("/live/patch.mpp", "Content-Type", "text/xml")),
    Defect("P4", MPD, answer("/live/patch.mpp", 404)),
    Defect("C1", MPD, media_bytes("/live/v1/init.mp4", lambda b: b.replace(b"cmfc", b"isom"))),
    Defect("C2", MPD, media_bytes(r"/live/v1/\d+\.m4s", unsigned)),
    Defect("C3", MPD, media_bytes(r"/live/v1/\d+\.m4s", not_sync)),
    Defect("C4", MPD, media_bytes(r"/live/v1/\d+\.m4s", other_time)),
    Defect("C6", MPD, media_bytes(r"/live/v1/\d+\.m4s", lambda b: b"\0\0\0\x08udta" + b)),
    Defect("O1", LIVE, header(V1, "ETag", None)),
    Defect("O2", LIVE, answer(V1, 200, when="If-None-Match")),
    Defect("O3", LIVE, header(V1, "Cache-Control", "max-age=7", when="method=HEAD")),
    Defect("O4", LIVE, header(r"/live/v1/\d+\.m4s", "Content-Range", "bytes 0-1/2", status=206)),
    Defect("O5", LIVE, header(r"/live/v1/\d+\.m4s", "Cache-Control", "max-age=9", status=404)),
    Defect("O6", LIVE, header(r"/live/v1/\d+\.m4s", "Cache-Control", "max-age=0", status=410)),
    Defect("O7", LIVE, header(r"/live/v1/.*", "Cache-Control", None, status=404)),
    Defect("O8", LIVE, header(V1, "Set-Cookie", "a=b")),
    Defect("O9", LIVE, header(V1, "Connection", "close")),
    Defect("O11", LIVE, header(V1, "Access-Control-Allow-Origin", None)),
    Defect("O12", LIVE, header(V1, "Vary", "CMCD-Session, Accept-Encoding")),
    Defect(
        "O16", LIVE, header(r"/live/v1/\d+\.m4s", "CDN-Origin-Assist-Prefetch-Path", "/live/none")
    ),
    Defect("O24", LIVE, header(r"/live/v1/\d+\.m4s", "CMSD-Static", "ot=v,zz=1")),
)
