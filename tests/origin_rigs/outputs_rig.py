"""What every manifest of a title makes a player fetch, put together: a file for each track."""

import asyncio
import re
import xml.etree.ElementTree as ET
from collections.abc import Awaitable
from dataclasses import dataclass

from native.http import Answer, Entity, Request
from origin.vod import Library

DASH = "{urn:mpeg:dash:schema:mpd:2011}"


@dataclass(frozen=True)
class Output:
    """A track as one manifest gives it: header, media, and when its segments start and how long
    they last by the manifest, in ticks (none for HLS and SegmentBase)."""

    init: bytes
    media: list[bytes]
    times: list[tuple[int, int]]

    @property
    def file(self) -> bytes:
        return self.init + b"".join(self.media)


async def _awaited(answer: Awaitable[Answer]) -> Answer:
    return await answer


class Title:
    """One title of a library, asked as a player asks."""

    def __init__(self, library: Library, name: str = "film", scheme: str = "") -> None:
        self._library = library
        self._name = name
        self._prefix = f"{scheme}/" if scheme else ""

    def get(self, leaf: str, span: tuple[int, int] | None = None) -> bytes:
        section = b""
        if span:
            section = f"Range: bytes={span[0]}-{span[1]}\r\n".encode()
        request = Request("GET", "/", section=section)
        answer = self._library.answer(self._name, self._prefix + leaf, "", request)
        if isinstance(answer, Awaitable):
            answer = asyncio.run(_awaited(answer))
        assert isinstance(answer, Entity), (leaf, answer)
        assert answer.status == (206 if span else 200)
        return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)

    def playlists(self, master: str) -> dict[str, str]:
        """Media playlists of a multivariant one, by track; text is left out."""
        text = self.get(master).decode()
        leaves = re.findall(r'^#EXT-X-MEDIA:TYPE=AUDIO.*URI="([^"]+)"', text, re.M)
        leaves += [line for line in text.splitlines() if line and line[0] != "#"]
        return {leaf.partition("/")[0]: self.get(leaf).decode() for leaf in leaves}

    def segmented(self) -> dict[str, Output]:
        """HLS with an object for each segment."""
        found = {}
        for track, text in self.playlists("master.m3u8").items():
            header = re.search(r'EXT-X-MAP:URI="([^"]+)"', text)
            assert header
            media = [self.get(f"{track}/{leaf}") for leaf in re.findall(r"^[^#\n]+", text, re.M)]
            found[track] = Output(self.get(f"{track}/{header[1]}"), media, [])
        return found

    def addressed(self) -> dict[str, Output]:
        """HLS with ranges of one file (TR-113)."""
        found = {}
        for track, text in self.playlists("bytes.m3u8").items():
            header = re.search(r'EXT-X-MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"', text)
            assert header
            ranges = re.findall(r"^#EXT-X-BYTERANGE:(\d+)@(\d+)\n([^#\n]+)", text, re.M)
            init = self.get(f"{track}/{header[1]}", (int(header[3]), int(header[2]) - 1))
            media = [
                self.get(f"{track}/{leaf}", (int(at), int(at) + int(size) - 1))
                for size, at, leaf in ranges
            ]
            found[track] = Output(init, media, [])
        return found

    def transported(self) -> dict[str, bytes]:
        """HLS with transport packets."""
        return {
            track: b"".join(self.get(f"{track}/{x}") for x in re.findall(r"^[^#\n]+", text, re.M))
            for track, text in self.playlists("ts.m3u8").items()
        }

    def representations(self, manifest: str) -> list[tuple[ET.Element, ET.Element]]:
        """Sets of pictures and sound with their representations, the trick set left out."""
        root = ET.fromstring(self.get(manifest))
        return [
            (sets, representation)
            for sets in root.iter(f"{DASH}AdaptationSet")
            for representation in sets.iter(f"{DASH}Representation")
            if sets.attrib["contentType"] in ("video", "audio")
            and sets.find(f"{DASH}EssentialProperty") is None
        ]

    def timeline(self) -> dict[str, Output]:
        """DASH: objects by $Number$, times by SegmentTimeline."""
        found = {}
        for _, representation in self.representations("manifest.mpd"):
            template = representation.find(f"{DASH}SegmentTemplate")
            assert template is not None
            track, number = representation.attrib["id"], int(template.attrib["startNumber"])
            times: list[tuple[int, int]] = []
            for s in template.iter(f"{DASH}S"):
                at, length = int(s.attrib.get("t", -1)), int(s.attrib["d"])
                for _ in range(int(s.attrib.get("r", 0)) + 1):
                    times.append((sum(times[-1]) if at < 0 else at, length))
                    at = -1
            pattern = template.attrib["media"].replace("$RepresentationID$", track)
            media = [
                self.get(pattern.replace("$Number$", str(number + k))) for k in range(len(times))
            ]
            header = template.attrib["initialization"].replace("$RepresentationID$", track)
            found[track] = Output(self.get(header), media, times)
        return found

    def on_demand(self) -> dict[str, Output]:
        """DASH: one file for each track, whose sidx tells the segments (TR-111, TR-112)."""
        found = {}
        for _, representation in self.representations("ondemand.mpd"):
            url = representation.find(f"{DASH}BaseURL")
            base = representation.find(f"{DASH}SegmentBase")
            header = representation.find(f"{DASH}SegmentBase/{DASH}Initialization")
            assert url is not None and url.text and base is not None and header is not None
            spans = [x.split("-") for x in (header.attrib["range"], base.attrib["indexRange"])]
            init, index = (self.get(url.text, (int(a), int(b))) for a, b in spans)
            assert index[4:8] == b"sidx" and int.from_bytes(index[:4], "big") == len(index)
            at, time = int(spans[1][1]) + 1, int.from_bytes(index[20:28], "big")
            media, times = [], []
            for row in range(40, len(index), 12):
                size, length = (int.from_bytes(index[k : k + 4], "big") for k in (row, row + 4))
                media.append(self.get(url.text, (at, at + size - 1)))
                times.append((time, length))
                at, time = at + size, time + length
            found[representation.attrib["id"]] = Output(init, media, times)
        return found
