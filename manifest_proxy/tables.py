"""Tables of both formats; the tags of HLS and their URI places are in native.hls.tables.

Source: draft-pantos-hls-rfc8216bis-22 (HLS), ISO/IEC 23009-1:2022 (DASH); HLS-M27, DASH-M10.
"""

# Attributes of a variant that name a rendition group (4.4.6.2).
GROUP_ATTRIBUTES = (b"AUDIO", b"VIDEO", b"SUBTITLES", b"CLOSED-CAPTIONS")

# Attributes of an MPD that hold a reference below the BaseURLs in force (DASH-M10).
MPD_REFERENCES: dict[str, tuple[bytes, ...]] = {
    "SegmentTemplate": (b"media", b"initialization", b"index", b"bitstreamSwitching"),  # 5.3.9.4
    "SegmentURL": (b"media", b"index"),  # 5.3.9.3
    "Initialization": (b"sourceURL",),  # 5.3.9.2
    "RepresentationIndex": (b"sourceURL",),  # 5.3.9.2
    "BitstreamSwitching": (b"sourceURL",),  # 5.3.9.2
}

# UTCTiming schemes whose @value is a list of URLs (5.8.4.11); `direct` and `ntp` hold others.
UTC_URL_SCHEMES = frozenset(
    f"urn:mpeg:dash:utc:http-{how}:{year}"
    for how in ("xsdate", "iso", "ntp", "head")
    for year in (2012, 2014)
)
