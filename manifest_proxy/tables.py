"""Tables of both formats; the tags of HLS and their URI places are in native.hls.tables.

Source: draft-pantos-hls-rfc8216bis-22 (HLS), ISO/IEC 23009-1:2022 (DASH); HLS-M27, DASH-M10.
"""

# Attributes of a variant that name a rendition group (4.4.6.2).
GROUP_ATTRIBUTES = (b"AUDIO", b"VIDEO", b"SUBTITLES", b"CLOSED-CAPTIONS")

# Tags of a master whose URI is a playlist (4.4.6), beside the URI lines of variants.
CHILDREN = frozenset(
    {b"EXT-X-STREAM-INF", b"EXT-X-MEDIA", b"EXT-X-I-FRAME-STREAM-INF", b"EXT-X-IMAGE-STREAM-INF"}
)

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

# Formats of RFC 6381 `codecs` by the names people use; a codec belongs to its sample entry.
CODEC_FAMILIES: dict[str, tuple[str, ...]] = {
    "avc": ("avc1", "avc3"),  # ISO/IEC 14496-15
    "hevc": ("hvc1", "hev1"),  # ISO/IEC 14496-15
    "vvc": ("vvc1", "vvi1"),  # ISO/IEC 14496-15
    "dolby-vision": ("dvh1", "dvhe", "dav1"),  # Dolby Vision streams within ISOBMFF
    "av1": ("av01",),  # AV1 in ISOBMFF section 5
    "vp9": ("vp09", "vp9"),  # VP codec ISO media file format binding
    "aac": ("mp4a",),  # RFC 6381 section 3.3
    "ac3": ("ac-3",),  # ETSI TS 102 366 annex F
    "eac3": ("ec-3",),  # ETSI TS 102 366 annex F
    "ac4": ("ac-4",),  # ETSI TS 103 190-2 annex E
    "opus": ("opus",),  # Opus in ISOBMFF
    "flac": ("flac",),  # FLAC in ISOBMFF
    "webvtt": ("wvtt",),  # ISO/IEC 14496-30
    "ttml": ("stpp",),  # ISO/IEC 14496-30
}
VIDEO_FAMILIES = ("avc", "hevc", "vvc", "dolby-vision", "av1", "vp9")
TEXT_FAMILIES = ("webvtt", "ttml")
VIDEO_FORMATS = tuple(start for name in VIDEO_FAMILIES for start in CODEC_FAMILIES[name])
TEXT_FORMATS = tuple(start for name in TEXT_FAMILIES for start in CODEC_FAMILIES[name])

# CHARACTERISTICS of a rendition (HLS 4.4.6.1) as the roles of DASH (ISO/IEC 23009-1 5.8.5.5).
CHARACTERISTICS: dict[str, str] = {
    "public.accessibility.describes-video": "description",
    "public.accessibility.transcribes-spoken-dialog": "caption",
    "public.accessibility.describes-music-and-sound": "caption",
    "public.easy-to-read": "easyreader",
    "public.accessibility.enhances-speech-intelligibility": "enhanced-audio-intelligibility",
}

# cicp TransferCharacteristics (ISO/IEC 23091-2 table 3) as VIDEO-RANGE (HLS 4.4.6.2).
TRANSFERS = {"16": "PQ", "18": "HLG", "14": "SDR", "1": "SDR", "6": "SDR"}

# cicp ChannelConfiguration (ISO/IEC 23091-3 table 6) as a number of channels.
CHANNELS = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 8, "9": 3, "10": 4, "11": 7}
CHANNELS |= {"12": 8, "13": 24, "14": 8, "15": 12, "16": 10, "17": 12, "18": 14, "19": 12}

# DRM systems (dashif.org/identifiers/content_protection) and their KEYFORMAT in HLS.
DRM_SYSTEMS: dict[str, tuple[str, ...]] = {
    "widevine": ("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", "com.widevine"),
    "playready": ("urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95", "com.microsoft.playready"),
    "fairplay": ("urn:uuid:94ce86fb-07ff-4f43-adb8-93d2fa968ca2", "com.apple.streamingkeydelivery"),
    "clearkey": ("urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e", "org.w3.clearkey"),
}

TRICK_MODES = ("http://dashif.org/guidelines/trickmode",)  # DASH-IF IOP 4.3 section 3.2.9
SET_SWITCHING = "urn:mpeg:dash:adaptation-set-switching:2016"  # 5.3.3.5
TRANSFER_SCHEME = "urn:mpeg:mpegB:cicp:TransferCharacteristics"  # ISO/IEC 23091-2
CHANNEL_COUNT_SCHEMES = ("urn:mpeg:dash:23003:3:audio_channel_configuration:2011",)  # 5.8.5.4
CHANNEL_SCHEMES = ("urn:mpeg:mpegB:cicp:ChannelConfiguration",)  # ISO/IEC 23091-3
ROLE_SCHEME = "urn:mpeg:dash:role:2011"  # 5.8.5.5

# What stands before an EssentialProperty in a set (5.3.7.3, RepresentationBaseType).
BEFORE_ESSENTIAL = frozenset(
    {"FramePacking", "AudioChannelConfiguration", "ContentProtection", "OutputProtection"}
)
