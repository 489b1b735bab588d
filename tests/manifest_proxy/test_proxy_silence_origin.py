"""Our own origin's manifests while an encoder is silent and back (MP-18; HLS-M8..M16, DASH-M1)."""

from pathlib import Path

import m3u8
import pytest
from lxml import etree
from origin_rigs.hls_rig import FIRST, GRID_S, Rig

from manifest_proxy.hls_slate import loop_of, told, unhurried, with_slate
from manifest_proxy.mpd_slate import told_mpd, with_slate_mpd
from manifest_proxy.outages import Channel
from origin.live.channel import AHEAD

NS = "{urn:mpeg:dash:schema:mpd:2011}"
PATIENCE = 3
CLIP = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + b'#EXT-X-MAP:URI="i.mp4"\n'
CLIP += b"".join(b"#EXTINF:2,\n%d.m4s\n" % n for n in range(4)) + b"#EXT-X-ENDLIST\n"
CLIP_MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT8S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""


class Viewer:
    """What one session is told of a track, and that it never contradicts itself."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, str]] = {}
        self.first = self.last = -1

    def told(self, text: str) -> None:
        read = m3u8.loads(text)
        breaks = read.discontinuity_sequence or 0
        assert read.media_sequence >= self.first
        self.first = read.media_sequence
        for at, segment in enumerate(read.segments):
            breaks += segment.discontinuity
            told_now = breaks, segment.uri or ""
            assert self.known.setdefault(self.first + at, told_now) == told_now
        assert max(self.known) == self.first + len(read.segments) - 1 >= self.last
        self.last = max(self.known)

    @property
    def slates(self) -> list[int]:
        return sorted(n for n, (_, uri) in self.known.items() if uri.startswith("/slate/"))


@pytest.mark.parametrize("silence_s", [9, 60])
def test_a_slate_while_an_encoder_is_silent(tmp_path: Path, silence_s: int) -> None:
    """Longer than the window too, where the origin has nothing but gaps and then stands still."""
    rig = Rig(tmp_path / "live")
    rig.begin()
    rig.play(FIRST, 12)
    channel, mpds = Channel(), Channel()
    viewers = {"v": Viewer(), "a": Viewer()}
    starts: dict[str, str] = {}

    def look() -> None:
        rig.channels.fill_gaps()
        for track, viewer in viewers.items():
            data = unhurried(rig.text(track).encode())
            facts = told(data)
            assert facts is not None
            loop = loop_of(CLIP, facts.period_ms)
            shown = channel.look(facts, round(1000 * rig.now_s), PATIENCE, loop)
            viewer.told(with_slate(data, CLIP, lambda uri: b"/slate/" + uri, shown).decode())
        mpd = bytes(rig.presentation.render("manifest.mpd").body)
        if (facts := told_mpd(mpd)) is not None:
            shown = mpds.look(facts, round(1000 * rig.now_s), PATIENCE, 1)
            out = etree.fromstring(with_slate_mpd(mpd, CLIP_MPD, b"/slate/", shown))
            for period in out.iter(f"{NS}Period"):
                assert starts.setdefault(period.get("id"), period.get("start")) == period.get(
                    "start"
                )

    look()
    last = viewers["v"].last
    for _ in range(silence_s):
        rig.now_s += 1
        look()
    missed = int(silence_s / GRID_S)
    assert viewers["v"].last == last + missed, "the edge follows the clock"
    back = last + 1 + missed
    for number in range(back, back + 14):
        rig.play(number, 1)
        look()
    video, audio = viewers["v"], viewers["a"]
    assert video.slates == audio.slates
    assert video.slates == list(range(last + 1, video.slates[-1] + 1))
    assert 0 <= video.slates[-1] + 1 - back <= AHEAD, "as late as the origin shows what came back"
    assert video.known[video.last][1] == f"{video.last}.m4s" and video.last == back + 13
    assert any(name.startswith("slate-") for name in starts)
    rig.channels.close()
