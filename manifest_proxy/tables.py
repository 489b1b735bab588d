"""The tables of both formats: HLS tags, and every place where a manifest keeps a URI.

Source: draft-pantos-hls-rfc8216bis-22 (HLS), ISO/IEC 23009-1:2022 (DASH); HLS-M2, DASH-M10.
"""

# Tags that the draft defines, with the section that does.
TAGS: dict[bytes, str] = {
    b"EXTM3U": "4.4.1.1",
    b"EXT-X-VERSION": "4.4.1.2",
    b"EXT-X-INDEPENDENT-SEGMENTS": "4.4.2.1",
    b"EXT-X-START": "4.4.2.2",
    b"EXT-X-DEFINE": "4.4.2.3",
    b"EXT-X-TARGETDURATION": "4.4.3.1",
    b"EXT-X-MEDIA-SEQUENCE": "4.4.3.2",
    b"EXT-X-DISCONTINUITY-SEQUENCE": "4.4.3.3",
    b"EXT-X-ENDLIST": "4.4.3.4",
    b"EXT-X-PLAYLIST-TYPE": "4.4.3.5",
    b"EXT-X-I-FRAMES-ONLY": "4.4.3.6",
    b"EXT-X-PART-INF": "4.4.3.7",
    b"EXT-X-SERVER-CONTROL": "4.4.3.8",
    b"EXTINF": "4.4.4.1",
    b"EXT-X-BYTERANGE": "4.4.4.2",
    b"EXT-X-DISCONTINUITY": "4.4.4.3",
    b"EXT-X-KEY": "4.4.4.4",
    b"EXT-X-MAP": "4.4.4.5",
    b"EXT-X-PROGRAM-DATE-TIME": "4.4.4.6",
    b"EXT-X-GAP": "4.4.4.7",
    b"EXT-X-BITRATE": "4.4.4.8",
    b"EXT-X-PART": "4.4.4.9",
    b"EXT-X-DATERANGE": "4.4.5.1",
    b"EXT-X-SKIP": "4.4.5.2",
    b"EXT-X-PRELOAD-HINT": "4.4.5.3",
    b"EXT-X-RENDITION-REPORT": "4.4.5.4",
    b"EXT-X-MEDIA": "4.4.6.1",
    b"EXT-X-STREAM-INF": "4.4.6.2",
    b"EXT-X-I-FRAME-STREAM-INF": "4.4.6.3",
    b"EXT-X-SESSION-DATA": "4.4.6.4",
    b"EXT-X-SESSION-KEY": "4.4.6.5",
    b"EXT-X-CONTENT-STEERING": "4.4.6.6",
    b"EXT-X-IMAGE-STREAM-INF": "Roku/hls-image-media-playlist",
}

# Attributes whose value is a URI that a player fetches (HLS-M2). RENDITION-REPORT is not
# among them: its URIs stay relative (HLS-M23).
URI_ATTRIBUTES: dict[bytes, tuple[bytes, ...]] = {
    b"EXT-X-KEY": (b"URI",),  # 4.4.4.4
    b"EXT-X-MAP": (b"URI",),  # 4.4.4.5
    b"EXT-X-PART": (b"URI",),  # 4.4.4.9
    b"EXT-X-DATERANGE": (b"X-ASSET-URI", b"X-ASSET-LIST"),  # appendix D.2
    b"EXT-X-PRELOAD-HINT": (b"URI",),  # 4.4.5.3
    b"EXT-X-MEDIA": (b"URI",),  # 4.4.6.1
    b"EXT-X-STREAM-INF": (b"URI",),  # 4.4.6.2 has none, some packagers write one
    b"EXT-X-I-FRAME-STREAM-INF": (b"URI",),  # 4.4.6.3
    b"EXT-X-SESSION-DATA": (b"URI",),  # 4.4.6.4
    b"EXT-X-SESSION-KEY": (b"URI",),  # 4.4.6.5
    b"EXT-X-CONTENT-STEERING": (b"SERVER-URI",),  # 4.4.6.6
    b"EXT-X-IMAGE-STREAM-INF": (b"URI",),  # Roku/hls-image-media-playlist
}

# Attributes of a variant that name a rendition group (4.4.6.2).
GROUP_ATTRIBUTES = (b"AUDIO", b"VIDEO", b"SUBTITLES", b"CLOSED-CAPTIONS")

# Attributes of an MPD that hold a reference below the BaseURLs in force (DASH-M10).
MPD_REFERENCES: dict[str, tuple[str, ...]] = {
    "SegmentTemplate": ("media", "initialization", "index", "bitstreamSwitching"),  # 5.3.9.4
    "SegmentURL": ("media", "index"),  # 5.3.9.3
    "Initialization": ("sourceURL",),  # 5.3.9.2
    "RepresentationIndex": ("sourceURL",),  # 5.3.9.2
    "BitstreamSwitching": ("sourceURL",),  # 5.3.9.2
}

# UTCTiming schemes whose @value is a list of URLs (5.8.4.11); `direct` and `ntp` hold others.
UTC_URL_SCHEMES = frozenset(
    f"urn:mpeg:dash:utc:http-{how}:{year}"
    for how in ("xsdate", "iso", "ntp", "head")
    for year in (2012, 2014)
)
