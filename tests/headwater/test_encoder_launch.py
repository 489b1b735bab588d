"""The demo's encoder starts on the segment grid, and its bar code tells the age of a frame."""

from fractions import Fraction

import pytest

from headwater.demo import encoder


def offset_of(launch: encoder.Launch) -> Fraction:
    offsets = {
        launch.argv[i + 1] for i, word in enumerate(launch.argv) if word == "-output_ts_offset"
    }
    assert len(offsets) == 1, "all tracks share one time line"
    return Fraction(offsets.pop())


@pytest.mark.parametrize("now_s", [0.0, 1.92, 1_763_700_000.0, 1_763_700_000.48, 1_795_236_299.9])
def test_first_frame_stands_on_a_segment_boundary_when_it_is_shown(now_s: float) -> None:
    launch = encoder.launch("ffmpeg", "http://localhost/ingest/demo", "font.ttf", now_s)
    start = offset_of(launch)
    assert start % encoder.SEGMENT_S == 0
    assert 0 <= launch.delay_s < encoder.SEGMENT_S + 0.001
    assert float(start) == pytest.approx(now_s + launch.delay_s + encoder.SPIN_UP_S, abs=1e-3)


def test_every_track_has_its_own_endless_request() -> None:
    argv = encoder.launch("ffmpeg", "http://localhost/ingest/demo", "font.ttf", 0.0).argv
    targets = [word for word in argv if word.startswith("http://")]
    names = [*(rung.name for rung in encoder.LADDER), encoder.AUDIO_NAME]
    assert [target.rsplit("/", 1)[1] for target in targets] == [
        f"Streams({name}.cmf{name[0]})" for name in names
    ]


def test_segment_holds_whole_frames_of_video_and_audio() -> None:
    assert (encoder.SEGMENT_S * encoder.FPS).denominator == 1
    assert (encoder.SEGMENT_S * 48_000 / 1024).denominator == 1


@pytest.mark.parametrize("age_s", [0.0, 0.2, 3.0, 60.0, -0.4])
@pytest.mark.parametrize("shown_s", [1_763_700_000.0, 2**20 / 25 * 1000 - 0.04])
def test_bar_code_tells_the_age(age_s: float, shown_s: float) -> None:
    clock = int(shown_s * encoder.FPS) % (1 << encoder.CLOCK_BITS)
    assert encoder.latency_s(clock, shown_s + age_s) == pytest.approx(age_s, abs=0.05)
