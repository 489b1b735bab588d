"""Rates of manifests: frames by time, bits by time, protection included (TR-67..TR-71)."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import recipe

from origin.protection.keys import Scheme
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.tracks import Segment, peak_bps
from origin.vod import Library, register
from origin.vod.rates import buffered_bps, shown_rate

NTSC = Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("base", 24),
        ("ntsc", NTSC),
        ("ts_1000", NTSC),
        ("ts_odd", NTSC),
        ("pal_44k", 25),
        ("vfr_drop", 17),
        ("gap", 24),
        ("ladder_bad_pts", 24),
        ("single_sample", 24),
    ],
)
def test_frame_rates_of_recipes(name: str, rate: Fraction, tmp_path: Path) -> None:
    """TR-71: a rate that nearly all frames fit; else what the busiest second has."""
    (video,) = (r for r in register(tmp_path, [recipe(name)], "film").renditions if r.height)
    assert video.frame_rate == rate


def test_jitter_is_no_rate_of_40(tmp_path: Path) -> None:
    (video,) = register(tmp_path, [recipe("vfr_jitter")], "film").renditions
    assert video.frame_rate is not None and 24 <= video.frame_rate <= 26


@given(
    st.lists(st.integers(1, 400), min_size=2, max_size=40),
    st.sampled_from([24, 90, 600]),
)
def test_the_busiest_second(lengths: list[int], timescale: int) -> None:
    """Against every window that begins with a frame."""
    times = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    rate = shown_rate(times, timescale)
    most = max(sum(t <= other < t + timescale for other in times) for t in times)
    assert rate is not None
    near = max(set(lengths), key=lengths.count)
    if sum(abs(x - near) <= 2 for x in lengths) < 0.9 * len(lengths):
        assert rate == most


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**6)), min_size=1, max_size=60),
    st.integers(1, 10**5),
    st.fractions(min_value=Fraction(1, 10), max_value=10, max_denominator=10),
)
def test_bandwidth_of_an_mpd(rows: list[tuple[int, int]], timescale: int, buffer: Fraction) -> None:
    """TR-69 by brute force: the least whole rate with which no run of segments waits."""
    segments = [Segment(n, 0, d, size) for n, (size, d) in enumerate(rows)]
    rate = buffered_bps(segments, timescale, buffer)
    needed = max(
        8 * sum(s for s, _ in rows[i : j + 1])
        / (buffer + Fraction(sum(d for _, d in rows[i : j + 1]), timescale))
        for i in range(len(rows))
        for j in range(i, len(rows))
    )  # fmt: skip
    assert rate == max(1, -(-needed.numerator // needed.denominator))


@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
def test_protection_counts(film: Path, tmp_path: Path, scheme: Scheme) -> None:
    """TR-67, TR-68: what is told is what is sent, to three in a thousand."""
    register(tmp_path, [film], "film")
    licences = {"clearkey": "http://127.0.0.1:1/l", "identity": "http://127.0.0.1:1/k"}
    settings = Protection.model_validate({"systems": ["clearkey"], "urls": licences})
    protect(tmp_path, "film", [scheme], settings)
    title = Title(Library(tmp_path, guards=Guards(tmp_path, settings)))
    peaks = []
    for track, output in title.segmented().items():
        sizes = [len(data) for data in output.media]
        times = [(4 * k, 4) for k in range(4)]
        segments = [Segment(k, t, d, size) for k, ((t, d), size) in enumerate(zip(times, sizes))]  # noqa: B905
        peaks.append((track, peak_bps(segments, 1, 4)))
    video = next(peak for track, peak in peaks if track[0] == "v")
    audio = max(peak for track, peak in peaks if track[0] == "a")
    master = title.get("master.m3u8").decode()
    (told,) = re.findall(
        r"STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=\d+,CODECS=\S+,AUDIO", master
    )
    assert abs(int(told) - video - audio) < 0.003 * (video + audio)
