"""The tables of HLS: its tags, and every place where a playlist keeps a URI.

Source: draft-pantos-hls-rfc8216bis-22; HLS-M2.
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

# Attributes whose value is a URI that a player fetches (HLS-M2).
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

# Attributes whose URI stays relative to the playlist that holds it (HLS-33, HLS-M23).
RELATIVE_ATTRIBUTES: dict[bytes, tuple[bytes, ...]] = {
    b"EXT-X-RENDITION-REPORT": (b"URI",),  # 4.4.5.4
}

LETTERS_AND_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ATTRIBUTE_NAME = LETTERS_AND_DIGITS + b"-_."  # 4.2 has A-Z 0-9 and `-`, vendors write more
UNRESERVED = LETTERS_AND_DIGITS + b"-._~"  # RFC 3986 section 2.3
