"""A small correct presentation on a clock of its own, served over loopback, to be broken.

One-second segments of five parts; time moves only when a client sleeps, blocks or waits for a part.
Its manifests are written here, not by the origin's writers.
"""

import gzip
import hashlib
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs

import imageio_ffmpeg
from aiohttp import web

from native.bmff import Splitter, parse_init

T0 = 1_800_000_000
WINDOW = 12
BREAK = T0 - WINDOW + 1  # the discontinuity that leaves the window while it is watched
PARTS = 5
PART_S = 0.2
RANGE_S = T0 - 4.5
TRACKS = ("v1", "v2", "a1")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Date, "
    "CMSD-Static, CMSD-Dynamic",
}
FOREVER = "public, max-age=1209600, immutable"
LL_PROFILE = "http://www.dashif.org/guidelines/low-latency-live-v5"


def iso(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


@dataclass(frozen=True)
class Film:
    """One track made once: the header and the five chunks of a second."""

    header: bytes
    chunks: tuple[bytes, ...]
    timescale: int

    def chunk(self, number: int, index: int) -> bytes:
        data = self.chunks[index]
        ticks = number * self.timescale + index * self.timescale // PARTS
        at, mfhd = data.index(b"tfdt") + 8, data.index(b"mfhd") + 8
        data = data[:at] + ticks.to_bytes(8, "big") + data[at + 8 :]
        sequence = (number * PARTS + index + 1) % (1 << 31)
        return data[:mfhd] + sequence.to_bytes(4, "big") + data[mfhd + 4 :]


def film(folder: Path, name: str, argv: list[str]) -> Film:
    path = folder / f"{name}.mp4"
    flags = ["-movflags", "cmaf+empty_moov+default_base_moof+skip_trailer+frag_discont"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *argv, "-t", "4", *flags]
    subprocess.run([*command, "-frag_duration", "200000", str(path)], check=True)
    units = Splitter().feed(path.read_bytes())
    chunks = tuple(u.data for u in units[1:] if u.kind == "chunk")
    track = parse_init(units[0].data).tracks[0]
    return Film(units[0].data, chunks[PARTS : 2 * PARTS], track.timescale)


@dataclass
class Reply:
    """An answer before conditions and ranges; `edits` may change anything."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode()


Edit = Callable[[str, dict[str, str], Reply], None]  # path, query, reply


class World:
    """`edits` change answers before their validators are made, `finals` after everything."""

    def __init__(self, films: dict[str, Film]) -> None:
        self.films = films
        self.now_s = T0 + 0.5
        self.edits: list[Edit] = []
        self.finals: list[Edit] = []

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    # -- what is there --------------------------------------------------------------------------
    @property
    def edge(self) -> tuple[int, int]:
        """The segment in progress and its parts."""
        number = int(self.now_s + 1e-6)
        return number, int((self.now_s - number) / PART_S + 1e-6)

    @property
    def first(self) -> int:
        return self.edge[0] - WINDOW

    def master(self) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
        media = 'TYPE=AUDIO,GROUP-ID="a",NAME="one",DEFAULT=YES,AUTOSELECT=YES,URI="a1/media.m3u8"'
        lines.append(f"#EXT-X-MEDIA:{media}")
        for name, rate in (("v1", 900000), ("v2", 500000)):
            codecs = 'CODECS="avc1.64000c,opus",RESOLUTION=128x72,AUDIO="a"'
            lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={rate},{codecs}", f"{name}/media.m3u8"]
        return "\n".join(lines) + "\n"

    def media(self, track: str, skip: int = 0) -> str:
        number, parts = self.edge
        lines = ["#EXTM3U", f"#EXT-X-VERSION:{9 if skip else 6}", "#EXT-X-TARGETDURATION:1"]
        control = "CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6.0,PART-HOLD-BACK=0.6"
        lines += [f"#EXT-X-SERVER-CONTROL:{control}", "#EXT-X-PART-INF:PART-TARGET=0.2"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{self.first}")
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{int(self.first > BREAK)}")
        lines.append(
            f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skip}" if skip else '#EXT-X-MAP:URI="init.mp4"'
        )
        lines.append(f'#EXT-X-DATERANGE:ID="x",START-DATE="{iso(RANGE_S)}",DURATION=2.000')
        for n in range(self.first + skip, number + 1):
            lines += ["#EXT-X-DISCONTINUITY"] if n == BREAK else []
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso(n)}")
            listed = parts if n == number else PARTS if n >= number - 2 else 0
            for p in range(listed):
                flag = ",INDEPENDENT=YES" if p == 0 or track == "a1" else ""
                lines.append(f'#EXT-X-PART:DURATION=0.200,URI="{n}.{p}.m4s"{flag}')
            lines += ["#EXTINF:1.000,", f"{n}.m4s"] if n < number else []
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{number}.{parts}.m4s"')
        for other in TRACKS:
            if other != track:
                report = f'URI="../{other}/media.m3u8",LAST-MSN={number},LAST-PART={parts - 1}'
                lines.append(
                    f"#EXT-X-RENDITION-REPORT:{report}" if parts else report_whole(other, number)
                )
        return "\n".join(lines) + "\n"

    def vod(self, first: int = 1) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:1"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", "#EXT-X-PLAYLIST-TYPE:VOD"]
        lines.append('#EXT-X-MAP:URI="init.mp4"')
        for n in range(first, first + 6):
            lines += ["#EXTINF:1.000,", f"{n}.m4s"]
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""])

    def mpd(self, at: int) -> str:
        sets = []
        for index, names in enumerate((("v1", "v2"), ("a1",)), 1):
            rows = []
            for name in names:
                scale = self.films[name].timescale
                lines = "".join(f'<S t="{n * scale}" d="{scale}"/>' for n in range(at - WINDOW, at))
                rows.append(
                    f'{representation(name)}<SegmentTemplate timescale="{scale}" '
                    f'startNumber="{at - WINDOW}" initialization="$RepresentationID$/init.mp4" '
                    f'media="$RepresentationID$/$Number$.m4s"><SegmentTimeline>{lines}'
                    "</SegmentTimeline></SegmentTemplate></Representation>"
                )
            sets.append(adaptation(index, names[0], "\n".join(rows)))
        head = dynamic(at, "urn:mpeg:dash:profile:isoff-live:2011", "PT1S")
        patch = f'<PatchLocation ttl="60">patch.mpp?from={at}</PatchLocation>'
        return document(head, [patch, period(sets), CLOCK])

    def ll_mpd(self) -> str:
        sets = []
        for index, names in enumerate((("v1", "v2"), ("a1",)), 1):
            rows = []
            for name in names:
                rows.append(
                    f'{representation(name)}<Resync type="1" dT="500000" marker="true"/>'
                    '<SegmentTemplate timescale="1000000" duration="1000000" startNumber="0" '
                    'availabilityTimeOffset="0.8" availabilityTimeComplete="false" '
                    'initialization="$RepresentationID$/init.mp4" '
                    'media="$RepresentationID$/$Number$.m4s"/></Representation>'
                )
            producer = (
                f'<ProducerReferenceTime id="{index}" type="encoder" wallClockTime="{iso(0)}" '
                f'presentationTime="0">{CLOCK}</ProducerReferenceTime>'
            )
            sets.append(adaptation(index, names[0], producer + "\n".join(rows)))
        head = dynamic(T0, f"urn:mpeg:dash:profile:isoff-live:2011,{LL_PROFILE}", "PT1S")
        service = (
            '<ServiceDescription id="0"><Latency target="3000" min="1000" max="6000"/>'
            '<PlaybackRate min="0.96" max="1.04"/></ServiceDescription>'
        )
        return document(head, [service, period(sets), CLOCK])

    def vod_mpd(self) -> str:
        scale = self.films["v1"].timescale
        row = (
            f'{representation("v1")}<SegmentTemplate timescale="{scale}" startNumber="1" '
            f'presentationTimeOffset="{scale}" initialization="v1/init.mp4" '
            f'media="v1/$Number$.m4s"><SegmentTimeline><S t="{scale}" d="{scale}" r="5"/>'
            "</SegmentTimeline></SegmentTemplate></Representation>"
        )
        head = (
            'type="static" mediaPresentationDuration="PT6S" minBufferTime="PT1S" '
            'profiles="urn:mpeg:dash:profile:isoff-live:2011"'
        )
        return document(head, [period([adaptation(1, "v1", row)])])

    def patch(self, old: int) -> str:
        at = int(self.now_s)
        operations = [f'<replace sel="/MPD/@publishTime">{iso(at)}</replace>']
        operations.append(
            f'<replace sel="/MPD/PatchLocation"><PatchLocation ttl="60">patch.mpp?from={at}'
            "</PatchLocation></replace>"
        )
        for index, names in enumerate((("v1", "v2"), ("a1",)), 1):
            for name in names:
                scale = self.films[name].timescale
                path = (
                    f"/MPD/Period[@id='p0']/AdaptationSet[@id='{index}']"
                    f"/Representation[@id='{name}']/SegmentTemplate"
                )
                new = "".join(f'<S t="{n * scale}" d="{scale}"/>' for n in range(old, at))
                start = f'<replace sel="{path}/@startNumber">{at - WINDOW}</replace>'
                remove = f'<remove sel="{path}/SegmentTimeline/S[1]"/>' * (at - old)
                add = f'<add sel="{path}/SegmentTimeline">{new}</add>'
                operations += [start, remove, add if new else ""]
        return (
            '<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="w" '
            f'originalPublishTime="{iso(old)}" publishTime="{iso(at)}">'
            + "".join(operations)
            + "</Patch>"
        )

    # -- answers --------------------------------------------------------------------------------
    def reply(self, path: str, query: dict[str, str]) -> Reply:
        steps = path.strip("/").split("/")
        match steps:
            case ["time"]:
                return text(iso(self.now_s), "text/plain", "no-store")
            case ["live", "master.m3u8"] | ["vod", "master.m3u8"]:
                return text(self.master(), "application/vnd.apple.mpegurl", "max-age=1")
            case ["live", track, "media.m3u8"]:
                return self.directed(track, query)
            case ["vod", _, "media.m3u8"]:
                return text(self.vod(), "application/vnd.apple.mpegurl", "max-age=60")
            case ["live", "manifest.mpd"]:
                return text(self.mpd(int(self.now_s)), "application/dash+xml", "max-age=1")
            case ["live", "ll.mpd"]:
                return text(self.ll_mpd(), "application/dash+xml", "max-age=1")
            case ["vod", "manifest.mpd"]:
                return text(self.vod_mpd(), "application/dash+xml", "max-age=60")
            case ["live", "patch.mpp"]:
                patch = self.patch(int(query["from"]))
                return text(patch, "application/dash-patch+xml", "max-age=1")
            case [_, track, "init.mp4"] if track in self.films:
                return media(self.films[track].header)
            case ["live" | "vod", track, leaf] if track in self.films:
                return self.leaf(steps[0], track, leaf)
        return refusal(404, "max-age=60")

    def directed(self, track: str, query: dict[str, str]) -> Reply:
        known = {k: v for k, v in query.items() if k in ("_HLS_msn", "_HLS_part")}
        if "_HLS_part" in known and "_HLS_msn" not in known:
            return refusal(400, "max-age=4")
        if known:
            number = int(known["_HLS_msn"])
            if number > self.edge[0] + 1:
                return refusal(400, "max-age=4")
            part = int(known["_HLS_part"]) + 1 if "_HLS_part" in known else PARTS
            self.now_s = max(self.now_s, number + part * PART_S + 0.01)
        skip = WINDOW - 6 if query.get("_HLS_skip") in ("YES", "v2") else 0
        return text(self.media(track, skip), "application/vnd.apple.mpegurl", "max-age=1")

    def leaf(self, kind: str, track: str, leaf: str) -> Reply:
        found = re.fullmatch(r"(\d+)(?:\.(\d+))?\.m4s", leaf)
        if found is None:
            return refusal(404, "max-age=60")
        number, part = int(found[1]), int(found[2]) if found[2] else None
        if kind == "live":
            if number < self.first - WINDOW:
                return refusal(410, "max-age=60")
            if number > self.edge[0] + 1:
                return refusal(404, "max-age=1")
            end = number + (part + 1) * PART_S if part is not None else number + PART_S
            self.now_s = max(self.now_s, end + 0.01)
        pieces = range(PARTS) if part is None else [part]
        return media(b"".join(self.films[track].chunk(number, p) for p in pieces))

    async def handle(self, request: web.Request) -> web.Response:
        query = {k: v[0] for k, v in parse_qs(request.query_string).items()}
        reply = self.reply(request.path, query)
        for edit in self.edits:
            edit(request.path, query, reply)
        if reply.status == 200:
            self.validated(request, reply)
        for edit in self.finals:
            edit(request.path, query | {"method": request.method, **request.headers}, reply)
        response = web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        if reply.headers.get("Connection") == "close":
            response.force_close()
        return response

    def validated(self, request: web.Request, reply: Reply) -> None:
        tag = '"' + hashlib.sha256(reply.body).hexdigest()[:16]
        kind = reply.headers["Content-Type"]
        coded = "mpegurl" in kind or "dash" in kind
        if coded and "gzip" in request.headers.get("Accept-Encoding", ""):
            reply.headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            reply.body = gzip.compress(reply.body, 1, mtime=0)
            tag += "-gzip"
        date = formatdate(int(self.now_s) if "live" in request.path else T0, usegmt=True)
        reply.headers |= CORS | {"ETag": tag + '"', "Last-Modified": date}
        sent = request.headers
        if "If-None-Match" in sent:
            current = sent["If-None-Match"] == reply.headers["ETag"]
        else:
            current = sent.get("If-Modified-Since") == date
        if current:
            reply.status, reply.body = 304, b""
            reply.headers.pop("Content-Encoding", None)
        elif "Range" in sent and not coded:
            self.ranged(sent["Range"], reply)

    def ranged(self, value: str, reply: Reply) -> None:
        first, _, last = value.removeprefix("bytes=").partition("-")
        size = len(reply.body)
        low = int(first) if first else size - int(last)
        high = min(int(last), size - 1) if first and last else size - 1
        if low >= size:
            reply.status, reply.body = 416, b""
            reply.headers |= {"Content-Range": f"bytes */{size}"}
        else:
            reply.status, reply.body = 206, reply.body[low : high + 1]
            reply.headers |= {"Content-Range": f"bytes {low}-{high}/{size}"}


CLOCK = '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>'


def report_whole(other: str, number: int) -> str:
    return f'#EXT-X-RENDITION-REPORT:URI="../{other}/media.m3u8",LAST-MSN={number - 1}'


def text(body: str, kind: str, control: str) -> Reply:
    headers = {"Content-Type": kind, "Cache-Control": control}
    return Reply(200, body.encode(), headers)


def media(body: bytes) -> Reply:
    return Reply(200, body, {"Content-Type": "video/mp4", "Cache-Control": FOREVER})


def refusal(status: int, control: str) -> Reply:
    return Reply(status, b"{}", {"Content-Type": "application/json", "Cache-Control": control})


def representation(name: str) -> str:
    video = ' width="128" height="72" frameRate="25"' if name[0] == "v" else ""
    codecs = "avc1.64000c" if name[0] == "v" else "opus"
    return f'<Representation id="{name}" bandwidth="900000" codecs="{codecs}"{video}>'


def adaptation(index: int, name: str, inner: str) -> str:
    kind = "video" if name[0] == "v" else "audio"
    return (
        f'<AdaptationSet id="{index}" contentType="{kind}" mimeType="{kind}/mp4" lang="en" '
        f'segmentAlignment="true">\n{inner}\n</AdaptationSet>'
    )


def period(sets: list[str]) -> str:
    return "\n".join(['<Period id="p0" start="PT0S">', *sets, "</Period>"])


def dynamic(at: int, profiles: str, update: str) -> str:
    return (
        f'id="w" type="dynamic" profiles="{profiles}" availabilityStartTime="1970-01-01T00:00:00Z" '
        f'publishTime="{iso(at)}" minimumUpdatePeriod="{update}" timeShiftBufferDepth="PT12S" '
        'suggestedPresentationDelay="PT3S" maxSegmentDuration="PT1S" minBufferTime="PT1S"'
    )


def document(head: str, children: list[str]) -> str:
    inner = "\n".join(children)
    return f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {head}>\n{inner}\n</MPD>\n'
