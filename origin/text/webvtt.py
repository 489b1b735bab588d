"""Sidecar WebVTT segments for HLS (W3C WebVTT; draft-pantos-hls-rfc8216bis-22, 3.1.4).

Cue times are media times within the current turn of the 33-bit MPEG clock, so the map line is the
same in every segment, and so is a cue wherever it is repeated (TR-80..TR-83): players take the turn
that lies nearest to the media they play.
"""

from collections.abc import Sequence

from origin.text.wvtt import Cue

CONTENT_TYPE = "text/vtt"
TIMESTAMP_MAP = "X-TIMESTAMP-MAP=MPEGTS:{},LOCAL:00:00:00.000"
CLOCK = 90_000
TURN = 1 << 33  # ticks of CLOCK


def segment(header: str, cues: Sequence[Cue], timescale: int, start: int, mpegts: int = 0) -> bytes:
    """One segment that begins at `start` (ticks); without cues it is header and map alone (TR-84).
    `mpegts` is what the clock of the media beside it shows at time 0 (TR-82).

    A cue that was going on when the segment began carries no id: players take an id they know for
    a repeat, and this is the rest of a cue whose first part had it.
    """
    first, _, rest = header.partition("\n")
    blocks = [f"{first}\n{TIMESTAMP_MAP.format(mpegts)}"]
    blocks += [rest.strip("\n")] if rest.strip() else []
    blocks += [_block(cue, timescale, start) for cue in cues if cue.end > cue.start]
    return ("\n\n".join(blocks) + "\n").encode()


def whole(header: str, cues: Sequence[Cue], timescale: int) -> bytes:
    """A file of its own, for whoever reads subtitles at once (TR-93)."""
    blocks = [header.strip("\n"), *(_block(cue, timescale, -1) for cue in cues)]
    return ("\n\n".join(blocks) + "\n").encode()


def _block(cue: Cue, timescale: int, start: int) -> str:
    settings = _line(cue.settings)
    begins, ends = _times(cue, timescale)
    lines = [_line(cue.id)] if cue.id.strip() and cue.start > start else []
    lines.append(f"{begins} --> {ends}{f' {settings}' if settings else ''}")
    lines += [line for line in _escaped(cue.text).splitlines() if line.strip()]
    return "\n".join(lines)


def _times(cue: Cue, timescale: int) -> tuple[str, str]:
    """Start and end in the turn that the cue begins in."""
    turns = cue.start * CLOCK // timescale // TURN
    return tuple(  # type: ignore[return-value]
        _clock((ticks * CLOCK - turns * TURN * timescale) * 1000 // (timescale * CLOCK))
        for ticks in (cue.start, cue.end)
    )


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def _line(text: str) -> str:
    return " ".join(_escaped(text).split())


def _escaped(text: str) -> str:
    return text.replace("\0", "\ufffd").replace("-->", "--&gt;")
