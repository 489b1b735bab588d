"""Media playlists of other shapes: byte ranges of one file, and MPEG-TS for old devices.

draft-pantos-hls-rfc8216bis-22, 4.4.4.2 and 4.4.4.5; rules TR-105 and TR-113 of specs/tracks.md.
"""

from collections.abc import Sequence

from origin.hls.forms import Form
from origin.hls.media import media_playlist, segment_lines
from origin.hls.multivariant import display_size, subtitle_lines
from origin.tracks import Rendition, Segment

OVERHEAD = 108  # percent of the elementary streams that packets of 188 bytes take at most (TR-67)
TRANSPORT = Form(".ts", (), leaf="ts.m3u8", version=3)
TRANSPORT_FRAMES = Form(
    ".i.ts", ("#EXT-X-I-FRAMES-ONLY",), leaf="ts.iframe.m3u8", version=4
)  # TR-94, TR-97
TRANSPORT_TEXT = Form(".ts.vtt", (), leaf="ts.m3u8", version=3)


def byte_playlist(
    segments: Sequence[Segment],
    file: str,
    header_bytes: int,
    starts: Sequence[int],
    *,
    timescale: int,
    target_duration_s: int,
    epoch_s: int | None = None,
    dated: Sequence[str] = (),
) -> str:
    """A VOD playlist of ranges of one file, whose first `header_bytes` are the map; segments begin
    at the bytes `starts`.
    """
    head = (f'#EXT-X-MAP:URI="{file}",BYTERANGE="{header_bytes}@0"',)
    whole = media_playlist(
        (),
        timescale=timescale,
        target_duration_s=target_duration_s,
        playlist_type="VOD",
        form=Form("", head),
        dated=dated,
    )
    first = segments[0].number if segments else 0
    lines = [whole.replace("MEDIA-SEQUENCE:0", f"MEDIA-SEQUENCE:{first}").rstrip("\n")]
    for segment, start in zip(segments, starts, strict=True):
        block, _, _ = segment_lines(segment, timescale, epoch_s).rpartition("\n")
        lines += [block, f"#EXT-X-BYTERANGE:{segment.size_bytes}@{start}", file]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def transport_multivariant(
    video: Sequence[Rendition],
    audio: Sequence[Rendition],
    default: Rendition | None,
    text: Sequence[Rendition] = (),
    trick: Rendition | None = None,
) -> str:
    """Variants in which each segment holds a picture track and the default sound; other sounds are
    renditions of their own. Without pictures each sound is a variant. `trick`: I frames.
    """
    others = [r for r in audio if r is not default] if video else []
    text = text if video else ()
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{4 if others or text or trick else 3}"]
    for r in ([default] if default and others else []) + others:
        attributes = ["TYPE=AUDIO", 'GROUP-ID="audio"', f'NAME="{r.label or r.name}"']
        attributes += [f'LANGUAGE="{r.language}"'] if r.language != "und" else []
        attributes += ["DEFAULT=YES"] if r is default else []
        attributes += ["AUTOSELECT=YES"]
        attributes += [] if r is default else [f'URI="{r.name}/{TRANSPORT.leaf}"']
        lines.append(f"#EXT-X-MEDIA:{','.join(attributes)}")
    lines += subtitle_lines(text, TRANSPORT_TEXT.leaf)
    for main in video or audio:
        beside = [default] if default and video else []
        peak = -(-OVERHEAD * (main.bandwidth + sum(r.bandwidth for r in beside)) // 100)
        codecs = ",".join(dict.fromkeys(r.codecs for r in [main, *beside]))
        attributes = [f"BANDWIDTH={max(peak, 1)}", f'CODECS="{codecs}"']
        if main.kind == "video":
            width, height = display_size(main)
            attributes.append(f"RESOLUTION={width}x{height}")
        attributes += ['AUDIO="audio"'] if others else []
        attributes += ['SUBTITLES="text"'] if text else []
        lines += [f"#EXT-X-STREAM-INF:{','.join(attributes)}", f"{main.name}/{TRANSPORT.leaf}"]
    if trick is not None:
        width, height = display_size(trick)
        attributes = [f"BANDWIDTH={max(-(-OVERHEAD * trick.bandwidth // 100), 1)}"]
        attributes += [f'CODECS="{trick.codecs}"', f"RESOLUTION={width}x{height}"]
        attributes.append(f'URI="{trick.folder}/{TRANSPORT_FRAMES.leaf}"')
        lines.append(f"#EXT-X-I-FRAME-STREAM-INF:{','.join(attributes)}")
    return "\n".join(lines) + "\n"
