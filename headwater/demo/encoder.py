"""The demo's encoder: an ffmpeg command line that pushes a live test pattern as CMAF.

Three video rungs and one audio track, each one endless chunked PUT (DASH-IF ingest interface 1).
The clock of the media is the wall clock: decode times count from 1970-01-01, and segments start at
multiples of `SEGMENT_S` (AB1), so that an encoder that dies comes back on the same grid.

A person reads the burned-in UTC clock; a program reads the bar code below it: a white cell, then
`CLOCK_BITS` cells with the frame count since 1970 (most significant first, white = 1), then a black
cell, each `1 / (CLOCK_BITS + 2)` of the picture's width, along its lower edge.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

FPS = 25
SEGMENT_S = Fraction(48, 25)  # 48 frames, and exactly 90 AAC frames of 1024 samples at 48 kHz
CLOCK_BITS = 20  # the count wraps after 2**20 frames, about 11.6 hours
CHUNK_S = Fraction(8, 25)  # 8 frames, and exactly 15 AAC frames: the parts of low latency
PACE = ("-readrate", "1", "-readrate_initial_burst", "0.001")  # 0 means half a second
SPIN_UP_S = 0.25  # from starting ffmpeg to its first frame


@dataclass(frozen=True)
class Rung:
    """One video track of the ladder; the audio stands in `AUDIO_KBPS`."""

    name: str
    width: int
    height: int
    kbps: int


LADDER = (
    Rung("v540", 960, 540, 1600),
    Rung("v360", 640, 360, 800),
    Rung("v234", 416, 234, 350),
)
AUDIO_NAME = "a48"
AUDIO_KBPS = 96


@dataclass(frozen=True)
class Launch:
    """When to start the encoder, and how: wait `delay_s`, then run `argv`."""

    delay_s: float
    argv: tuple[str, ...]


def launch(ffmpeg: str, ingest_url: str, font: str, now_s: float) -> Launch:
    """The encoder for the next segment boundary after `now_s` (epoch seconds).

    `ingest_url` is the channel's publishing point, for example `http://127.0.0.1:8002/ingest/demo`.
    """
    segment = ceil(Fraction(now_s + SPIN_UP_S) / SEGMENT_S)
    start_s = segment * SEGMENT_S
    first_frame = int(start_s * FPS)
    argv = [ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin"]
    argv += [*PACE, "-f", "lavfi", "-i", f"testsrc2=size={_size(LADDER[0])}:rate={FPS}"]
    argv += [*PACE, "-f", "lavfi", "-i", "sine=frequency=440:beep_factor=2:sample_rate=48000"]
    argv += ["-filter_complex", _filters(font, first_frame)]
    offset = ["-output_ts_offset", f"{float(start_s):.2f}"]
    for rung in LADDER:
        argv += [
            "-map",
            f"[{rung.name}]",
            *_video(rung),
            *offset,
            *_push(ingest_url, rung.name, "v"),
        ]
    argv += ["-map", f"[{AUDIO_NAME}]", "-c:a", "aac", "-b:a", f"{AUDIO_KBPS}k", *offset]
    argv += ["-metadata:s:a:0", "language=eng", *_push(ingest_url, AUDIO_NAME, "a")]
    return Launch(float(start_s) - SPIN_UP_S - now_s, tuple(argv))


def latency_s(clock: int, now_s: float) -> float:
    """Age in seconds of a frame whose bar code says `clock`, seen at `now_s` (epoch seconds)."""
    span = 1 << CLOCK_BITS
    behind = (now_s * FPS - clock) % span
    return (behind if behind < span / 2 else behind - span) / FPS


def _size(rung: Rung) -> str:
    return f"{rung.width}x{rung.height}"


def _video(rung: Rung) -> list[str]:
    gop = int(SEGMENT_S * FPS)
    return [
        *("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"),
        *("-b:v", f"{rung.kbps}k", "-maxrate", f"{rung.kbps}k", "-bufsize", f"{rung.kbps}k"),
        *("-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0"),
    ]


def _push(ingest_url: str, name: str, media: str) -> list[str]:
    """One CMAF track to its own endless request; frag_discont keeps the epoch in tfdt."""
    return [
        *("-f", "mp4", "-movflags", "+cmaf+frag_discont+skip_trailer"),
        *("-frag_duration", str(int(CHUNK_S * 1_000_000)), "-flush_packets", "1"),
        *("-method", "PUT", f"{ingest_url}/Streams({name}.cmf{media})"),
    ]


def _filters(font: str, first_frame: int) -> str:
    top = LADDER[0]
    cell = top.width / (CLOCK_BITS + 2)
    chain = [
        _text(font, r"%{gmtime\:%H\\\:%M\\\:%S.%2N} UTC", 58, "(w-tw)/2", 36),
        "drawbox=x=0:y=ih-26:w=iw:h=26:color=black:t=fill",
        f"drawbox=x=0:y=ih-26:w={cell:.0f}:h=26:color=white:t=fill",
    ]
    for position in range(CLOCK_BITS):
        weight = 1 << (CLOCK_BITS - 1 - position)
        left, right = round(cell * (position + 1)), round(cell * (position + 2))
        chain.append(
            f"drawbox=x={left}:y=ih-26:w={right - left}:h=26:color=white:t=fill"
            f":enable='mod(floor((n+{first_frame % (1 << CLOCK_BITS)})/{weight})\\,2)'"
        )
    rungs = "".join(f"[s{rung.name}]" for rung in LADDER)
    graph = [f"[0:v]{','.join(chain)},split={len(LADDER)}{rungs}"]
    for rung in LADDER:
        label = _text(font, f"{rung.height}p  {rung.kbps} kb/s", rung.height // 22, 12, "h*0.86")
        graph.append(f"[s{rung.name}]scale={rung.width}:{rung.height},{label}[{rung.name}]")
    # The encoder delays AAC by one frame; moved by as much, its packets start on the grid too.
    graph.append(f"[1:a]asetpts=PTS+1024[{AUDIO_NAME}]")
    return ";".join(graph)


def _text(font: str, text: str, size: int, x: int | str, y: int | str) -> str:
    style = "fontcolor=white:box=1:boxcolor=black@0.65:boxborderw=8"
    return f"drawtext=fontfile='{font}':text='{text}':fontsize={size}:x={x}:y={y}:{style}"
