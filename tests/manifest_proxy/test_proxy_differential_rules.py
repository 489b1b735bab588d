"""Random masters, ladders and rules: what hls-parser and mpd-parser find behind our filters is what
a slow reading of the rule keeps (MP-1, HLS-M27..M31, DASH-M2, M11, M12); the same rules over the
shared corpus keep every variant whole.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from proxy_rigs.corpus import BASE, files, needed
from proxy_rigs.readers import Model, Readers, readers

from manifest_proxy.errors import FilterError
from manifest_proxy.hls_stages import staged
from manifest_proxy.mpd_filter import filtered_mpd
from manifest_proxy.rulebook import Ruleset
from manifest_proxy.rules import read_rules
from native.hls import PlaylistError

ROUNDS = 150
LANGUAGES = ("de", "en", "en-GB", "fr", "pt-BR")


@pytest.fixture(scope="module")
def foreign() -> Iterator[Readers]:
    with readers() as found:
        yield found


@dataclass(frozen=True)
class Rung:
    bandwidth: int
    height: int
    rate: int
    group: str

    @property
    def uri(self) -> str:
        return f"v{self.bandwidth}.m3u8"


@dataclass(frozen=True)
class Title:
    rungs: tuple[Rung, ...]
    audio: tuple[str, ...]  # languages, the same in every group
    subtitles: tuple[str, ...]

    def hls(self) -> bytes:
        lines = ["#EXTM3U"]
        for group in ("lo", "hi"):
            for at, language in enumerate(self.audio):
                default = "YES" if not at else "NO"
                lines.append(
                    f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="{language}",AUTOSELECT=YES,'
                    f'LANGUAGE="{language}",DEFAULT={default},URI="{group}/{language}.m3u8"'
                )
        lines += [
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="{one}",LANGUAGE="{one}",URI="s/{one}"'
            for one in self.subtitles
        ]
        subtitles = ',SUBTITLES="s"' if self.subtitles else ""
        for rung in self.rungs:
            lines += [
                f"#EXT-X-STREAM-INF:BANDWIDTH={rung.bandwidth},RESOLUTION=1x{rung.height},"
                f'FRAME-RATE={rung.rate}.000,CODECS="avc1.640028,mp4a.40.2",AUDIO="{rung.group}"'
                + subtitles,
                rung.uri,
            ]
        return "\n".join(lines).encode() + b"\n"

    def mpd(self) -> bytes:
        template = '<SegmentTemplate media="$RepresentationID$" duration="1"/>'
        rungs = "".join(
            f'<Representation id="{r.bandwidth}" bandwidth="{r.bandwidth}" width="1"'
            f' height="{r.height}" frameRate="{r.rate}" codecs="avc1.640028"/>'
            for r in self.rungs
        )
        sets = [f'<AdaptationSet id="v" mimeType="video/mp4">{template}{rungs}</AdaptationSet>']
        for kind, mime, languages in (
            ("a", "audio/mp4", self.audio),
            ("s", "text/vtt", self.subtitles),
        ):
            sets += [
                f'<AdaptationSet id="{kind}{one}" mimeType="{mime}" lang="{one}">{template}'
                f'<Representation id="{kind}{one}" bandwidth="9" codecs="mp4a.40.2"/>'
                "</AdaptationSet>"
                for one in languages
            ]
        head = 'xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT2S"'
        return f'<MPD {head}><Period id="p">{"".join(sets)}</Period></MPD>'.encode()


@dataclass(frozen=True)
class Wish:
    """A rule and its plain meaning; None asks for nothing."""

    bandwidth: tuple[int, int] | None
    height: tuple[int, int] | None
    rate: tuple[int, int] | None
    audio: tuple[str, ...] | None
    subtitles: tuple[str, ...] | None

    def rules(self) -> Ruleset:
        spans = (
            ("bandwidth", self.bandwidth),
            ("height", self.height),
            ("frame_rate", self.rate),
        )
        video = ", ".join(f'{name} = "{low}..{high}"' for name, (low, high) in filter(_told, spans))
        text = f'[[rules]]\nname = "r"\nempty = "refuse"\nvideo = {{ {video} }}\n'
        for name, languages in (("audio", self.audio), ("subtitles", self.subtitles)):
            if languages is not None:
                text += f"{name} = {{ languages = {list(languages)} }}\n".replace("'", '"')
        return read_rules(text.encode(), toml=True, tokenised=False).rulesets[0]

    def keeps(self, rung: Rung) -> bool:
        wanted = (
            (self.bandwidth, rung.bandwidth),
            (self.height, rung.height),
            (self.rate, rung.rate),
        )
        return all(span is None or span[0] <= value <= span[1] for span, value in wanted)

    def speaks(self, language: str, wanted: tuple[str, ...] | None) -> bool:
        """A range of RFC 4647 section 3.3.1: `en` means every English."""
        return wanted is None or any(f"{language}-".startswith(f"{one}-") for one in wanted)


def _told(span: tuple[str, object]) -> bool:
    return span[1] is not None


def drawn(seed: int) -> tuple[Title, Wish]:
    draw = random.Random(seed)
    bandwidths = sorted(draw.sample(range(1, 90), draw.randint(1, 6)))
    heights = (180, 360, 720, 1080)
    rungs = tuple(
        Rung(b, draw.choice(heights), draw.choice((25, 50)), draw.choice(("lo", "hi")))
        for b in bandwidths
    )
    title = Title(
        rungs,
        tuple(draw.sample(LANGUAGES, draw.randint(1, 4))),
        tuple(draw.sample(LANGUAGES, draw.randint(0, 3))),
    )
    spans = [
        tuple(sorted(draw.choices(values, k=2))) if draw.random() < 0.5 else None
        for values in (range(90), heights, (25, 50))
    ]
    languages = [
        tuple(draw.sample(("de", "en", "fr", "pt", "en-GB"), 2)) if draw.random() < 0.5 else None
        for _ in range(2)
    ]
    return title, Wish(*spans, *languages)  # type: ignore[arg-type]


def test_hls_parser_finds_what_the_rule_keeps(foreign: Readers) -> None:
    played = 0
    for seed in range(ROUNDS):
        title, wish = drawn(seed)
        rungs = [rung for rung in title.rungs if wish.keeps(rung)]
        audio = [one for one in title.audio if wish.speaks(one, wish.audio)]
        text = [one for one in title.subtitles if wish.speaks(one, wish.subtitles)]
        if not rungs or not audio:
            with pytest.raises(FilterError, match="filter_empty"):
                staged(title.hls(), wish.rules())
            continue
        model = foreign.hls(staged(title.hls(), wish.rules()), BASE)["hls-parser"]
        found = [
            (one["uri"], languages(one, "audio"), languages(one, "subtitles"))
            for one in model["variants"]
        ]
        assert found == [(rung.uri, audio, text) for rung in rungs], seed
        for one in model["variants"]:
            assert sum(each["isDefault"] for each in one["audio"]) == 1, seed
        played += 1
    assert ROUNDS // 3 < played < ROUNDS


def languages(variant: Model, kind: str) -> list[str]:
    return [one["language"] for one in variant[kind]]


def test_mpd_parser_finds_what_the_rule_keeps(foreign: Readers) -> None:
    played = 0
    for seed in range(ROUNDS):
        title, wish = drawn(seed)
        rungs = [rung for rung in title.rungs if wish.keeps(rung)]
        audio = {one for one in title.audio if wish.speaks(one, wish.audio)}
        if not rungs or not audio:
            with pytest.raises(FilterError, match="filter_empty"):
                filtered_mpd(title.mpd(), wish.rules())
            continue
        model = foreign.dash(filtered_mpd(title.mpd(), wish.rules()), BASE)
        names = [one["attributes"]["NAME"] for one in model["playlists"]]
        assert names == [str(rung.bandwidth) for rung in rungs], seed
        groups = model["mediaGroups"]["AUDIO"]["audio"].values()
        assert {one["language"] for one in groups} == audio, seed
        played += 1
    assert ROUNDS // 3 < played < ROUNDS


@needed
def test_random_rules_leave_the_corpus_whole(foreign: Readers) -> None:
    """A filter takes variants away; hls-parser reads what stays as it read it before."""
    read = 0
    for name, data in files("hls"):
        if b"#EXT-X-STREAM-INF" not in data:
            continue
        before = foreign.hls(data, BASE)["hls-parser"]
        if "error" in before:
            continue
        whole = [rung(one) for one in before["variants"]]
        for seed in range(2):
            try:
                out = staged(data, drawn(seed)[1].rules())
            except (FilterError, PlaylistError):
                continue
            after = foreign.hls(out, BASE)["hls-parser"]
            assert "error" not in after, (name, seed, after)
            left = iter(whole)
            assert all(rung(one) in left for one in after["variants"]), (name, seed)
            read += 1
    assert read > 60


def rung(variant: Model) -> tuple[object, ...]:
    return variant["uri"], variant["bandwidth"], str(variant.get("resolution"))
